"""Which trained models a name stands for: an experiment's best, its best few, one trial, or a weights file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from sweep.records.experiment import Experiment
from sweep.records.store import Gathered, gather
from sweep.records.trial_result import TrialResult
from sweep.records.trials import WITHOUT_FOLDS, refit_attempt
from sweep.records.weights_file import read_best_weights
from sweep.records.winners import has_collapsed, winners
from sweep.sealed.next_step import resume_command, trusting
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
        refit_of: Of a training on all tiles: the trial of folds that it follows from; else empty.
    """

    name: str
    weights_file: bytes
    origin: str
    title: str = ""
    val_iou: float | None = None
    experiment: Experiment | None = None
    fold: int | None = None
    refit_of: str = ""

    def load(self) -> tuple[SegmentationModel, BestWeights]:
        """Rebuild the model, in evaluation mode on the CPU; see ``load_best``.

        Raises:
            ExperimentError: It has no such fold.
        """
        from trainables.checkpoints import load_best_bytes
        from trainables.held_out import choose_fold

        model, best = load_best_bytes(self.weights_file, self.origin)
        return (model, best) if self.fold is None else choose_fold(model, best, self.fold, self.name)

    def folds(self) -> TrainedModel:
        """Return the folds that a training on all tiles follows from: they alone have tiles that are new to them.

        Raises:
            ExperimentError: A weights file by itself does not say where they are.
        """
        if self.experiment is None:
            raise ExperimentError(
                f"--model {self.name}: was trained on all tiles, so none can tell what its probabilities are worth; "
                "name its experiment, with --refit, so that the folds' models tell"
            )
        trials = gather(self.experiment).trials
        return _open(self.experiment, _finished(self.experiment, trials, self.refit_of))


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


def find_models(
    storage: Storage, model: str, *, count: int = 1, fold: int | None = None, refit: bool = False
) -> list[TrainedModel]:
    """Find what ``--model`` names.

    Args:
        storage: The folder that holds experiments.
        model: ``NAME`` (an experiment: its leader by val IoU), ``NAME/TRIAL``, or a path that ends in
            ``.safetensors``.
        count: How many contenders of an experiment, the best ones by val IoU, a training of each.
        fold: The fold whose model alone is meant, from 1; None for all of them.
        refit: Take what was trained on all tiles in place of the folds.

    Raises:
        ExperimentError: There is no such experiment, trial or file, or nothing in it has finished.
    """
    if refit and fold is not None:
        raise ExperimentError(f"--fold {fold}: --refit is one model that was trained on all folds; leave one out")
    return [replace(one, fold=fold) for one in _find(storage, model, count, refit=refit)]


def _find(storage: Storage, model: str, count: int, *, refit: bool) -> list[TrainedModel]:
    if model.endswith(WEIGHTS_ENDING):
        if refit:
            raise ExperimentError(f"--refit: {model} is a single weights file; name its experiment with --model")
        return [_file(Path(model), count)]
    name, _, trial = model.partition("/")
    experiment = Experiment.find(storage, name, "--model")
    gathered = gather(experiment)
    rows = _chosen(experiment, gathered, model, trial, count)
    return [_open(experiment, _on_all_tiles(experiment, gathered, row) if refit else row) for row in rows]


def _chosen(experiment: Experiment, gathered: Gathered, model: str, trial: str, count: int) -> list[TrialResult]:
    """Return the trials that ``--model`` names."""
    name, trials = experiment.name, gathered.trials
    if trial:
        if count > 1:
            raise ExperimentError(f"--model {model}: is one trial; --ensemble takes an experiment, --model {name}")
        return [_finished(experiment, [*trials, *gathered.refits], trial)]
    ranked = _ranking(trials)
    if not ranked:
        fix = resume_command(experiment, experiment.description)
        raise ExperimentError(f"--model {name}: no finished attempt in it; resume it with {fix}")
    if len(ranked) < count:
        raise ExperimentError(f"--ensemble {count}: {name} has {len(ranked)} contenders that finished")
    return ranked[:count]


def _on_all_tiles(experiment: Experiment, gathered: Gathered, row: TrialResult) -> TrialResult:
    """Return the training on all tiles that followed from a trial of folds."""
    if row.role == "refit":
        return row
    found = next((one for one in gathered.refits if one.attempt == refit_attempt(row.attempt)), None)
    if found is not None and found.finished:
        return found
    description = experiment.description
    if not row.folds:
        raise ExperimentError(f"--refit: {experiment.name} {WITHOUT_FOLDS}; leave it out")
    if any(one.contender == row.contender and one.finished for one in gathered.refits):
        raise ExperimentError(
            f"--refit: {row.attempt} was not trained on all tiles, since another training of {row.contender} is better "
            f"by val IoU; name the experiment alone, --model {experiment.name}"
        )
    flags = [] if found is not None and not description["ended"] else ["--refit"]
    fix = experiment.command(description["phase"], *trusting(description), *flags, "--resume")
    raise ExperimentError(f"--refit: {row.attempt} has not been trained on all tiles; do so with {fix}")


def _file(path: Path, count: int) -> TrainedModel:
    if count > 1:
        raise ExperimentError(f"--model {path}: is one model; --ensemble takes an experiment")
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
        refit_of=row.attempt.removesuffix(refit_attempt("")) if row.role == "refit" else "",
        name=f"{experiment.name}/{row.attempt}",
        weights_file=read_best_weights(experiment, row.attempt),
        origin=experiment.path(f"{row.attempt}/{BEST_FILE}"),
        title=row.title,
        val_iou=row.val_iou,
        experiment=experiment,
    )
