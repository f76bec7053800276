"""Does the ledger tell the whole truth? Compares its readings with the weights, tiles and scores on disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sweep.cli.output import Output, say
from sweep.cli.tables import Sheet, columns_of
from sweep.records.experiment import Experiment, is_name
from sweep.records.store import ScoreRow, read_test_scores, scored_attempts, scores_sha256
from sweep.sealed.ledger import Ledger, Reading
from sweep.sealed.test_tiles import fingerprints
from trainables.errors import StorageError, TilesweepError
from trainables.storage import Storage
from trainables.trial_states import BEST_FILE

MATCHES = "matches"
REPLACED = "replaced by a later reading"
UNREADABLE = "missing or damaged"
UNSEEN = "not looked at"
UNTOLD = "no line in the ledger"
"""Test scores or predictions whose line is gone, or never was."""
TOLERANCE = 1e-9
"""Of a score: one file holds it as text, the other as bits, and a mean is summed in another order."""


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """A reading against what is on disk; each field but the first two and the last says ``matches`` or what is wrong.

    Attributes:
        reading: The ledger's line; None for scores that are in no line.
        attempt: ``EXPERIMENT/ATTEMPT``.
        weights: The weights file.
        data: Train and val tiles.
        test: Test tiles.
        scores: The scores that reports show beside the ledger's; may also be ``replaced by a later reading``.
        experiment: Which experiment it is now; empty where that is gone.
    """

    reading: Reading | None
    attempt: str
    weights: str = UNSEEN
    data: str = UNSEEN
    test: str = UNSEEN
    scores: str = UNSEEN
    experiment: str = ""

    @property
    def matches(self) -> bool:
        """Whether nothing is wrong."""
        return {self.weights, self.data, self.test} == {MATCHES} and self.scores in (MATCHES, REPLACED)


def same_scores(
    iou: float, f1: float, tiles: Mapping[str, float], other_iou: float, other_f1: float, others: Mapping[str, float]
) -> bool:
    """Whether two records of a reading hold the same numbers: mean IoU, mean F1, and each tile's IoU."""
    pairs = [(iou, other_iou), (f1, other_f1), *((tiles[name], others[name]) for name in tiles.keys() & others.keys())]
    return tiles.keys() == others.keys() and all(_same(one, other) for one, other in pairs)


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0, abs_tol=TOLERANCE) or (math.isnan(one) and math.isnan(other))


def audit(storage: Storage, name: str | None, patches: Path | None) -> list[AuditResult]:
    """Check every reading of a storage's ledger, or of one experiment, wherever the experiment is now.

    Args:
        storage: Holds ledger and experiments.
        name: An experiment; None for all.
        patches: Where the dataset is now; None for where each experiment says.

    Returns:
        A check a reading and copy of its experiment, in the ledger's order; then one for every attempt whose test
        scores or predictions are there without a reading.

    Raises:
        LedgerError: The ledger itself is broken.
        DataError: ``patches`` is no sound dataset.
    """
    seen: dict[Path, tuple[str, str]] = {}

    def look(path: Path) -> tuple[str, str]:
        if path not in seen:
            try:
                seen[path] = fingerprints(path)
            except TilesweepError:
                if patches:
                    raise
                seen[path] = (UNREADABLE, UNREADABLE)
        return seen[path]

    runs = _runs(storage)
    readings = [
        reading
        for reading in Ledger(storage).readings()
        if name in (None, reading.experiment) or (reading.run and reading.run == runs.get(name or "", ""))
    ]
    last = {(reading.run, reading.experiment, reading.attempt): reading for reading in readings}
    checks = []
    for reading in readings:
        replaced = last[reading.run, reading.experiment, reading.attempt] is not reading
        places = [
            one
            for one, run in runs.items()
            if one == reading.experiment
            or (run and run == reading.run and (run, one, reading.attempt) not in last)  # moved, or a copy
        ]
        if not places:
            checks.append(
                AuditResult(
                    reading=reading, attempt=f"{reading.experiment}/{reading.attempt}", weights="experiment is gone"
                )
            )
        checks += [
            _check(Experiment(storage, place), reading, runs[place], patches, look, replaced=replaced)
            for place in places
        ]
    return checks + _without_reading(storage, name, readings, runs)


def _runs(storage: Storage) -> dict[str, str]:
    """Return the experiments of a storage, and what could be one, with their ids; empty for one that has none."""
    runs = {}
    for name in sorted(other for other in storage.names() if is_name(other)):
        experiment = Experiment(storage, name)
        try:
            runs[name] = str(experiment.description.get("id", "")) if experiment.exists else ""
        except StorageError:
            raise
        except TilesweepError:
            runs[name] = ""
    return runs


def _check(
    experiment: Experiment,
    reading: Reading,
    run: str,
    patches: Path | None,
    look: Callable[[Path], tuple[str, str]],
    *,
    replaced: bool,
) -> AuditResult:
    now = "" if experiment.name == reading.experiment else f" (now {experiment.name})"
    attempt = f"{reading.experiment}/{reading.attempt}{now}"
    try:
        place = Path(experiment.description["data"]["path"])
    except StorageError:
        raise
    except (TilesweepError, KeyError, TypeError):
        return AuditResult(reading=reading, attempt=attempt, weights="experiment is damaged or gone")
    train_and_val, test = look(patches or place)
    return AuditResult(
        reading=reading,
        attempt=attempt,
        weights=_weights(experiment, reading, run),
        data=_compare(train_and_val, reading.data_fingerprint),
        test=_compare(test, reading.test_fingerprint),
        scores=REPLACED if replaced or run != reading.run else _scores(experiment, reading),
        experiment=experiment.name,
    )


def _weights(experiment: Experiment, reading: Reading, run: str) -> str:
    file = f"{reading.attempt}/{BEST_FILE}"
    if not experiment.has(file):
        return "missing"
    if hashlib.sha256(experiment.read(file)).hexdigest() != reading.checkpoint_sha256:
        return "trained again since" if run != reading.run else "differ"
    return MATCHES


def _compare(found: str, recorded: str) -> str:
    if found == recorded:
        return MATCHES
    return found if found == UNREADABLE else "differs"


def _scores(experiment: Experiment, reading: Reading) -> str:
    """Compare the ledger's numbers with those in the experiment's table of test scores."""
    try:
        scores = [one for one in read_test_scores(experiment) if one.attempt == reading.attempt]
    except StorageError:
        raise
    except TilesweepError:
        return UNREADABLE
    if not scores:
        return "missing; score completes them"
    if reading.scores_sha256 not in ("", scores_sha256(scores)):
        return "differ"
    return MATCHES if _numbers_match(scores, reading) else "differ"


def _numbers_match(scores: Sequence[ScoreRow], reading: Reading) -> bool:
    tiles = {one.tile: one.iou for one in scores}
    f1 = fmean(one.f1 for one in scores)
    return len(tiles) == len(scores) and same_scores(
        reading.iou, reading.f1, reading.tiles, fmean(tiles.values()), f1, tiles
    )


def _without_reading(
    storage: Storage, name: str | None, readings: Sequence[Reading], runs: Mapping[str, str]
) -> list[AuditResult]:
    """Find attempts whose test scores or predictions are there while the ledger has no line for them."""
    names = {(reading.experiment, reading.attempt) for reading in readings if not reading.run}
    ids = {(reading.run, reading.attempt) for reading in readings if reading.run}
    found = []
    for other in [name] if name else sorted(runs):
        experiment = Experiment(storage, other)
        attempts = storage.child(other).names()
        try:
            seen = scored_attempts(experiment, attempts)
        except StorageError:
            raise
        except TilesweepError:
            found.append(AuditResult(reading=None, attempt=other, scores=UNREADABLE))
            seen = {attempt for attempt in attempts if experiment.has(f"{attempt}/predictions/test")}
        for attempt in sorted(seen):
            if (other, attempt) not in names and (runs.get(other, ""), attempt) not in ids:
                found.append(AuditResult(reading=None, attempt=f"{other}/{attempt}", scores=UNTOLD))
    return found


def show_audit(checks: Sequence[AuditResult], ledger: Ledger, output: Output) -> int:
    """Print the checks, the ledger's notes and the verdict.

    Returns:
        0 when everything matches, else 1.
    """
    columns = columns_of("attempt", "read at", "weights", "train and val", "test", "scores")
    rows = []
    for check in checks:
        time = check.reading.time if check.reading else ""
        rows.append((check.attempt, time, check.weights, check.data, check.test, check.scores))
        output.events.emit(
            "reading",
            attempt=check.attempt,
            read_at=time or None,
            matches=check.matches,
            weights=check.weights,
            data=check.data,
            test=check.test,
            scores=check.scores,
        )
    output.results.print(Sheet(f"{ledger.address}: {len(checks)} readings", columns, rows))
    for note in ledger.notes():
        say(output.results, "note", f"{note.time}: {note.text}")
        output.events.emit("note", text=f"{note.time}: {note.text}")
    wrong = sum(not check.matches for check in checks)
    verdict = (
        f"{wrong} of {len(checks)} readings do not match what is on disk" if wrong else "all match what is on disk"
    )
    output.results.print(f"the chain is whole; {verdict}")
    say(output.results, "last line", ledger.last_hash)
    return 1 if wrong else 0
