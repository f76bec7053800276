"""``python -m sweep.score``: the only code that scores the test split, once an attempt, in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import tyro
from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.options import AddressOptions, DeviceOptions, Names, RecipeOptions, StorageOptions, TrustOptions
from sweep.cli.output import Output
from sweep.ray_tune.cluster import joins, ray_cluster
from sweep.ray_tune.ray_watch import end_at_once
from sweep.records.experiment import Experiment
from sweep.records.provenance import typed_command
from sweep.records.store import (
    SCORES_SCHEMA,
    TEST_SCORES_FILE,
    TRIALS_FILE,
    gather,
    read_test_scores,
    scores_sha256,
)
from sweep.sealed.admission import Attempt, admit
from sweep.sealed.audit import audit, same_scores, show_audit
from sweep.sealed.known_test import tile_hashes
from sweep.sealed.ledger import Ledger, Reading
from sweep.sealed.next_step import next_command
from sweep.session.leaks import record_leaks
from trainables.data.manifest import Manifest
from trainables.data.remote import local_copy
from trainables.data.tiles import Tile, TileFiles, TuningData, manifest_faults, scan_split
from trainables.errors import DataError, ExperimentError, LedgerError, TilesweepError
from trainables.metrics import SplitScore
from trainables.models.trust import trust_everything
from trainables.storage import Storage
from trainables.task import Task
from trainables.trial_states import BEST_FILE


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(AddressOptions, DeviceOptions, StorageOptions, RecipeOptions, TrustOptions):
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


class TestTiles:
    """The test split, readable only for attempts that the ledger has admitted.

    Args:
        patches: The dataset's folder.
        admitted: What ``admit`` returned; at least one attempt.

    Attributes:
        tiles: The test tiles.
        fingerprint: Hex sha256 over their names and decoded pixels.
        hashes: What a reading records of each of them.

    Raises:
        DataError: The split is missing or damaged.
    """

    __test__ = False  # not a test case, whatever its name

    def __init__(self, patches: Path, admitted: Sequence[Attempt]) -> None:
        assert admitted, "no attempt may read the test split"
        root, files = _read_test(patches)
        self.tiles = tuple(one.tile for one in files)
        self.fingerprint = _fingerprint(self.tiles)
        self.hashes = tile_hashes(files, root)


def _read_test(patches: Path) -> tuple[Path, tuple[TileFiles, ...]]:
    """Return the dataset's folder on this machine, and its test split."""
    patches = local_copy(patches, ("test",))
    manifest = Manifest.read(patches)
    files, faults = scan_split(patches, "test", manifest.task if manifest else Task())
    if manifest:
        faults += manifest_faults(patches, manifest, {"test": files})
    if faults:
        raise DataError(dict.fromkeys(faults))
    return patches, files


def _fingerprint(tiles: Sequence[Tile]) -> str:
    digest = hashlib.sha256()
    for tile in tiles:
        digest.update(tile.name.encode())
        digest.update(tile.image.tobytes())
        digest.update(tile.mask.tobytes())
    return digest.hexdigest()


def predict_test(
    weights_file: bytes, tiles: Sequence[Tile], device: str, origin: str = "", *, trust_code: bool = False
) -> tuple[SplitScore, dict[str, bytes]]:
    """Score tiles with a best-weights file.

    Args:
        weights_file: Content of a ``best.safetensors``.
        tiles: What to score.
        device: ``auto``, ``cpu`` or ``cuda``.
        origin: Where the weights lie, for errors.
        trust_code: Whether code that they name may run.

    Returns:
        The scores, and the predicted masks and overlays as file name to content.
    """
    from trainables.checkpoints import load_best_bytes
    from trainables.inference import choose_device, ready
    from trainables.losses import SegmentationLoss
    from trainables.scoring import score_and_draw

    if trust_code:
        trust_everything()
    model, best = load_best_bytes(weights_file, origin)
    forward = ready(model, best.recipe, choose_device(device))
    loss = SegmentationLoss(task=best.task, cross_entropy_weight=best.recipe.bce_weight)
    return score_and_draw(model, forward, tiles, best.recipe, loss, batch_size=best.recipe.batch_size)


def _predict(
    experiment: Experiment, attempt: Attempt, tiles: Sequence[Tile], options: ScoreOptions
) -> tuple[SplitScore, dict[str, bytes]]:
    """Predict here, or in a Ray task when an address is given."""
    origin = experiment.path(f"{attempt.name}/{BEST_FILE}")
    weights_file = experiment.read(f"{attempt.name}/{BEST_FILE}")
    if hashlib.sha256(weights_file).hexdigest() != attempt.checkpoint_sha256:
        raise ExperimentError(
            f"{attempt.name}: its weights changed while test was read; let only one process write them"
        )
    if not joins(options.address):
        return predict_test(weights_file, tiles, options.device, origin, trust_code=options.trust_code)
    import ray

    gpus = 1 if options.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1 else 0
    task = ray.remote(num_gpus=gpus)(predict_test)
    device = "cuda" if gpus else "cpu"
    try:
        result: tuple[SplitScore, dict[str, bytes]] = ray.get(
            task.remote(weights_file, tiles, device, origin, trust_code=options.trust_code)
        )
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TilesweepError):
            raise error.cause from error
        raise
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
        admitted = admit(experiment, ledger, attempts=options.attempts, recipes=options.recipes, again=options.again)
        _check_data(experiment, patches)
        test = TestTiles(patches, admitted)
        _require_recorded_tiles(admitted, test, patches)
        known = any(one.test_fingerprint == test.fingerprint and one.test_files for one in ledger.readings())
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
                scores_sha256=scores_sha256(_score_rows(attempt.name, result)),
                **({} if known else test.hashes),
            )
            if attempt.recorded is None:
                ledger.append([reading])  # before any number is shown
                known = True
            else:
                _require_recorded_scores(attempt.recorded, reading)
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


def _require_recorded_tiles(admitted: Sequence[Attempt], test: TestTiles, patches: Path) -> None:
    """Refuse to complete a recorded reading on other test tiles than it read: that would be another reading.

    Raises:
        LedgerError: As said.
    """
    for attempt in admitted:
        if attempt.recorded and attempt.recorded.test_fingerprint != test.fingerprint:
            raise LedgerError(
                f"{attempt.name}: the reading of {attempt.recorded.time} to be completed read other test tiles than "
                f'those of {patches}; name the right ones with --patches, or --again "REASON" reads these and marks '
                f"the row"
            )


def _require_recorded_scores(recorded: Reading, found: Reading) -> None:
    """Refuse scores that are not those of the reading that is completed.

    Raises:
        LedgerError: As said.
    """
    if not same_scores(recorded.iou, recorded.f1, recorded.tiles, found.iou, found.f1, found.tiles):
        raise LedgerError(
            f"{found.attempt}: the ledger says IoU {recorded.iou:.6f} at {recorded.time}, completing that gives "
            f'{found.iou:.6f}; complete it on the machine and device that read it, or --again "REASON" reads test a '
            f"second time and marks the row"
        )


def _score_rows(attempt: str, result: SplitScore) -> list[dict[str, Any]]:
    return [
        {
            "attempt": attempt,
            "tile": tile.name,
            "iou": tile.iou,
            "f1": tile.f1,
            "confusion": [list(row) for row in tile.confusion],
        }
        for tile in result.tiles
    ]


def _add_scores(experiment: Experiment, attempt: str, result: SplitScore) -> None:
    """Put an attempt's tiles into ``test_scores.parquet``, in place of an earlier reading's."""
    rows = [row for row in read_test_scores(experiment) if row["attempt"] != attempt] + _score_rows(attempt, result)
    table = pa.Table.from_pylist(rows, schema=SCORES_SCHEMA)
    experiment.write_table(TEST_SCORES_FILE, table, durable=True)


def verify(options: ScoreOptions, output: Output) -> int:
    """Compare the ledger with what lies on disk; returns 0 when everything matches, else 1."""

    def fingerprints(patches: Path) -> tuple[str, str]:
        test = _fingerprint([one.tile for one in _read_test(patches)[1]])
        return TuningData.read(patches).fingerprint, test

    storage = Storage.open(options.storage)
    if options.name is not None:
        Experiment.find(storage, options.name)
    checks = audit(storage, options.name, options.patches, fingerprints)
    code = show_audit(checks, Ledger(storage), output)
    last = next((check.experiment for check in reversed(checks) if check.reading), None)
    if code:
        output.results.print("bring back what differs, then look again", highlight=False)
        output.next(typed_command())
    elif last is None:
        output.next(typed_command(without=("--verify",)))
    else:
        experiment = Experiment(storage, last)
        output.next(next_command(experiment, experiment.description, gather(experiment)[TRIALS_FILE].to_pylist()))
    return code


def main(options: ScoreOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    if options.trust_code:
        trust_everything()
    if options.verify:
        return verify(options, output)
    if not joins(options.address):
        score(options, output)
        return 0
    died = end_at_once(output, lambda: "what was read is in the ledger: then run the same command again")
    with ray_cluster(options.address, output.console, died=died):
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
