"""Feeds Ray Tune with the groups' trials, in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from sweep.planning.policy import Decision
from sweep.records.trials import TrialPlan
from sweep.search.groups import Outcome, TrialGroup


class RoundRobin(Searcher):  # type: ignore[misc]
    """Hands out the trials of all groups, the group that has had the fewest first, so that none starves.

    Args:
        groups: Name to group.
        config: Turns a trial into Tune's config.
        room: How many trials fit side by side at this moment; a cluster grows and shrinks.
    """

    def __init__(
        self, groups: Mapping[str, TrialGroup], config: Callable[[TrialPlan], dict[str, Any]], room: Callable[[], int]
    ) -> None:
        super().__init__()
        self._groups = dict(groups)
        self._config = config
        self._room = room
        self._live: dict[str, tuple[TrialGroup, str]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a resume does not need it

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial's config, ``FINISHED``, or None when one has to end first."""
        if self._live and len(self._live) >= self._room():
            return None
        for group in sorted(self._groups.values(), key=lambda one: one.launches):
            if trial := group.next():
                self._live[trial_id] = (group, trial.attempt)
                return self._config(trial)
        return Searcher.FINISHED if self.done else None

    @property
    def done(self) -> bool:
        """Whether every group has come to its end."""
        return all(group.done for group in self._groups.values())

    def decide(self, trial_id: str, result: Mapping[str, Any]) -> Decision:
        """Let the trial's group decide what becomes of it after an epoch that is not its last one."""
        if "halted" in result:
            return Decision.CONTINUE  # no epoch, but a storage that is lost: the sweep ends here
        group, attempt = self._live[trial_id]
        return group.on_epoch(attempt, result["epoch"], result["val_iou"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on how a trial ended. Tune does not come here with the trials that an interrupt breaks off."""
        group, attempt = self._live.pop(trial_id)
        report = result or {}
        group.on_end(attempt, "failed" if error else outcome_of(report), report)

    def save(self, checkpoint_path: str) -> None:
        """Write nothing: the studies and the record are on disk already."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""


def attempt_of(trial: Trial) -> str:
    """Return the name of the trial that a Tune trial runs."""
    return str(trial.config["trial"]["attempt"])


def outcome_of(report: Mapping[str, Any]) -> Outcome:
    """Say how a trial ended from its last report."""
    if report.get("failure"):
        return "failed"
    if report.get("finished"):
        return "finished"
    return "paused" if report.get("paused") else "stopped"
