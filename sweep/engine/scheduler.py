"""ASHA that only ever compares trials of one group: Ray's own scheduler, one instance a group."""

from __future__ import annotations

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler


class GroupedASHA(FIFOScheduler):  # type: ignore[misc]
    """Asynchronous successive halving with separate rungs for each group of trials.

    One bracket over several architectures stops whatever learns slowly at first: SAM decoders peak at epoch 18,
    a U-Net from scratch at 36. A trial's group is ``config["trial"]["group"]``; a trial alone in its group is
    never stopped.

    Args:
        max_epochs: Epochs of a full training, at least ``grace_epochs``.
        grace_epochs: Epochs before a trial can be stopped, at least 1.
        reduction_factor: One in this many trials survives a rung, above 1.
        metric: Name of the reported value that is maximised.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning".
    """

    def __init__(
        self, *, max_epochs: int, grace_epochs: int = 1, reduction_factor: float = 3, metric: str = "val_iou"
    ) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {
            "time_attr": "training_iteration",
            "metric": metric,
            "mode": "max",
            "max_t": max_epochs,
            "grace_period": min(grace_epochs, max_epochs),
            "reduction_factor": reduction_factor,
            "stop_last_trials": False,  # a training ends itself: at its last epoch or by patience
        }
        self._groups: dict[str, AsyncHyperBandScheduler] = {}

    def _group(self, trial: Trial) -> AsyncHyperBandScheduler:
        name = trial.config["trial"]["group"]
        if name not in self._groups:
            self._groups[name] = AsyncHyperBandScheduler(**self._settings)
        return self._groups[name]

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept the metric that the groups already maximise."""
        return metric in (None, self._settings["metric"]) and mode in (None, "max")

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Put a new trial in its group's bracket."""
        self._group(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Let the trial's group decide whether it goes on."""
        decision: str = self._group(trial).on_trial_result(tune_controller, trial, result)
        assert decision in (TrialScheduler.CONTINUE, TrialScheduler.STOP)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Record a finished trial's last result in its group."""
        self._group(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Forget a trial that was terminated before it finished."""
        self._group(trial).on_trial_remove(tune_controller, trial)

    def debug_string(self) -> str:
        """Describe every group's rungs."""
        return "\n".join(f"{name}: {group.debug_string()}" for name, group in self._groups.items())
