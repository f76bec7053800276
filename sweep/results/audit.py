"""Does the ledger tell the whole truth? Compares its readings with the weights, tiles and scores on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from sweep.engine.experiment import Experiment
from sweep.engine.output import Output
from sweep.results.ledger import Ledger, Reading
from sweep.results.store import read_test_scores
from trainables.errors import TilesweepError
from trainables.storage import Storage
from trainables.trial_states import BEST_FILE

MATCHES = "matches"
UNREADABLE = "missing or damaged"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A reading against what lies on disk; each field but the first says ``matches`` or what is wrong.

    Attributes:
        reading: The ledger's line; None for scores that no line tells of.
        attempt: ``EXPERIMENT/ATTEMPT``.
        weights: The weights file.
        data: Train and val tiles.
        test: Test tiles.
    """

    reading: Reading | None
    attempt: str
    weights: str
    data: str
    test: str

    @property
    def matches(self) -> bool:
        """Whether nothing is wrong."""
        return {self.weights, self.data, self.test} == {MATCHES}


def audit(
    storage: Storage,
    name: str | None,
    patches: Path | None,
    fingerprints: Callable[[Path], tuple[str, str]],
) -> list[Check]:
    """Check every reading of a storage's ledger, or of one experiment.

    Args:
        storage: Holds ledger and experiments.
        name: An experiment; None for all.
        patches: Where the dataset lies now; None for where each experiment says.
        fingerprints: Reads a dataset and returns the hashes of its train and val tiles, and of its test tiles.

    Returns:
        A check a reading, in the ledger's order; then one for every scored attempt that has no reading.

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

    readings = [reading for reading in Ledger(storage).readings() if name in (None, reading.experiment)]
    checks = []
    for reading in readings:
        experiment = Experiment(storage, reading.experiment)
        if not experiment.exists:
            checks.append(_check(reading, "experiment is gone", "not looked at", "not looked at"))
            continue
        description = experiment.description
        train_and_val, test = look(patches or Path(description["data"]["path"]))
        checks.append(
            _check(
                reading,
                _weights(experiment, reading, description.get("id", "")),
                _compare(train_and_val, reading.data_fingerprint),
                _compare(test, reading.test_fingerprint),
            )
        )
    return checks + _without_reading(storage, name, readings)


def _check(reading: Reading, weights: str, data: str, test: str) -> Check:
    attempt = f"{reading.experiment}/{reading.attempt}"
    return Check(reading=reading, attempt=attempt, weights=weights, data=data, test=test)


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


def _without_reading(storage: Storage, name: str | None, readings: Sequence[Reading]) -> list[Check]:
    """Find attempts whose test scores lie on disk while the ledger has no line for them: it was cut short."""
    known = {(reading.experiment, reading.attempt) for reading in readings}
    names = [name] if name else [other for other in storage.names() if not other.startswith(".")]
    found = []
    for other in sorted(names):
        experiment = Experiment(storage, other)
        for attempt in dict.fromkeys(row["attempt"] for row in read_test_scores(experiment)):
            if (other, attempt) not in known:
                gone = "scored, but its line in the ledger is gone"
                found.append(Check(reading=None, attempt=f"{other}/{attempt}", weights=gone, data="", test=""))
    return found


def show_audit(checks: Sequence[Check], ledger: Ledger, output: Output) -> int:
    """Print the checks and the verdict.

    Returns:
        0 when everything matches, else 1.
    """
    table = Table(title=f"{ledger.address}: {len(checks)} readings", title_justify="left")
    for heading in ("attempt", "read at", "weights", "train and val", "test"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        time = check.reading.time if check.reading else ""
        table.add_row(check.attempt, time, check.weights, check.data, check.test)
        output.events.emit(
            "reading",
            attempt=check.attempt,
            read_at=time or None,
            matches=check.matches,
            weights=check.weights,
            data=check.data,
            test=check.test,
        )
    output.results.print(table)
    wrong = sum(not check.matches for check in checks)
    verdict = (
        f"{wrong} of {len(checks)} readings do not match what is on disk" if wrong else "all match what is on disk"
    )
    output.results.print(f"the chain is whole; {verdict}", highlight=False)
    return 1 if wrong else 0
