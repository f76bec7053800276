"""What values say of nodata is what GDAL's masks say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from sweep.rasters.nodata import by_nodata
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif


@pytest.mark.parametrize(
    ("kind", "nodata"),
    [("uint8", 0), ("uint8", 255), ("int16", -9999), ("uint16", 0), ("int32", -1), ("float32", 0), ("float32", np.nan)],
)
def test_values_tell_what_gdal_s_masks_tell(kind: str, nodata: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 3, (40, 50, 3)).astype(kind)
    image[rng.random((40, 50)) < 0.3] = nodata
    image[rng.random((40, 50)) < 0.3, 1] = nodata
    path = write_tif(tmp_path / "a.tif", image, nodata=nodata)
    with rasterio.open(path) as file:
        masks = (file.read_masks() > 0).any(axis=0)
        found = by_nodata(file.read(), file, (1, 2, 3), file.mask_flag_enums)
        assert (found is None) == (kind == "float32")
        assert found is None or np.array_equal(found, masks)
    with open_raster(str(path), scale=((0, 3),)) as raster:
        masks &= np.isfinite(image).all(axis=2)  # what is no number is nothing in any band
        assert np.array_equal(raster.values((0, 40), (0, 50))[1], masks)


def test_what_does_not_decide_alone_is_left_to_gdal(tmp_path: Path) -> None:
    image = np.ones((8, 8, 3), np.uint8)
    with rasterio.open(write_tif(tmp_path / "plain.tif", image)) as file:
        assert by_nodata(file.read(), file, (1, 2, 3), file.mask_flag_enums) is None
    with rasterio.open(
        write_tif(tmp_path / "alpha.tif", np.ones((8, 8, 4), np.uint8), photometric="rgb", alpha="yes")
    ) as file:
        assert by_nodata(file.read([1, 2, 3]), file, (1, 2, 3), file.mask_flag_enums) is None
