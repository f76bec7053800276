"""Black at a raster's edge that nobody has tagged as nothing is measured; black inside, or tagged, is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from sweep.rasters import collars
from sweep.rasters.collars import collar_share
from tests.rasters import write_tif

SIDE = 300


def turned() -> NDArray[np.uint8]:
    """A scene that is turned in its frame: black in the four corners."""
    image = np.random.default_rng(0).integers(1, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    image[abs(x) + abs(y) > 0.75 * SIDE] = 0
    return image


def share(path: Path) -> float:
    with rasterio.open(path) as dataset:
        return collar_share(dataset, (1, 2, 3))


def test_the_share_is_that_of_black_pixels_up_to_the_edge(tmp_path: Path) -> None:
    image = turned()
    expected = (image == 0).all(axis=2).mean()
    image[140:170, 140:170] = 0  # a black roof in the middle
    image[0:20, 140:160, 0] = 0  # no red at the edge
    assert expected > 0.1 and share(write_tif(tmp_path / "a.tif", image)) == pytest.approx(expected)


def test_a_large_raster_is_measured_in_a_smaller_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = turned()
    monkeypatch.setattr(collars, "SEEN", 100)
    assert share(write_tif(tmp_path / "a.tif", image)) == pytest.approx((image == 0).all(axis=2).mean(), abs=0.01)


def test_what_is_tagged_or_inside_or_tiny_is_no_collar(tmp_path: Path) -> None:
    image = turned()
    assert share(write_tif(tmp_path / "a.tif", image, nodata=0)) == 0
    inside = np.maximum(image, 1)
    inside[100:200, 100:200] = 0
    assert share(write_tif(tmp_path / "b.tif", inside)) == 0
    tiny = np.maximum(image, 1)
    tiny[:5, :5] = 0
    assert share(write_tif(tmp_path / "c.tif", tiny)) == 0


def test_a_damaged_raster_has_none(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", turned(), compress="deflate")
    path.write_bytes(path.read_bytes()[:5000])
    assert share(path) == 0
