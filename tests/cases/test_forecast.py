"""A forecast is made from enough budgets, holds the truth, and calls labelling more worth it only where it is."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast import CURVES, judged, study
from sweep.results.scaling import fit

BUDGETS = (5, 8, 12, 18, 24)
STUDIES = 6
SEEN = [name for name in CURVES if name != "stops at 24 tiles exactly"]


def test_three_budgets_say_what_was_measured_and_forecast_nothing() -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        scaling = fit("U-Net", study(rng, CURVES["saturated (logistic)"], (5, 12, 24), 3, 24))
        assert scaling.gain is None and scaling.worth is None
        assert "No forecast is made: it needs 4 budgets, there are 3; give --tiles 5,8,12,17,24" in scaling.sentence
        assert "From 12 to 24 tiles, val IoU changed by +0." in scaling.sentence


def test_simulated_studies_are_judged_rightly() -> None:
    """At small size; ``python -m benchmarks.forecast`` has the figures of docs/maintainers/statistics.md."""
    records = {name: judged(name, BUDGETS, 3, 6, STUDIES) for name in SEEN}
    assert np.mean([one.wrong for one in records.values()]) <= 0.05
    assert np.mean([one.held for one in records.values() if one.shown]) >= 0.9
    assert records["saturated (logistic)"].wrong == 0 and records["plateau from 12 tiles"].wrong == 0
    assert records["plateau from 12 tiles"].shown == 1.0


def test_a_plateau_may_gain_nothing() -> None:
    record = judged("plateau from 12 tiles", BUDGETS, 3, 24, 5)
    for one in record.found:
        assert one.gain is not None and one.gain.low == pytest.approx(0.0, abs=1e-3)
        assert one.gain.high is not None and one.gain.high < 0.05
