"""Admitted attempts read the test split: each one's reading is in the ledger before its number is anywhere else."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.counting import WindowProgress
from sweep.cli.durations import duration
from sweep.cli.output import Output
from sweep.ray_tune.cluster import joins
from sweep.ray_tune.tasks import on_cluster
from sweep.records.experiment import Experiment
from sweep.records.store import TEST_SCORES_FILE, ScoreRow, read_test_scores, scores_sha256, scores_table
from sweep.records.trials import read_reports
from sweep.sealed.admission import Attempt
from sweep.sealed.audit import same_scores
from sweep.sealed.ledger import Ledger, Reading
from sweep.sealed.test_tiles import TestTiles
from trainables.data.tiles import Tile
from trainables.errors import ExperimentError, LedgerError
from trainables.metrics import SplitScore
from trainables.models.registry import described
from trainables.models.trust import trust_everything
from trainables.owners import scratch_folder
from trainables.trial_states import BEST_FILE
from trainables.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.features import FeatureCache
    from trainables.scoring import Forward

Predict = Callable[..., tuple[SplitScore, dict[str, bytes]]]
"""``predict_test``, but for how: from a weights file's content, tiles, where the weights are, and ``beside``."""


def predict_test(
    weights_file: bytes,
    tiles: Sequence[Tile],
    origin: str,
    *,
    device: str,
    trust_code: bool = False,
    progress: WindowProgress | None = None,
    features: FeatureCache | None = None,
    beside: Sequence[str] | None = None,
) -> tuple[SplitScore, dict[str, bytes]]:
    """Score tiles with a best-weights file.

    Args:
        weights_file: Its content.
        tiles: What to score.
        origin: Where the weights are.
        device: ``auto``, ``cpu`` or ``cuda``.
        trust_code: Whether code that the weights name may run.
        progress: Counts the windows.
        features: Keeps what a fixed encoder makes of the tiles for the attempts in ``beside``.
        beside: Architectures of other attempts on the same fixed encoder; None keeps nothing, as there are none.

    Returns:
        The scores, and the predicted masks and overlays as file name to content.
    """
    from trainables.checkpoints import load_best_bytes
    from trainables.fixed_encoder import FixedEncoder, feature_keys, forward_with
    from trainables.inference import choose_device, prediction_dtype, ready
    from trainables.losses.base import loss_of
    from trainables.scoring import score_and_draw
    from trainables.windows import count_windows

    if trust_code:
        trust_everything()
    model, best = load_best_bytes(weights_file, origin)
    place = choose_device(device)
    forward = ready(model, best.recipe, place)
    if features and beside is not None:
        dtype, recipe = prediction_dtype(best.recipe, place), best.recipe
        keys = feature_keys(tuple(beside), recipe.model_size, best.task.channels, len(best.imagery.bands))
        forward = forward_with(model, FixedEncoder.of(model, place, dtype, features, keys), place, dtype)
    loss = loss_of(best.recipe.replace(class_weights="none"), best.task, train=())  # they are for training
    if progress:
        sides = [tile.mask.shape for tile in tiles]
        total = sum(count_windows(height, width, best.recipe.crop_size) for height, width in sides)
        progress.begin("  windows", total)
        forward = _counted(forward, progress)
    return score_and_draw(model, forward, tiles, best.recipe, loss, batch_size=best.recipe.batch_size)


def _counted(forward: Forward, progress: WindowProgress) -> Forward:
    def counting(images: Tensor) -> Tensor:
        logits = forward(images)
        progress.advance(len(images))
        return logits

    return counting


@contextmanager
def predictor(address: str | None, device: str, progress: WindowProgress, *, trust_code: bool) -> Iterator[Predict]:
    """Yield what scores an attempt's weights: in this process, or on the cluster that it has joined.

    What a fixed encoder makes of test is kept for this process alone, in a temporary folder of its own: no sweep looks
    there, and it is gone at the end.
    """
    if joins(address):
        yield partial(partial(on_cluster, predict_test), device=device, trust_code=trust_code)
        return
    from trainables.features import FeatureCache

    with scratch_folder() as folder:
        features = FeatureCache(folder)
        yield partial(predict_test, device=device, trust_code=trust_code, progress=progress, features=features)


class _Clock:
    """How long scoring takes: by the time that each attempt's own scoring of the val tiles took, corrected as it goes.

    Args:
        experiment: Whose attempts.
        names: The attempts.
        share: Test tiles over val tiles.
    """

    def __init__(self, experiment: Experiment, names: Sequence[str], share: float) -> None:
        self._expected = {name: share * _final_seconds(experiment, name) for name in names}
        self._took: dict[str, float] = {}

    def took(self, name: str, seconds: float) -> None:
        """Learn how long an attempt took."""
        self._took[name] = seconds

    def expected(self, names: Sequence[str]) -> float:
        """Return the seconds that attempts will take, 0 where nothing is known."""
        known = sum(self._expected[name] for name in self._took)
        factor = sum(self._took.values()) / known if known else 1.0
        return factor * sum(self._expected[name] for name in names)


def _final_seconds(experiment: Experiment, attempt: str) -> float:
    reports = read_reports(experiment, attempt)
    return float(reports[-1].get("final_seconds") or 0.0) if reports else 0.0


def score_attempts(
    experiment: Experiment,
    ledger: Ledger,
    admitted: Sequence[Attempt],
    patches: Path,
    predict: Predict,
    output: Output,
) -> None:
    """Read the test split once for each admitted attempt; call it with the ledger locked.

    A reading is in the ledger before its scores and predictions are written or shown.

    Raises:
        DataError: The test split is missing or damaged.
        ExperimentError: Weights changed since they were admitted.
        LedgerError: A recorded reading cannot be completed with these tiles, or gives other scores.
    """
    admitted = _by_encoder(admitted)
    test = TestTiles(patches, admitted)
    _require_recorded_tiles(admitted, test, patches)
    known = any(one.test_fingerprint == test.fingerprint and one.test_files for one in ledger.readings())
    description = experiment.description
    names = [attempt.name for attempt in admitted]
    clock = _Clock(experiment, names, len(test.tiles) / max(1, len(description["data"]["val"])))
    for number, attempt in enumerate(admitted):
        what = "completing the recorded reading" if attempt.recorded else "reading test once"
        left = clock.expected(names[number:])
        time_left = f"; about {duration(left)} for what is left" if left else ""
        place = f"{number + 1} of {len(admitted)}, {counted(len(test.tiles), 'tile')}"
        output.console.print(f"{what} for {attempt.name} ({place}{time_left})")
        started = time.monotonic()
        origin = experiment.path(f"{attempt.name}/{BEST_FILE}")
        beside = _beside(attempt, admitted)
        result, files = predict(_weights(experiment, attempt), test.tiles, origin, beside=beside)
        clock.took(attempt.name, time.monotonic() - started)
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
            scores_sha256=scores_sha256(_scores(attempt.name, result)),
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


def _by_encoder(admitted: Sequence[Attempt]) -> list[Attempt]:
    """Put attempts on one fixed encoder after each other, which then is built once."""
    first: dict[str, int] = {}
    for number, one in enumerate(admitted):
        first.setdefault(_encoder(one) or one.name, number)
    return sorted(admitted, key=lambda one: first[_encoder(one) or one.name])


def _beside(attempt: Attempt, admitted: Sequence[Attempt]) -> list[str] | None:
    """Return the architectures of the attempts on an attempt's fixed encoder; None where there is no other one."""
    encoder = _encoder(attempt)
    found = [one.architecture for one in admitted if encoder and _encoder(one) == encoder]
    return sorted(set(found)) if len(found) > 1 else None


def _encoder(attempt: Attempt) -> str:
    """Return what the pretrained weights of an attempt's fixed encoder are called; empty for one that is trained."""
    entry = described(attempt.architecture) if attempt.architecture else None
    return entry.needs if entry and entry.fixed_encoder else ""


def _weights(experiment: Experiment, attempt: Attempt) -> bytes:
    """Read an attempt's weights.

    Raises:
        ExperimentError: They are not those that were admitted.
    """
    content = experiment.read(f"{attempt.name}/{BEST_FILE}")
    if hashlib.sha256(content).hexdigest() != attempt.checkpoint_sha256:
        raise ExperimentError(
            f"{attempt.name}: its weights changed while test was read; let only one process write them"
        )
    return content


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


def _scores(attempt: str, result: SplitScore) -> list[ScoreRow]:
    return [
        ScoreRow(attempt=attempt, tile=tile.name, iou=tile.iou, f1=tile.f1, confusion=tile.confusion)
        for tile in result.tiles
    ]


def _add_scores(experiment: Experiment, attempt: str, result: SplitScore) -> None:
    """Put an attempt's tiles into ``test_scores.parquet``, in place of an earlier reading's."""
    others = [one for one in read_test_scores(experiment) if one.attempt != attempt]
    experiment.write_table(TEST_SCORES_FILE, scores_table(others + _scores(attempt, result)), durable=True)
