"""Which trained models a name stands for: an experiment's best, its best few, one trial, or a weights file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.records.trial_result import TrialResult
from sweep.records.weights_file import read_best_weights
from sweep.records.winners import has_collapsed, winners
from sweep.sealed.next_step import resume_command
from trainables.documents import DamagedError, read_bounded
from trainables.errors import ExperimentError, nearest
from trainables.storage import Storage
from trainables.trial_states import BEST_FILE

if TYPE_CHECKING:
    from trainables.checkpoints import BestWeights
    from trainables.models.base import SegmentationModel

WEIGHTS_ENDING = ".safetensors"
LARGEST_FILE = 8 * 2**30
"""Bytes of a weights file: twenty times SAM ViT-B's."""


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained model.

    Attributes:
        name: ``EXPERIMENT/TRIAL``, or the file's name.
        weights_file: Content of its best-weights file.
        origin: Where that file is.
        title: What tables call its architecture; empty for a file.
        val_iou: Mean IoU over the val tiles, in [0, 1]; None for a file.
        experiment: Where it was trained; None for a file.
        fold: The fold whose model it is, from 1; None for all that its weights file holds.
    """

    name: str
    weights_file: bytes
    origin: str
    title: str = ""
    val_iou: float | None = None
    experiment: Experiment | None = None
    fold: int | None = None

    def load(self) -> tuple[SegmentationModel, BestWeights]:
        """Rebuild the model, in evaluation mode on the CPU; see ``load_best``.

        Raises:
            ExperimentError: It has no such fold.
        """
        from trainables.checkpoints import load_best_bytes
        from trainables.held_out import choose_fold

        model, best = load_best_bytes(self.weights_file, self.origin)
        return (model, best) if self.fold is None else choose_fold(model, best, self.fold, self.name)


def model_label(name: str, fold: int | None, folds: int) -> str:
    """Return what a model is called for people.

    Args:
        name: As in ``TrainedModel``.
        fold: As there.
        folds: How many its weights file holds the models of; 0 for no cross-validation.
    """
    if fold is not None:
        return f"{name}, fold {fold}"
    return f"{name}, the mean of {folds} folds" if folds > 1 else name


def find_models(storage: Storage, model: str, *, count: int = 1, fold: int | None = None) -> list[TrainedModel]:
    """Find what ``--model`` names.

    Args:
        storage: The folder that holds experiments.
        model: ``NAME`` (an experiment: its leader by val IoU), ``NAME/TRIAL``, or a path that ends in
            ``.safetensors``.
        count: How many contenders of an experiment, the best ones by val IoU, a training of each.
        fold: The fold whose model alone is meant, from 1; None for all of them.

    Raises:
        ExperimentError: There is no such experiment, trial or file, or nothing in it has finished.
    """
    return [replace(one, fold=fold) for one in _find(storage, model, count)]


def _find(storage: Storage, model: str, count: int) -> list[TrainedModel]:
    if model.endswith(WEIGHTS_ENDING):
        return [_file(Path(model), count)]
    name, _, trial = model.partition("/")
    experiment = Experiment.find(storage, name, "--model")
    trials = gather(experiment).trials
    if trial:
        if count > 1:
            raise ExperimentError(f"--model {model}: is one trial; --ensemble wants an experiment, --model {name}")
        return [_open(experiment, _finished(experiment, trials, trial))]
    ranked = _ranking(trials)
    if not ranked:
        fix = resume_command(experiment, experiment.description)
        raise ExperimentError(f"--model {name}: no finished attempt in it; resume it with {fix}")
    if len(ranked) < count:
        raise ExperimentError(f"--ensemble {count}: {name} has {len(ranked)} contenders that finished")
    return [_open(experiment, row) for row in ranked[:count]]


def _file(path: Path, count: int) -> TrainedModel:
    if count > 1:
        raise ExperimentError(f"--model {path}: is one model; --ensemble wants an experiment")
    try:
        limit = min(path.stat().st_size, LARGEST_FILE)  # a buffer of that size is made
        return TrainedModel(name=path.name, weights_file=read_bounded(path, limit), origin=str(path))
    except (OSError, DamagedError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExperimentError(f"--model {path}: cannot be read ({reason}); name an existing weights file") from error


def _ranking(trials: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the best training of each contest's winner: those on the most tiles, the best mean val IoU first.

    Those that predict a single class everywhere come last.
    """
    won = list(winners(trials).values())
    most = max((trainings[0].tiles for trainings in won), default=0)
    won = [trainings for trainings in won if trainings[0].tiles == most]
    won.sort(key=lambda trainings: (has_collapsed(trainings), -fmean(row.final_iou for row in trainings)))
    return [max(trainings, key=lambda row: (not row.collapsed, row.final_iou)) for trainings in won]


def _finished(experiment: Experiment, trials: Sequence[TrialResult], name: str) -> TrialResult:
    by_name = {row.attempt: row for row in trials}
    if name not in by_name:
        raise ExperimentError(
            f"--model {experiment.name}/{name}: not in experiment {experiment.name}; {nearest(name, by_name)}"
        )
    row = by_name[name]
    if not row.finished:
        raise ExperimentError(
            f"--model {experiment.name}/{name}: is {row.status}, only finished trials predict; "
            f"resume it with {resume_command(experiment, experiment.description)}"
        )
    return row


def _open(experiment: Experiment, row: TrialResult) -> TrainedModel:
    return TrainedModel(
        name=f"{experiment.name}/{row.attempt}",
        weights_file=read_best_weights(experiment, row.attempt),
        origin=experiment.path(f"{row.attempt}/{BEST_FILE}"),
        title=row.title,
        val_iou=row.val_iou,
        experiment=experiment,
    )
