"""Stops a sweep: at its limits, when it is asked to, and when its storage is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray import tune

from sweep.planning.limits import Limits


class SweepStopper(tune.Stopper):  # type: ignore[misc]
    """Ends the sweep; trials that were running can be resumed from their last epoch.

    Args:
        limits: The limits.
        devices_per_trial: GPUs, or CPU cores, that a trial holds.
        asked: Whether the sweep was asked to stop.
        lost: Says why the experiment cannot be written any more; empty while it can.

    Attributes:
        limit: The flag whose limit was reached; empty for none.
        fault: What is wrong with the storage; empty where nothing is.
    """

    def __init__(
        self,
        limits: Limits,
        devices_per_trial: float,
        asked: Callable[[], bool] = lambda: False,
        lost: Callable[[], str] = lambda: "",
    ) -> None:
        self._limits = limits
        self._devices = devices_per_trial
        self._asked = asked
        self._lost = lost
        self._started = time.monotonic()
        self._used_seconds = 0.0
        self.limit = ""
        self.fault = ""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune keeps a copy of everything it runs; a resume does not need it

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Count an epoch's cost; no trial is stopped on its own."""
        self.fault = self.fault or result.get("halted", "")
        if not result.get("replayed"):
            seconds = result.get("seconds", 0.0) + result.get("final_seconds", 0.0)
            self._used_seconds += seconds * self._devices
        return False

    def stop_all(self) -> bool:
        """Whether the sweep ends here."""
        limits = self._limits
        self.fault = self.fault or self._lost()
        if limits.seconds is not None and time.monotonic() - self._started >= limits.seconds:
            self.limit = "--time"
        elif limits.device_hours is not None and self._used_seconds >= limits.device_hours * 3600:
            self.limit = "--budget"
        return bool(self.limit or self.fault or self._asked())
