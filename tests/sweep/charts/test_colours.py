"""Series are told apart in light and dark, also by who sees no red or no green."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from sweep.charts.forest import ForestGroup, MeanLine, forest
from sweep.charts.picture import style_sheet
from sweep.charts.svg import SERIES

SIGHTS = {
    "usual": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
"""Machado, Oliveira and Fernandes (2009), at full severity, on linear RGB."""
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
LEAST = 11.0
"""Distance in CIE Lab; 2.3 can just be seen side by side."""

LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#\w{6});", part))
    for part in style_sheet().split("@media (prefers-color-scheme: dark)")[:2]
)


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = np.cbrt(np.clip(XYZ @ np.clip(rgb, 0.0, 1.0) / (0.9505, 1.0, 1.089), 0.008856, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_any_two_series_differ_for_every_kind_of_sight(colours: dict[str, str], sight: str) -> None:
    seen = {number: lab(SIGHTS[sight] @ linear(colours[f"c{number}"])) for number in range(SERIES)}
    close = [(one, other) for one, other in combinations(seen, 2) if np.linalg.norm(seen[one] - seen[other]) < LEAST]
    assert not close


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_series_can_be_seen_on_page_and_panel(colours: dict[str, str]) -> None:
    for number in range(SERIES):
        assert min(contrast(colours[f"c{number}"], colours[ground]) for ground in ("ground", "panel")) >= 3.0


def test_a_forest_says_every_number_aloud_and_keeps_within_its_frame() -> None:
    val = MeanLine(name="val", mean=0.5, low=0.4, high=0.6)
    groups = [
        ForestGroup(name="A " * 80, number=0, architecture="a", lines=[val]),
        ForestGroup(name="B", number=9, lines=[MeanLine(name="test", mean=0.3, look="ringed")]),
    ]
    drawn = forest(label="IoU.", axis="IoU", groups=groups)
    assert "val 0.500 (0.400 to 0.600)" in drawn and "B: test 0.300." in drawn
    assert drawn.count('class="line"') == 1 and drawn.count('class="hollow"') == 1 == drawn.count('class="mark"')
    assert drawn.count('class="mark core"') == 1, "a ring with a core, unlike an outline alone"
    assert '<g class="s0" data-architecture="a">' in drawn and '<g class="s1">' in drawn
    height = int(re.search(r'height="(\d+)"', drawn)[1])  # type: ignore[index]
    assert all(float(y) < height for y in re.findall(r"y=\"([\d.]+)\"", drawn))


def test_a_long_name_in_a_forest_is_there_to_its_end() -> None:
    long = (
        "DeepLabV3+, ConvNeXt V2 Base pretrained on ImageNet-22k at 384 pixels, with unlabelled images, five folds, end"
    )
    drawn = forest(
        label="", axis="IoU", groups=[ForestGroup(name=long, number=0, lines=[MeanLine(name="val", mean=1)])]
    )
    lines = re.findall(r'class="name halo"[^>]*>([^<]*)<', drawn)
    assert " ".join(lines) == long and len(lines) == 3
