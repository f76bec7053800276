"""The file of polygons: what is refused, a disk that is full, what an old file becomes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyogrio
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine

from sweep.predict.polygons import PolygonOptions, ground_under, write_polygons
from sweep.rasters import extra
from sweep.rasters.vectors import DRIVERS, Polygons, write_vectors
from tests.conftest import ROOT
from tests.sweep.predict.polygons import NORTH_UP, RECTANGLE, UTM, write_raster
from trainables.errors import ExperimentError, StorageError


def require_mappable(raster: Path, options: PolygonOptions) -> None:
    with rasterio.open(raster) as dataset:
        ground_under(dataset, raster, options)


def test_a_raster_without_a_place_is_refused(tmp_path: Path) -> None:
    options = PolygonOptions(path=tmp_path / "out.gpkg")
    lost = write_raster(tmp_path / "lost.tif", RECTANGLE, NORTH_UP, None)
    with pytest.raises(ExperimentError, match=r"lost\.tif: has no CRS.*rio edit-info --crs.*--polygons"):
        require_mappable(lost, options)
    with pytest.raises(ExperimentError, match=r"has no CRS"):
        write_polygons(lost, lost, options)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        loose = write_raster(tmp_path / "loose.tif", RECTANGLE, Affine.identity(), UTM)
    with pytest.raises(ExperimentError, match=r"loose\.tif: has no transform.*--transform"):
        require_mappable(loose, options)
    local = write_raster(tmp_path / "local.tif", RECTANGLE, NORTH_UP, 'LOCAL_CS["site",UNIT["metre",1]]')
    require_mappable(local, options)
    with pytest.raises(ExperimentError, match=r"local\.tif does not relate to the earth; --polygons gpkg"):
        require_mappable(local, PolygonOptions(path=tmp_path / "out.geojson"))
    assert not options.path.exists()


def test_pixels_off_the_projection_are_one_line(tmp_path: Path) -> None:
    far = write_raster(tmp_path / "far.tif", RECTANGLE, Affine(1e6, 0, 5e5, 0, -1e6, 5e6), UTM)
    with pytest.raises(ExperimentError, match=r"far\.tif: some of its pixels are where its CRS is not defined"):
        write_polygons(far, far, PolygonOptions(path=tmp_path / "out.gpkg"))
    assert {path.name for path in tmp_path.iterdir()} == {"far.tif"}


def test_an_error_on_the_way_comes_through_and_leaves_nothing(tmp_path: Path) -> None:
    """Such as Ctrl-C, which reaches Python between two batches."""

    def batches() -> Iterator[Polygons]:
        square = np.array([shapely.box(0, 0, 1, 1)])
        yield Polygons(first_id=1, geometries=square, areas_m2=np.ones(1), mean_probabilities=np.ones(1))
        raise KeyboardInterrupt

    for ending in DRIVERS:
        with pytest.raises(KeyboardInterrupt):
            write_vectors(batches(), tmp_path / f"out{ending}", crs=pyproj.CRS(UTM).to_wkt())
    assert not list(tmp_path.iterdir())


def test_bad_options_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"--polygons out\.shp: unknown format; end it in \.gpkg or \.geojson"):
        PolygonOptions(path=Path("out.shp"))
    for field, flag in (("min_area_m2", "min-area"), ("simplify_m", "simplify")):
        for value in (-1.0, math.nan, math.inf):
            with pytest.raises(ExperimentError, match=f"--{flag} {value:g}: must be"):
                PolygonOptions(path=Path("out.gpkg"), **{field: value})
    options = PolygonOptions(path=tmp_path / "out.gpkg")
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(ExperimentError, match=r"text\.tif: cannot be read"):
        write_polygons(tmp_path / "text.tif", tmp_path / "text.tif", options)
    mask = write_raster(tmp_path / "mask.tif", RECTANGLE, NORTH_UP, UTM)
    other = write_raster(tmp_path / "other.tif", RECTANGLE[1:], NORTH_UP, UTM)
    with pytest.raises(ExperimentError, match=r"other\.tif: is on another grid than .*mask\.tif"):
        write_polygons(mask, other, options)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    extra.require_geo()
    monkeypatch.setattr(extra, "PACKAGES", ("rasterio", "a_package_that_is_not_there"))
    with pytest.raises(ExperimentError, match=r"a_package_that_is_not_there; .*pip install 'tilesweep\[geo\]'"):
        extra.require_geo()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sweep.predict.polygons import PolygonOptions, write_polygons
from trainables.errors import StorageError
options = PolygonOptions(path=Path(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    write_polygons(Path(sys.argv[1]), Path(sys.argv[1]), options)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("ending", [".gpkg", ".geojson"])
@pytest.mark.parametrize("room", [10_000, 150_000, -1])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path, ending: str, room: int) -> None:
    """A limit on the size of files stands for the disk; -1 is a byte less than what is needed."""
    mask = (np.random.default_rng(0).random((128, 128)) < 0.5).astype(np.uint8)
    raster = write_raster(tmp_path / "mask.tif", mask, NORTH_UP, UTM)
    out = tmp_path / f"out{ending}"
    if room < 0:
        write_polygons(raster, raster, PolygonOptions(path=out))
        room += out.stat().st_size
    out.write_text("old")
    command = [sys.executable, "-c", FULL_DISK, raster, out, str(room)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert f"--polygons {out}: cannot be written" in line and "make room" in line
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"mask.tif", out.name}


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    raster = write_raster(tmp_path / "mask.tif", RECTANGLE, NORTH_UP, UTM)
    with pytest.raises(StorageError, match=r"--polygons .*file/out\.gpkg: cannot be written"):
        write_polygons(raster, raster, PolygonOptions(path=tmp_path / "file" / "out.gpkg"))


def test_an_old_file_is_replaced_and_missing_folders_are_made(tmp_path: Path) -> None:
    raster = write_raster(tmp_path / "mask.tif", RECTANGLE, NORTH_UP, UTM)
    options = PolygonOptions(path=tmp_path / "new" / "out.gpkg")
    for _ in range(2):
        write_polygons(raster, raster, options)
        assert pyogrio.read_info(options.path)["features"] == 1
    assert [path.name for path in options.path.parent.iterdir()] == ["out.gpkg"]


MEASURE = r"""
import re, sys
from pathlib import Path
from sweep.predict.polygons import PolygonOptions, write_polygons
summary = write_polygons(Path(sys.argv[1]), Path(sys.argv[1]), PolygonOptions(path=Path(sys.argv[2])))
most = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())  # ru_maxrss starts from the parent's
print(summary.number, most[1])
"""


@pytest.mark.slow
def test_400_million_pixels_with_100_000_polygons_fit_into_a_gibibyte(tmp_path: Path) -> None:
    side, step = 20_000, 62
    raster = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "crs": UTM, "transform": NORTH_UP}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with (
        rasterio.Env(GDAL_CACHEMAX=2**26),
        rasterio.open(raster, "w", width=side, height=side, **profile, **tiles) as to,
    ):
        columns = (np.arange(side) % step < 40) & (np.arange(side) < 322 * step)
        for top in range(0, side, 512):
            rows = np.arange(top, min(top + 512, side))
            block = ((rows % step < 30) & (rows < 322 * step))[:, None] & columns
            to.write(block.astype(np.uint8), 1, window=((top, top + len(rows)), (0, side)))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, raster, tmp_path / "out.gpkg"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    number, kibibytes = map(int, done.stdout.split())
    assert number == 322**2 and kibibytes < 2**20
