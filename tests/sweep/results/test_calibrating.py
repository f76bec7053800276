"""What a calibration brings is measured on tiles that it was not fitted to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sweep.records.calibrations import (
    CALIBRATIONS_FILE,
    calibration_text,
    check_calibration,
    keep_calibration,
    read_calibrations,
    threshold_text,
)
from sweep.results.calibrating import OUT_OF_FOLD, fit_calibration
from sweep.results.layout import Layout
from tests.cases.experiments import write_experiment
from tests.trainables.test_temperature import honest
from trainables.documents import DamagedError
from trainables.temperature import TileSample

NAMES = [f"t{number}" for number in range(6)]


def samples(channels: int = 1, heat: float = 3.0) -> list[TileSample]:
    """Six tiles whose logits are too large by a factor."""
    return [TileSample.of(heat * logits, truth) for logits, truth in (honest(channels, seed) for seed in range(6))]


@pytest.mark.parametrize("channels", [1, 3])
def test_overconfident_models_get_their_temperature_and_a_smaller_error(channels: int) -> None:
    layout = Layout.of(NAMES, [0, 0, 1, 1, 2, 2])
    found = fit_calibration(NAMES, samples(channels), layout, out_of_fold=True)
    assert found["temperature"] == pytest.approx(3, rel=0.03)
    before, after, change = found["before"], found["after"], found["change"]
    assert after["value"] < 0.1 * before["value"] and found["measured"] == OUT_OF_FOLD
    assert before["low"] is not None and before["low"] <= before["value"] <= before["high"]
    assert change["value"] == pytest.approx(after["value"] - before["value"]) and change["high"] < 0
    assert (found["threshold"] is None) == (channels > 1) == ("iou" not in found)
    assert check_calibration(json.loads(json.dumps(found))) == found
    assert calibration_text(found).startswith(f"temperature {found['temperature']:.3g}; error 0.")
    assert calibration_text(found).endswith("6 tiles out of fold")


def test_what_it_brings_is_of_tiles_that_it_was_not_fitted_to() -> None:
    tiles = samples(heat=1.0)
    # The tiles of the second scene are three times as sure as they may be, and the first scene does not know of it.
    tiles = [*tiles[:3], *samples(heat=3.0)[3:]]
    found = fit_calibration(NAMES, tiles, Layout.of(["a"] * 3 + ["b"] * 3), out_of_fold=False)
    alone = fit_calibration(NAMES[3:], tiles[3:], Layout.apart(3), out_of_fold=False)
    assert 1 < found["temperature"] < 3
    assert calibration_text(found).endswith("; that is worse, so it does not suit this model")
    # By the other scene's temperature: the first scene's is then wrong by three, the second one's is left as it was.
    assert found["after"]["value"] > found["before"]["value"] > alone["after"]["value"]


def test_a_threshold_is_taken_only_if_it_is_better_on_other_tiles() -> None:
    rng = np.random.default_rng(0)
    shifted = []
    for number in range(6):
        logits, truth = honest(1, number)
        shifted.append(TileSample.of(logits - 2, truth))  # foreground is missed at 0.5
    found = fit_calibration(NAMES, shifted, Layout.apart(6), out_of_fold=False)
    assert found["threshold"] is not None and found["threshold"] < 0.4
    assert found["iou"] > found["iou_at_half"]
    assert threshold_text(found).startswith(f"{found['threshold']:.3g}: IoU {found['iou_at_half']:.4f} at 0.5")
    noise = [
        TileSample.of(logits, rng.integers(0, 2, truth.shape).astype(np.uint8))
        for logits, truth in (honest(1, number, side=12) for number in range(40))
    ]
    luck = fit_calibration([str(number) for number in range(40)], noise, Layout.apart(40), out_of_fold=False)
    assert luck["threshold"] == 0.5 or luck["iou"] > luck["iou_at_half"]


def test_one_tile_says_what_it_is_and_not_what_it_brings() -> None:
    found = fit_calibration(NAMES[:1], samples()[:1], Layout.apart(1), out_of_fold=False)
    assert "after" not in found and found["before"]["low"] is None and found["threshold"] == 0.5
    assert "afterwards not known" in calibration_text(found) and "cannot be fitted to one scene" in threshold_text(
        found
    )


def test_calibrations_are_remembered_and_damaged_ones_are_made_again(tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path, "e")
    found = fit_calibration(NAMES, samples(), Layout.apart(6), out_of_fold=False)
    keep_calibration(experiment, "a", found)
    keep_calibration(experiment, "b", {**found, "temperature": 2.0})
    assert read_calibrations(experiment) == {"a": found, "b": {**found, "temperature": 2.0}}
    for damage in (b"{", b'{"format": 2, "calibrations": {}}', b'{"format": 1, "calibrations": {"a": 1}}'):
        experiment.write(CALIBRATIONS_FILE, damage)
        assert read_calibrations(experiment) == {}
    assert read_calibrations(None) == {}


@pytest.mark.parametrize("field, value", [("temperature", 0), ("threshold", 1), ("tiles", []), ("temperature", "NaN")])
def test_a_calibration_that_is_none_is_refused(field: str, value: object) -> None:
    found = fit_calibration(NAMES[:1], samples()[:1], Layout.apart(1), out_of_fold=False)
    with pytest.raises(DamagedError):
        check_calibration({**found, field: value})
