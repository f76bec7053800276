"""Stops a sweep at its limits."""

from __future__ import annotations

import time
from typing import Any

from ray import tune

from sweep.engine.limits import Limits


class LimitStopper(tune.Stopper):  # type: ignore[misc]
    """Ends the sweep at its limits; trials that were running can be resumed from their last epoch.

    Args:
        limits: The limits.
        devices_per_trial: GPUs, or CPU cores, that a trial holds.
    """

    def __init__(self, limits: Limits, devices_per_trial: float) -> None:
        self._limits = limits
        self._devices = devices_per_trial
        self._started = time.monotonic()
        self._used_seconds = 0.0
        self.reached = ""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Count an epoch's cost; no trial is stopped on its own."""
        if not result.get("replayed"):
            seconds = result.get("seconds", 0.0) + result.get("final_seconds", 0.0)
            self._used_seconds += seconds * self._devices
        return False

    def stop_all(self) -> bool:
        """Whether a limit is reached."""
        limits = self._limits
        if limits.seconds is not None and time.monotonic() - self._started >= limits.seconds:
            self.reached = "--time"
        elif limits.device_hours is not None and self._used_seconds >= limits.device_hours * 3600:
            self.reached = "--budget"
        return bool(self.reached)
