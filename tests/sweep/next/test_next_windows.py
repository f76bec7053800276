"""Windows of rasters: where they are, what they are called, and that what is read is what is there."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.next.windows import (
    CandidateWindow,
    Unlabelled,
    called_apart,
    cut_grid,
    find_unlabelled,
    read_windows,
)
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif

RASTER = Unlabelled(path="a.tif", name="a", folder="")


def meet(one: CandidateWindow, other: CandidateWindow) -> bool:
    down = min(one.rows[1], other.rows[1]) > max(one.rows[0], other.rows[0])
    return down and min(one.columns[1], other.columns[1]) > max(one.columns[0], other.columns[0])


@given(height=st.integers(64, 700), width=st.integers(64, 700), size=st.sampled_from([64, 96, 256]))
def test_windows_are_in_the_raster_and_share_no_pixel(height: int, width: int, size: int) -> None:
    windows = cut_grid(RASTER, 0, height, width, size)
    assert windows and len({one.name for one in windows}) == len(windows)
    for one in windows:
        assert one.top >= 0 and one.left >= 0 and one.rows[1] <= height and one.columns[1] <= width
        assert one.height % 32 == one.width % 32 == 0 and min(one.height, one.width) >= 64
    assert not any(meet(one, other) for one, other in combinations(windows, 2))
    assert len(windows) == max(1, height // size) * max(1, width // size)


def test_a_raster_that_is_too_small_gives_no_window() -> None:
    assert cut_grid(RASTER, 0, 63, 500, 64) == []


def test_one_window_is_called_as_its_raster_and_several_by_row_and_column() -> None:
    assert [one.name for one in cut_grid(RASTER, 0, 100, 100, 64)] == ["a"]
    assert [one.name for one in cut_grid(RASTER, 0, 64, 128, 64)] == ["a_r0_c0", "a_r0_c1"]


def test_rasters_of_one_name_are_called_after_their_folders_and_folders_of_images_are_none(tmp_path: Path) -> None:
    for folder in ("north/images", "south/images"):
        for name in ("p1", "p2"):
            write_tif(tmp_path / folder / f"{name}.tif", np.zeros((64, 64, 3), np.uint8))
    found = find_unlabelled([f"{tmp_path}/*/images/*.tif"], tmp_path / "out")
    assert [(one.name, one.folder) for one in found] == [
        ("north_p1", "north"),
        ("north_p2", "north"),
        ("south_p1", "south"),
        ("south_p2", "south"),
    ]


def test_a_tile_is_called_like_none_of_the_dataset() -> None:
    rasters = [Unlabelled(path=f"{name}.tif", name=name, folder="") for name in ("a", "a_2", "b", "c")]
    found = called_apart(rasters, {"a", "b_r0_c3", "d"})
    assert [one.name for one in found] == ["a_3", "a_2", "b_2", "c"]


@pytest.mark.parametrize("size", [64, 96])
def test_a_window_read_alone_or_with_its_neighbours_has_the_raster_s_pixels(tmp_path: Path, size: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (150, 400, 3), dtype=np.uint8)
    path = write_tif(tmp_path / "a.tif", image)
    windows = cut_grid(RASTER, 0, 150, 400, size)
    some = [windows[number] for number in (0, 1, len(windows) - 1)]
    with open_raster(str(path)) as raster:
        found = dict(read_windows(raster, some))
    assert list(found) == some
    for one, pixels in found.items():
        own = image[one.top : one.rows[1], one.left : one.columns[1]]
        assert np.array_equal(np.moveaxis(pixels.image, 0, 2), own) and pixels.valid.all()
