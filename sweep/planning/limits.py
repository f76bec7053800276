"""How long a sweep may run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from trainables.errors import ExperimentError

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(gpu|cpu)-hours?")


def read_time(text: str, flag: str) -> float:
    """Read ``8h``, ``90min`` or ``30s``; returns seconds.

    Raises:
        ExperimentError: Something else, or no time at all.
    """
    match = _TIME.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise ExperimentError(f"{flag} {text!r}: give a time such as 8h, 90min or 30s")
    return float(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a sweep may run.

    Attributes:
        seconds: Wall-clock time of this run; None is no limit.
        device_hours: GPU-hours or CPU-core-hours of training in this run; None is no limit.
        device: What the hours are counted in.
    """

    seconds: float | None = None
    device_hours: float | None = None
    device: Literal["gpu", "cpu"] = "gpu"

    @classmethod
    def parse(cls, time_text: str | None, budget_text: str | None) -> Limits:
        """Read ``8h``, ``90min``, ``12gpu-hours``, ``0.5cpu-hours``.

        Raises:
            ExperimentError: Something else, or nothing left of it.
        """
        seconds = hours = None
        device: Literal["gpu", "cpu"] = "gpu"
        if time_text is not None:
            seconds = read_time(time_text, "--time")
        if budget_text is not None:
            match = _BUDGET.fullmatch(budget_text.strip())
            if not match or not float(match[1]):
                raise ExperimentError(f"--budget {budget_text!r}: give a budget such as 12gpu-hours or 4cpu-hours")
            hours = float(match[1])
            device = "gpu" if match[2] == "gpu" else "cpu"
        return cls(seconds=seconds, device_hours=hours, device=device)
