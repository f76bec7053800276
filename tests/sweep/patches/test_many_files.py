"""Thousands of files are planned without work that grows with more than their number."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep.patches.layouts.opening import open_sources
from sweep.patches.options import Make
from sweep.patches.rasters import reader
from sweep.patches.rasters.reader import forget_headers, open_raster
from sweep.patches.tiling.plan import plan_tiles
from sweep.rasters import opening, raster
from sweep.rasters.files import open_dataset
from sweep.rasters.gdal import gdal
from trainables.data import folds
from trainables.data.folds import divide_shares


def test_a_header_is_read_once_until_its_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((70, 80), np.uint8)).save(path)
    first = open_raster(path)
    with monkeypatch.context() as patched:
        patched.setattr(reader, "open_shared", lambda *_, **__: pytest.fail("opened again"))
        assert open_raster(path) is first
    Image.fromarray(np.zeros((90, 100, 3), np.uint8)).save(path)
    assert (open_raster(path).shape, open_raster(path).bands) == ((90, 100), 3)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("flags", [{}, {"bands": "all"}])
def test_each_image_and_each_mask_is_opened_once_to_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, flags: dict[str, str]
) -> None:
    random, names = np.random.default_rng(0), [f"{number}{ending}" for number in range(12)]
    for folder in ("images", "masks"):
        (tmp_path / "in" / folder).mkdir(parents=True)
    for name in names:
        Image.fromarray(random.integers(0, 256, (96, 96, 3), np.uint8)).save(tmp_path / "in" / "images" / name)
        Image.fromarray(random.integers(0, 2, (96, 96), np.uint8) * 255).save(tmp_path / "in" / "masks" / name)
    options = Make(src=tmp_path / "in", dst=tmp_path / "out", **flags)  # type: ignore[arg-type]
    forget_headers()
    found = open_sources(options)
    opened: list[str] = []

    def counted(path: str, **settings: Any) -> Any:
        opened.append(str(Path(path).relative_to(tmp_path / "in")))
        return open_dataset(path, **settings)

    for module in (opening, raster):
        monkeypatch.setattr(module, "open_dataset", counted)
    plan = plan_tiles(found, options, {})
    assert len(plan.tiles) == len(names)
    assert sorted(opened) == sorted(f"{folder}/{name}" for folder in ("images", "masks") for name in names)


def test_a_file_that_is_opened_while_gdal_is_quiet_changes_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("rasterio")
    before = logger.level
    with gdal():
        assert logger.level == logging.CRITICAL
        with monkeypatch.context() as patched:
            patched.setattr(logger, "setLevel", lambda _: pytest.fail("a level was set again"))
            with gdal():
                assert logger.level == logging.CRITICAL
    assert logger.level == before


def test_thousands_of_scenes_are_dealt_out_in_fewer_orders_and_still_balanced(monkeypatch: pytest.MonkeyPatch) -> None:
    dealt: list[int] = []
    deal = folds._deal

    def counted(shares: np.ndarray, *arguments: np.ndarray) -> tuple[float, np.ndarray]:
        dealt.append(len(shares))
        return deal(shares, *arguments)

    monkeypatch.setattr(folds, "_deal", counted)
    count = 10_000
    parts = divide_shares(np.full((count, 1), 1 / count), [0.7, 0.15, 0.15], [0])
    assert sum(dealt) <= 100_000
    assert np.bincount(parts).tolist() == [7000, 1500, 1500]
    dealt.clear()
    divide_shares(np.full((20, 1), 1 / 20), [0.5, 0.5], [0])
    assert len(dealt) == 200
