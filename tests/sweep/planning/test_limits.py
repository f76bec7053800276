"""Time and budget: what may be written, and when a sweep ends."""

from __future__ import annotations

import pytest

from sweep.planning.limits import Limits
from sweep.ray_tune.stopper import SweepStopper
from trainables.errors import ExperimentError


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28800), ("90min", 5400), ("90m", 5400), ("30s", 30), ("0.5h", 1800), ("2d", 172800)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert Limits.parse(text, None) == Limits(seconds=seconds)


@pytest.mark.parametrize(("text", "hours", "device"), [("12gpu-hours", 12, "gpu"), ("0.5cpu-hour", 0.5, "cpu")])
def test_budgets_are_read(text: str, hours: float, device: str) -> None:
    limits = Limits.parse(None, text)
    assert (limits.device_hours, limits.device) == (hours, device)


@pytest.mark.parametrize("text", ["8", "h", "-1h", "0h", "8 parsecs", "", "1e3h", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ExperimentError, match="--time"):
        Limits.parse(text, None)


@pytest.mark.parametrize("text", ["12", "12h", "0gpu-hours", "tpu-hours", "12 tpu-hours"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ExperimentError, match="--budget"):
        Limits.parse(None, text)


def test_a_budget_counts_what_was_trained_and_not_what_was_reported_again() -> None:
    stopper = SweepStopper(Limits(device_hours=1.0), devices_per_trial=0.5)
    for replayed in (True, False):
        stopper("t", {"seconds": 7000.0, "replayed": replayed})
    assert not stopper.stop_all(), "7,000 s of half a GPU are less than an hour"
    assert not stopper("t", {"seconds": 100.0, "final_seconds": 200.0, "replayed": False})
    assert stopper.stop_all() and stopper.limit == "--budget"


def test_no_limit_is_never_reached_and_time_passes() -> None:
    assert not SweepStopper(Limits(), 1).stop_all()
    stopper = SweepStopper(Limits(seconds=0.0), 1)
    assert stopper.stop_all() and stopper.limit == "--time"
