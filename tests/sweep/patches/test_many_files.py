"""Thousands of files are planned without work that grows with more than their number."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweep.patches.rasters import reader
from sweep.patches.rasters.reader import open_raster
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
