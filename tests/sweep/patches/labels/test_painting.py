"""Areas are painted window by window, to the same pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.transform import from_origin

from sweep.patches.labels.areas import GroundAreas, GroundPlace, paint_areas
from sweep.patches.labels.footprints import Footprints
from sweep.patches.labels.names import LabelNames
from sweep.patches.labels.vector_files import VectorChoices
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from tests.sweep.patches.test_footprints import EAST, METRES, NORTH, ROOF, at, inside


@pytest.mark.parametrize("turn", [0.0, 33.0])
def test_a_part_is_painted_as_it_is_in_the_whole(turn: float) -> None:
    random = np.random.default_rng(7)
    side = 300
    transform = Affine.translation(EAST, NORTH) @ Affine.rotation(turn) @ Affine.scale(METRES, -METRES)
    corners = random.integers(-20, 2 * side, (400, 3, 2)) / 2  # many of them in the middle of pixels
    shapes = shapely.polygons(corners)
    shapes = shapes[shapely.is_valid(shapes)]
    forward = (transform.a, transform.b, transform.d, transform.e, transform.c, transform.f)
    placed = [shapely.affinity.affine_transform(shape, forward) for shape in shapes]
    values = (np.arange(len(shapes)) % 5 + 1).astype(np.uint8)
    areas = GroundAreas(Path("f.gpkg"), geopandas.GeoDataFrame(geometry=placed, crs="EPSG:32614"), values)
    place = GroundPlace(crs="EPSG:32614", transform=transform, whole=Area.whole((side, side)))
    whole = areas.paint(place, place.whole)
    assert np.array_equal(whole, paint_areas(shapes, values, place.whole))
    for _ in range(40):
        top, left = random.integers(0, side - 64, 2).tolist()
        part = Area(top=top, left=left, height=64, width=64)
        assert np.array_equal(areas.paint(place, part), whole[part.rows, part.columns])


def test_of_a_huge_raster_the_window_alone_is_painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.tif"
    form = {"driver": "GTiff", "height": 40_000, "width": 40_000, "count": 3, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", crs="EPSG:32614", transform=from_origin(EAST, NORTH, METRES, METRES), **form):
        pass
    roof = shapely.box(30_008, 20_008, 30_040, 20_040)
    geopandas.GeoDataFrame(geometry=[at(0, roof)], crs="EPSG:32614").to_file(tmp_path / "f.gpkg")
    source = SourceRaster(name="huge", image=path, mask=tmp_path / "f.gpkg")
    labels = Footprints(source.mask, {"huge": source}, LabelNames(), VectorChoices())
    sizes: list[int] = []
    made = np.zeros

    def zeros(shape: tuple[int, ...], *rest: Any) -> NDArray[Any]:
        sizes.append(int(np.prod(shape)))
        return made(shape, *rest)

    monkeypatch.setattr("sweep.patches.labels.areas.np.zeros", zeros)
    part = labels.rasterise(source, (40_000, 40_000), Area(top=20_000, left=30_000, height=64, width=64))
    assert np.array_equal(part, inside(ROOF).astype(np.uint8))
    assert sizes and max(sizes) <= 64 * 64
