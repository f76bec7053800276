"""``--refit``: when all folds have been trained, each contender once more on all tiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median_low
from typing import Any

from sweep.planning.policy import Decision
from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.records.trial_result import TrialResult
from sweep.records.trials import TrialPlan, TrialRecords, read_reports, refit_attempt
from sweep.records.weights_file import read_best_weights
from sweep.records.winners import has_collapsed, winners
from sweep.search.groups import Outcome, TrialGroup
from trainables.checkpoints import read_best_bytes


class RefitTrials(TrialGroup):
    """Trainings on all tiles, planned when every other group is done: only then is it known who has won.

    Args:
        experiment: Whose.
        records: What has been done.
        others: All other groups.
    """

    def __init__(self, experiment: Experiment, records: TrialRecords, others: Sequence[TrialGroup]) -> None:
        self._experiment = experiment
        self._records = records
        self._others = others
        self._waiting: list[TrialPlan] | None = None
        self._running = 0

    def next(self) -> TrialPlan | None:
        """Hand out the next training."""
        if self._waiting is None and all(group.done for group in self._others):
            self._waiting = self._plan()
        if not self._waiting:
            return None
        self.launches += 1
        self._running += 1
        return self._waiting.pop(0)

    def _plan(self) -> list[TrialPlan]:
        self._records.write_waiting()
        chosen = refitted(gather(self._experiment).trials)
        plans = [refit_of(self._records.plan(row.attempt), self._experiment) for row in chosen]
        self._records.add(*plans)
        return [plan for plan in plans if self._records.state(plan.attempt) != "finished"]

    @property
    def done(self) -> bool:
        """Whether every training has ended."""
        return self._waiting == [] and not self._running

    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> Decision:
        """Let the training continue: it has no score."""
        return Decision.CONTINUE

    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        """Count the training as ended."""
        self._running -= 1


def refitted(trials: Iterable[TrialResult]) -> list[TrialResult]:
    """Return the trials whose recipes are trained on all tiles: each contender's best, of those on the most tiles.

    It is the training that ``--model`` names: the best one by val IoU where a contender has several seeds.
    """
    won = [row for trainings in winners(trials).values() for row in trainings]
    most = max((row.tiles for row in won), default=0)
    best: dict[str, TrialResult] = {}
    for row in won:
        known = best.get(row.contender)
        if row.tiles == most and (known is None or _merit(row) > _merit(known)):
            best[row.contender] = row
    return list(best.values())


def _merit(row: TrialResult) -> tuple[bool, float]:
    return not has_collapsed([row]), row.final_iou


def refit_of(plan: TrialPlan, experiment: Experiment) -> TrialPlan:
    """Return the training on all tiles that follows from a finished trial of folds.

    It runs for the lower median of the folds' best epochs, each at the learning rate that the folds had in it.

    Raises:
        ExperimentError: The trial's weights or reports are damaged.
    """
    best = read_best_bytes(read_best_weights(experiment, plan.attempt), experiment.path(plan.attempt))
    epochs = median_low(best.fold_epochs or (best.epoch,))
    rates = tuple(float(report["learning_rate"]) for report in read_reports(experiment, plan.attempt)[:epochs])
    return replace(
        plan, attempt=refit_attempt(plan.attempt), role="refit", folds=(), tiles=(), draw=0, candidate="", rates=rates
    )
