"""What a calibration brings is measured on tiles that it was not fitted to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

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
from trainables.temperature import TileSample, best_threshold, raw_threshold

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
    assert found["temperature"] == 1 and 1 < found["not_applied"] < 3
    # By the other scene's temperature: the first scene's is then wrong by three, the second one's is left as it was.
    assert found["after"]["value"] > found["before"]["value"] > alone["after"]["value"]
    assert found["loss_after"] > found["loss_before"] and alone["loss_after"] < alone["loss_before"]
    text = calibration_text(found)
    assert text.startswith(
        f"probabilities are kept as they are: temperature {found['not_applied']:.3g} makes them worse"
    )
    assert f"log loss {found['loss_before']:.4f} -> {found['loss_after']:.4f}, 6 tiles on val" in text
    assert "not_applied" not in alone and alone["temperature"] == pytest.approx(3, rel=0.05)


def test_a_smaller_error_does_not_excuse_a_larger_loss() -> None:
    """An expected calibration error has the means of bins alone: tiles that are wrong in opposite ways make up for each
    other.

    By hand: one scene's logits are 4 and should be 3.2 (right at 0.961), the other's are 1 and should be 0.2 (0.550).
    Each is divided by what suits the other: 4 / 5 and 1 / 1.25, both 0.8, a probability of 0.690 where 0.755 are right.
    """
    tiles = []
    for logit, share in ((4.0, 0.9608), (1.0, 0.5498)) * 2:
        truth = np.arange(10_000).reshape(100, 100) < share * 10_000
        tiles.append(TileSample.of(torch.full((1, 100, 100), logit), truth.astype(np.uint8)))
    found = fit_calibration(NAMES[:4], tiles, Layout.of(["a", "b"] * 2), out_of_fold=False)
    assert found["before"]["value"] == pytest.approx((0.982 - 0.961 + 0.731 - 0.550) / 2, abs=2e-3)
    assert found["after"]["value"] == pytest.approx(0.755 - 0.690, abs=2e-3) and found["change"]["value"] < 0
    assert (found["loss_before"], found["loss_after"]) == (
        pytest.approx(0.468, abs=2e-3),
        pytest.approx(0.567, abs=2e-3),
    )
    assert found["temperature"] == 1 and found["not_applied"] > 1


def test_a_threshold_is_one_of_the_probabilities_that_are_written() -> None:
    """Where a temperature is not applied, a better threshold is, by the probabilities as they are."""
    shifted = []
    for number in range(6):
        logits, truth = honest(1, number)
        heat = 1 if number < 3 else 3  # the second scene is too sure
        shifted.append(TileSample.of(heat * (logits - 0.5), truth))  # and foreground is missed at 0.5
    found = fit_calibration(NAMES, shifted, Layout.of(["a"] * 3 + ["b"] * 3), out_of_fold=False)
    assert found["temperature"] == 1 and found["not_applied"] > 2
    assert found["iou"] > found["iou_at_half"] and found["threshold"] == best_threshold(shifted)


def test_a_file_of_an_earlier_version_is_not_applied_where_it_says_that_it_is_worse() -> None:
    found = fit_calibration(NAMES, samples(), Layout.apart(6), out_of_fold=False)
    older = {name: value for name, value in found.items() if not name.startswith("loss")}
    assert check_calibration(older) == older
    worse = {**older, "change": {"value": 0.02, "low": None, "high": None}, "threshold": 0.4, "temperature": 2.0}
    kept = check_calibration(worse)
    assert (kept["temperature"], kept["not_applied"]) == (1, 2)
    assert kept["threshold"] == pytest.approx(raw_threshold(0.4, 2.0)) and kept["threshold"] < 0.4
    assert calibration_text(kept).startswith("probabilities are kept as they are: temperature 2 makes them worse")


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
    for damage in (b"{", b'{"format": 3, "calibrations": {}}', b'{"format": 2, "calibrations": {"a": 1}}'):
        experiment.write(CALIBRATIONS_FILE, damage)
        assert read_calibrations(experiment) == {}
    assert read_calibrations(None) == {}


@pytest.mark.parametrize("field, value", [("temperature", 0), ("threshold", 1), ("tiles", []), ("temperature", "NaN")])
def test_a_calibration_that_is_none_is_refused(field: str, value: object) -> None:
    found = fit_calibration(NAMES[:1], samples()[:1], Layout.apart(1), out_of_fold=False)
    with pytest.raises(DamagedError):
        check_calibration({**found, field: value})
