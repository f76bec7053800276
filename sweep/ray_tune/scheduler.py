"""ASHA that only ever compares trials of one group: Ray's own scheduler, one instance a group."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from sweep.planning.halving import Halving, best_so_far
from sweep.planning.run import Curves


class GroupedASHA(FIFOScheduler):  # type: ignore[misc]
    """Asynchronous successive halving with separate rungs for each group of trials.

    One bracket over several architectures stops whatever learns slowly at first: SAM decoders peak at epoch 18,
    a U-Net from scratch at 36. A trial's group is ``config["trial"]["group"]``; a trial with
    ``config["trial"]["protected"]`` is compared with, and never stopped.

    Args:
        halving: Grace period, reduction factor and maximum.
        curves: Group to what its rungs start with: trials of before a resume, or an earlier experiment's.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning".
    """

    def __init__(self, halving: Halving, curves: Mapping[str, Curves] | None = None) -> None:
        super().__init__()
        self._halving = halving
        self._groups: dict[str, AsyncHyperBandScheduler] = {}
        for group, known in (curves or {}).items():
            for attempt, curve in known.items():
                for epoch, best in best_so_far(curve).items():
                    self._judge(group, attempt, {"epoch": epoch, "best_val_iou": best})

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a resume starts from the studies' curves

    def _judge(self, group: str, attempt: str, result: Mapping[str, Any]) -> str:
        """Put a result into the group's rungs, under the attempt's name: Tune's own ids do not outlive a resume."""
        if group not in self._groups:
            self._groups[group] = AsyncHyperBandScheduler(
                time_attr="epoch",
                metric="best_val_iou",  # of the epoch whose weights would be used
                mode="max",
                max_t=self._halving.max_epochs,
                grace_period=self._halving.grace_epochs,
                reduction_factor=self._halving.reduction_factor,
                stop_last_trials=False,  # a training ends itself: at its last epoch or by patience
            )
        asha = self._groups[group]
        named = SimpleNamespace(trial_id=attempt)
        asha.on_trial_add(None, named)
        decision: str = asha.on_trial_result(None, named, dict(result))
        return decision

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Let the trial's group decide whether it goes on."""
        if "halted" in result:
            return str(TrialScheduler.CONTINUE)  # no epoch, but a storage that is lost: the sweep ends here
        settings = trial.config["trial"]
        decision = self._judge(settings["group"], settings["attempt"], result)
        assert decision in (TrialScheduler.CONTINUE, TrialScheduler.STOP)
        return TrialScheduler.CONTINUE if settings["protected"] else decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Record a trial's last result in its group."""
        if "epoch" in result:
            settings = trial.config["trial"]
            self._judge(settings["group"], settings["attempt"], result)

    def debug_string(self) -> str:
        """Describe every group's rungs."""
        return "\n".join(f"{name}: {group.debug_string()}" for name, group in self._groups.items())
