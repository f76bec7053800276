"""Which trained models are better than the probe on their own encoder."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.results.contenders import Contender, SplitScores
from sweep.results.floor import floor_lines, over_probes
from sweep.results.layout import Layout
from tests.rows import row_of

TILES = ("a", "b", "c", "d", "e", "f")
NOISE = np.array([0.02, -0.01, 0.03, 0.0, -0.02, 0.01])


def _contender(name: str, architecture: str, *scores: np.ndarray, layout: Layout | None = None) -> Contender:
    iou = np.array(scores)
    val = SplitScores(tiles=TILES, iou=iou, f1=None, layout=layout or Layout.apart(6))
    row = row_of(name, architecture=architecture, contender=name, val_iou=float(iou.mean()), title=name.upper())
    return Contender(row=row, trainings=(), val=val, test=None)


def _three(layout: Layout | None = None) -> list[Contender]:
    floor = np.full(6, 0.5)
    return [
        _contender("good", "smp_unet_resnet34", floor + 0.1 + NOISE, layout=layout),
        _contender("poor", "smp_deeplabv3plus_resnet34", floor + 0.001 + NOISE, layout=layout),
        _contender("scratch", "unet", floor + 0.2, layout=layout),
        _contender("worse-probe", "probe:density/smp_unet_resnet34", floor - 0.3, layout=layout),
        _contender("probe", "probe:ridge/resnet34_unet", floor, layout=layout),
    ]


def test_each_is_compared_with_the_best_probe_of_its_own_encoder_by_tile() -> None:
    good, poor = over_probes(_three())
    assert (good.contender, good.probe, poor.contender) == ("good", "PROBE", "poor")
    half = 2.5706 * NOISE.std(ddof=1) / np.sqrt(6)  # Student's t of 5 degrees of freedom
    assert good.difference.mean == pytest.approx(0.1 + NOISE.mean())
    assert good.difference.low == pytest.approx(0.1 + NOISE.mean() - half, abs=1e-3)
    assert good.better and not poor.better


def test_what_is_said_names_those_that_are_not_better() -> None:
    better, others = floor_lines(over_probes(_three()))
    assert better.startswith("1 of 2 trained models is better than the probe on its own encoder") and "GOOD" in better
    assert others.startswith("Not better by more than chance: POOR (+0.0") and "GOOD" not in others
    assert floor_lines(over_probes(_three()[:3])) == []


def test_a_single_scene_says_nothing() -> None:
    found = over_probes(_three(Layout.of(["s"] * 6, [None] * 6, other_scenes=2)))
    assert not any(one.better for one in found)
    assert "a single scene cannot say" in floor_lines(found)[-1]


def test_several_trainings_widen_the_interval() -> None:
    floor = np.full(6, 0.5)
    both = [
        _contender("unsure", "smp_unet_resnet34", floor + 0.3 + NOISE, floor - 0.1 + NOISE),
        _contender("probe", "probe:smp_unet_resnet34", floor, floor),
    ]
    (found,) = over_probes(both)
    assert found.difference.mean == pytest.approx(0.1 + NOISE.mean()) and not found.better
    (line,) = floor_lines([found])
    assert line.startswith("UNSURE (+0.1") and "is not better than the probe on its own encoder" in line
