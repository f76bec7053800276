"""``python -m sweep.score``: the only code that scores the test split, once an attempt, in the ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import tyro
from tyro.conf import arg

from search_spaces.recipes import read_recipes
from sweep.console import Command
from sweep.engine.cluster import joins, ray_cluster
from sweep.engine.experiment import Experiment
from sweep.engine.leaks import record_leaks
from sweep.engine.options import AddressOptions, DeviceOptions, Names, RecipeOptions, StorageOptions
from sweep.engine.output import Output
from sweep.engine.provenance import typed_command
from sweep.results.audit import audit, show_audit
from sweep.results.ledger import Ledger, Reading
from sweep.results.next_step import next_command, resume_command
from sweep.results.store import SCORES_SCHEMA, TEST_SCORES_FILE, collect, read_test_scores
from sweep.results.winners import winners
from trainables.data.manifest import Manifest
from trainables.data.remote import local_copy
from trainables.data.tiles import Tile, TuningData, manifest_faults, scan_split
from trainables.errors import DataError, ExperimentError, LedgerError, nearest
from trainables.metrics import SplitScore
from trainables.storage import Storage
from trainables.task import Task
from trainables.trial_states import BEST_FILE


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(AddressOptions, DeviceOptions, StorageOptions, RecipeOptions):
    """Score the test split with each winner's best-by-val weights: once, recorded in the ledger.

    Phase 1: every attempt. Phase 2: each architecture's best trial. Phase 3: every budget and draw.
    """

    name: Annotated[tyro.conf.Positional[str | None], arg(metavar="NAME")] = None
    """The experiment; default: the one that changed last."""

    attempts: Names = ()
    """Which attempts; default: each contest's winner by val IoU that has not been scored."""

    patches: Annotated[Path | None, arg(metavar="DIR|URI")] = None
    """Where the dataset lies now; default: where it lay when the sweep ran."""

    again: Annotated[str, arg(metavar="REASON")] = ""
    """Score attempts a second time; the reason goes into the ledger and the leaderboard marks the row."""

    verify: bool = False
    """Score nothing: say whether the ledger is whole and matches the weights and tiles on disk."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt that is about to read the test split.

    Attributes:
        name: The attempt's name.
        checkpoint_sha256: Hash of its best-weights file.
        reason: Why it reads again; empty for a first reading.
        recorded: Its reading, where a job recorded that and was killed before it wrote the files.
    """

    name: str
    checkpoint_sha256: str
    reason: str = ""
    recorded: Reading | None = None


class TestTiles:
    """The test split, readable only for attempts that the ledger has admitted.

    Args:
        patches: The dataset's folder.
        admitted: What ``admit`` returned; at least one attempt.

    Raises:
        DataError: The split is missing or damaged.
    """

    __test__ = False  # not a test case, whatever its name

    def __init__(self, patches: Path, admitted: Sequence[Attempt]) -> None:
        assert admitted, "no attempt may read the test split"
        self.tiles = _read_test(patches)

    @property
    def fingerprint(self) -> str:
        """Hex sha256 over names and decoded pixels."""
        return _fingerprint(self.tiles)


def _read_test(patches: Path) -> tuple[Tile, ...]:
    patches = local_copy(patches, ("test",))
    manifest = Manifest.read(patches)
    files, faults = scan_split(patches, "test", manifest.task if manifest else Task())
    if manifest:
        faults += manifest_faults(patches, manifest, {"test": files})
    if faults:
        raise DataError(dict.fromkeys(faults))
    return tuple(one.tile for one in files)


def _fingerprint(tiles: Sequence[Tile]) -> str:
    digest = hashlib.sha256()
    for tile in tiles:
        digest.update(tile.name.encode())
        digest.update(tile.image.tobytes())
        digest.update(tile.mask.tobytes())
    return digest.hexdigest()


def admit(experiment: Experiment, ledger: Ledger, options: ScoreOptions) -> list[Attempt]:
    """Decide which attempts may read the test split; call it with the ledger locked.

    Raises:
        LedgerError: Every attempt asked for has been read before, and no reason for another reading is given.
        ExperimentError: An attempt that does not exist, has not finished, or is not its contest's winner.
        RecipeError: A recipe file that cannot be used.
    """
    trials = {row["attempt"]: row for row in collect(experiment).to_pylist()}
    best = winners(trials.values())
    for name in options.attempts:
        _check_attempt(experiment, trials, best, name)
    chosen = [trials[name] for name in options.attempts] or [row for won in best.values() for row in won]
    if options.recipes:
        chosen = _with_recipes(chosen, options.recipes)
    if not chosen:
        mend = next_command(experiment, experiment.description, trials.values())
        raise ExperimentError(f"{experiment.address}: no finished attempt; go on with {mend}")
    before: dict[str, list[Reading]] = {}  # by contest: a second winner's reading would be a second look, too
    for name, readings in ledger.of(experiment.name).items():
        before.setdefault(trials[name]["contest"] if name in trials else name, []).extend(readings)
    admitted, refused = [], []
    for row in chosen:
        name = row["attempt"]
        siblings = {one["attempt"] for one in best[row["contest"]]} - {name}  # the same recipe with other seeds
        readings = [one for one in before.get(row["contest"], []) if one.attempt not in siblings]
        attempt = Attempt(name=name, checkpoint_sha256=_sha256(experiment.read(f"{name}/{BEST_FILE}")))
        if not readings or options.again:
            admitted.append(replace(attempt, reason=options.again if readings else ""))
        elif _broke_off(experiment, attempt, readings[-1]):
            admitted.append(replace(attempt, recorded=readings[-1]))
        else:
            refused.append((attempt, readings[0]))
    if refused and (options.attempts or options.recipes or not admitted):
        raise LedgerError(_refusal(experiment, *refused[0]))
    return admitted


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _broke_off(experiment: Experiment, attempt: Attempt, reading: Reading) -> bool:
    """Whether a job recorded this reading and was killed before it wrote the scores."""
    same = (reading.attempt, reading.checkpoint_sha256) == (attempt.name, attempt.checkpoint_sha256)
    return same and attempt.name not in {row["attempt"] for row in read_test_scores(experiment)}


def _refusal(experiment: Experiment, attempt: Attempt, first: Reading) -> str:
    weights = ""
    if first.run != experiment.description.get("id") or (
        first.attempt == attempt.name and first.checkpoint_sha256 != attempt.checkpoint_sha256
    ):
        weights = ", with other weights: it was trained again since,"
    return (
        f"{attempt.name}: test was read at {first.time} (by {first.attempt}{weights} IoU {first.iou:.3f}) and is "
        f'read once an attempt; --again "REASON" reads it a second time and marks the row'
    )


def _check_attempt(
    experiment: Experiment, trials: Mapping[str, dict[str, Any]], best: Mapping[str, list[dict[str, Any]]], name: str
) -> None:
    """Refuse an attempt that may not be scored."""
    if name not in trials:
        raise ExperimentError(f"--attempts {name}: not in experiment {experiment.name}; {nearest(name, trials)}")
    row = trials[name]
    if row["status"] != "finished":
        raise ExperimentError(
            f"--attempts {name}: is {row['status']}, only finished attempts are scored; "
            f"go on with {resume_command(experiment, experiment.description)}"
        )
    won = [one["attempt"] for one in best.get(row["contest"], [])]
    if not won:
        raise ExperimentError(
            f"--attempts {name}: the choice of {row['contest']} has not been made; "
            f"go on with {resume_command(experiment, experiment.description)}"
        )
    if name not in won:
        raise ExperimentError(
            f"--attempts {name}: was not the best of {row['contest']} by val IoU, and test is no ground for a choice; "
            f"score {','.join(won)}"
        )


def _with_recipes(rows: Sequence[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """Keep the rows that were trained with a recipe file's recipes."""
    wanted = read_recipes(path)
    kept = []
    for row in rows:
        recipe = json.loads(row["recipe"])
        fields = wanted.get(row["architecture"])
        if fields is not None and all(recipe[name] == value for name, value in fields.items()):
            kept.append(row)
    if not kept:
        raise ExperimentError(f"--recipes {path}: no winner of this experiment was trained with one of its recipes")
    return kept


def predict_test(weights_file: bytes, tiles: Sequence[Tile], device: str) -> tuple[SplitScore, dict[str, bytes]]:
    """Score tiles with a best-weights file.

    Args:
        weights_file: Content of a ``best.safetensors``.
        tiles: What to score.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The scores, and the predicted masks and overlays as file name to content.
    """
    from trainables.checkpoints import load_best_bytes
    from trainables.inference import choose_device, ready
    from trainables.losses import SegmentationLoss
    from trainables.scoring import score_and_draw

    model, best = load_best_bytes(weights_file)
    forward = ready(model, best.recipe, choose_device(device))
    loss = SegmentationLoss(task=best.task, cross_entropy_weight=best.recipe.bce_weight)
    return score_and_draw(model, forward, tiles, best.recipe, loss, batch_size=best.recipe.batch_size)


def _predict(
    experiment: Experiment, attempt: Attempt, tiles: Sequence[Tile], options: ScoreOptions
) -> tuple[SplitScore, dict[str, bytes]]:
    """Predict here, or in a Ray task when an address is given."""
    weights_file = experiment.read(f"{attempt.name}/{BEST_FILE}")
    if _sha256(weights_file) != attempt.checkpoint_sha256:
        raise ExperimentError(
            f"{attempt.name}: its weights changed while test was read; let only one process write them"
        )
    if not joins(options.address):
        return predict_test(weights_file, tiles, options.device)
    import ray

    gpus = 1 if options.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1 else 0
    task = ray.remote(num_gpus=gpus)(predict_test)
    result: tuple[SplitScore, dict[str, bytes]] = ray.get(task.remote(weights_file, tiles, "cuda" if gpus else "cpu"))
    return result


def _check_data(experiment: Experiment, patches: Path) -> None:
    """Refuse a dataset that is not the one that the sweep trained on; note leaks that were found since."""
    data = TuningData.read(patches)
    if data.fingerprint != experiment.description["data"]["fingerprint"]:
        raise ExperimentError(
            f"{patches}: not the dataset that the sweep trained on (its train and val tiles differ); "
            f"name the right one with --patches"
        )
    record_leaks(experiment, data)


def score(options: ScoreOptions, output: Output) -> None:
    """Run the job.

    Raises:
        TilesweepError: See ``admit``; also a dataset that changed since the sweep.
    """
    # Here, so that --help answers without loading OpenCV and Optuna.
    from sweep.results.conclusion import conclude
    from sweep.results.leaderboard import Leaderboard

    experiment = Experiment.find(Storage.open(options.storage), options.name)
    description = experiment.description
    patches = options.patches or Path(description["data"]["path"])
    ledger = Ledger(experiment.storage)
    with ledger.locked():
        admitted = admit(experiment, ledger, options)
        _check_data(experiment, patches)
        test = TestTiles(patches, admitted)
        for attempt in admitted:
            what = "completing the recorded reading" if attempt.recorded else "reading test once"
            output.console.print(f"{what} for {attempt.name} ({len(test.tiles)} tiles)", highlight=False)
            result, files = _predict(experiment, attempt, test.tiles, options)
            reading = Reading(
                experiment=experiment.name,
                attempt=attempt.name,
                checkpoint_sha256=attempt.checkpoint_sha256,
                data_fingerprint=description["data"]["fingerprint"],
                test_fingerprint=test.fingerprint,
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                iou=result.iou,
                f1=result.f1,
                tiles={tile.name: tile.iou for tile in result.tiles},
                reason=attempt.reason,
                run=description.get("id", ""),
            )
            if attempt.recorded is None:
                ledger.append([reading])  # before any number is shown
            for name, content in files.items():
                experiment.write(f"{attempt.name}/predictions/test/{name}", content)
            _add_scores(experiment, attempt.name, result)
            output.events.emit(
                "test_read", attempt=attempt.name, test_iou=reading.iou, test_f1=reading.f1, reason=attempt.reason
            )
    board = Leaderboard(experiment)
    board.write()
    conclude(experiment, board, output)
    output.results.print(f"ledger         {ledger.address}", highlight=False, soft_wrap=True)
    output.next(next_command(experiment, description, board.trials))


def _add_scores(experiment: Experiment, attempt: str, result: SplitScore) -> None:
    """Put an attempt's tiles into ``test_scores.parquet``, in place of an earlier reading's."""
    rows = [row for row in read_test_scores(experiment) if row["attempt"] != attempt]
    rows += [
        {
            "attempt": attempt,
            "tile": tile.name,
            "iou": tile.iou,
            "f1": tile.f1,
            "confusion": [list(row) for row in tile.confusion],
        }
        for tile in result.tiles
    ]
    experiment.write_table(TEST_SCORES_FILE, pa.Table.from_pylist(rows, schema=SCORES_SCHEMA))


def verify(options: ScoreOptions, output: Output) -> int:
    """Compare the ledger with what lies on disk; returns 0 when everything matches, else 1."""

    def fingerprints(patches: Path) -> tuple[str, str]:
        return TuningData.read(patches).fingerprint, _fingerprint(_read_test(patches))

    storage = Storage.open(options.storage)
    if options.name is not None:
        Experiment.find(storage, options.name)
    checks = audit(storage, options.name, options.patches, fingerprints)
    code = show_audit(checks, Ledger(storage), output)
    last = next((check.reading for check in reversed(checks) if check.reading), None)
    if code:
        output.results.print("bring back what differs, then look again", highlight=False)
        output.next(typed_command())
    elif last is None:
        output.next(typed_command(without=("--verify",)))
    else:
        output.next(Experiment(storage, last.experiment).command("report"))
    return code


def main(options: ScoreOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    if options.verify:
        return verify(options, output)
    if not joins(options.address):
        score(options, output)
        return 0
    with ray_cluster(options.address, output.console):
        score(options, output)
    return 0


COMMAND = Command(
    name="score",
    options=ScoreOptions,
    main=main,
    examples={
        "": "the winners of the experiment that changed last",
        "phase2-paper": "those of this one",
        "--verify": "score nothing: is the ledger whole?",
    },
)

if __name__ == "__main__":
    COMMAND.run()
