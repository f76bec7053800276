"""What goes into a map, by the command: bands in files of their own, subdatasets, inputs that are wrong or change."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray

from sweep.predict.parts import Parts
from tests.commands import ROOT, Run, assert_refused, environment
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.rasters import write_tif

HERE = Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)


@pytest.fixture(scope="module")
def model(write_dataset: WriteDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a weights file of random weights."""
    folder = tmp_path_factory.mktemp("model")
    return write_best(folder / "best.safetensors", write_dataset(folder / "patches"), "unet")


def scene(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(1, 255, (height, width, 3), dtype=np.uint8)


def mask(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        found: NDArray[np.uint8] = file.read(1)
    return found


def tiles(folder: Path, image: NDArray[np.uint8], side: int) -> list[Path]:
    return [
        write_tif(
            folder / f"{top}_{left}.tif",
            image[top : top + side, left : left + side],
            transform=HERE @ Affine.translation(left, top),
        )
        for top in range(0, image.shape[0], side)
        for left in range(0, image.shape[1], side)
    ]


def test_bands_of_two_folders_are_one_mosaic(here: Run, model: Path, tmp_path: Path) -> None:
    image = scene(100, 200)
    for name, left in (("west.SAFE", 0), ("east.SAFE", 100)):
        for band, number in (("B04", 0), ("B03", 1), ("B02", 2)):
            part = image[:, left : left + 100, number : number + 1]
            write_tif(
                tmp_path / name / "R10m" / f"T_{band}_10m.tif", part, transform=HERE @ Affine.translation(left, 0)
            )
    places = (tmp_path / "west.SAFE", tmp_path / "east.SAFE")
    flags = ("--model", model, "--out", tmp_path / "out", "--band-files", "B04,B03,B02")
    assert here("predict", *places, "--mosaic", *flags).returncode == 0
    whole = write_tif(tmp_path / "whole.tif", image, transform=HERE)
    assert here("predict", whole, "--model", model, "--out", tmp_path / "whole").returncode == 0
    assert np.array_equal(mask(tmp_path / "out" / "mosaic_mask.tif"), mask(tmp_path / "whole" / "whole_mask.tif"))
    done = here("predict", *places, *flags)
    assert done.returncode == 0 and (tmp_path / "out" / "west_mask.tif").is_file(), "each by itself, under its name"
    assert_refused(here("predict", *places, *flags, "--bands", "1,2,3"), "--bands: numbers bands of a file")
    wrong = here("predict", places[0], "--model", model, "--out", tmp_path / "o", "--band-files", "B04,B08,B02")
    assert_refused(wrong, "--band-files B08: nothing of that name is in")


def test_a_subdataset_is_predicted_under_its_name_and_not_twice(here: Run, model: Path, tmp_path: Path) -> None:
    source, path = write_tif(tmp_path / "a.tif", scene(64, 64)), tmp_path / "city.gpkg"
    rasterio.shutil.copy(source, path, driver="GPKG")
    command = ("predict", f"GPKG:{path}:city", "--model", model, "--out", tmp_path / "out")
    assert "city-city: city-city_mask.tif" in here(*command).stdout
    assert "city-city: is there already" in here(*command).stdout
    assert here("predict", source, "--model", model, "--out", tmp_path / "plain").returncode == 0
    assert np.array_equal(mask(tmp_path / "out" / "city-city_mask.tif"), mask(tmp_path / "plain" / "a_mask.tif"))


def test_inputs_that_do_not_fit_are_refused_before_anything_is_predicted(
    here: Run, model: Path, tmp_path: Path
) -> None:
    image = scene(64, 128)
    tiles(tmp_path / "in", image, 64)
    flags = ("--model", model, "--out", tmp_path / "out")
    odd = write_tif(tmp_path / "odd.tif", image, transform=HERE @ Affine.scale(0.5))
    said = here("predict", tmp_path / "in", odd, "--mosaic", *flags)
    assert_refused(said, "odd.tif: is not on the grid of", "gdalwarp -t_srs EPSG:32633 -tr 0.3 0.3")
    names = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
        f"</SimpleSource>"
        for name in ("in/0_0.tif", "gone.tif")
    )
    bands = "".join(f'<VRTRasterBand dataType="Byte" band="{one}">{names}</VRTRasterBand>' for one in (1, 2, 3))
    (tmp_path / "city.vrt").write_text(f'<VRTDataset rasterXSize="64" rasterYSize="64">{bands}</VRTDataset>')
    assert_refused(here("predict", tmp_path / "city.vrt", *flags), "shows files that are not there", "gone.tif")
    (tmp_path / "in" / "broken.tif").write_text("no raster")
    said = here("predict", tmp_path / "in", "--mosaic", *flags)
    assert_refused(said, "broken.tif: is no raster that GDAL can open", "--skip-bad leaves it out")
    assert not list((tmp_path / "out").glob("*_mask.tif"))
    said = here("predict", tmp_path / "in", "--mosaic", *flags, "--skip-bad")
    assert said.returncode == 0 and "skipped" in said.stdout and "broken.tif: is no raster" in said.stdout


def test_a_changed_file_of_a_finished_mosaic_is_predicted_again(here: Run, model: Path, tmp_path: Path) -> None:
    image = scene(128, 128)
    paths = tiles(tmp_path / "in", image, 64)
    command = ("predict", tmp_path / "in", "--mosaic", "--model", model, "--out", tmp_path / "out")
    assert here(*command).returncode == 0
    assert "mosaic: is there already" in here(*command).stdout
    write_tif(paths[3], 255 - image[64:, 64:], transform=HERE @ Affine.translation(64, 64))
    assert "mosaic: mosaic_mask.tif" in here(*command).stdout
    image[64:, 64:] = 255 - image[64:, 64:]
    whole = write_tif(tmp_path / "w.tif", image, transform=HERE)
    assert here("predict", whole, "--model", model, "--out", tmp_path / "whole").returncode == 0
    assert np.array_equal(mask(tmp_path / "out" / "mosaic_mask.tif"), mask(tmp_path / "whole" / "w_mask.tif"))


def test_a_full_disk_in_mid_mosaic_is_one_line_and_the_same_command_resumes(
    here: Run, model: Path, tmp_path: Path
) -> None:
    """Parts fit, the map does not; what was predicted is kept."""
    tiles(tmp_path / "in", scene(512, 512), 128)
    words = [tmp_path / "in", "--mosaic", "--polygons", "gpkg", "--model", model, "--out", tmp_path / "out"]
    room = model.stat().st_size + 10_000
    done = subprocess.run(
        [sys.executable, "-m", "sweep.predict", *map(str, words)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert_refused(done, "cannot be written", "make room")
    assert all(line.startswith("error: ") for line in done.stderr.splitlines()), done.stderr
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / ".mosaic.parts").glob("row*.tif")}
    assert kept
    with pytest.MonkeyPatch.context() as patch:
        from sweep.predict import mapper

        patch.setattr(mapper, "predict_in_batches", None)  # whoever predicts now, fails
        assert here("predict", *words).returncode == 0
    assert mask(tmp_path / "out" / "mosaic_mask.tif").shape == (512, 512)


def test_a_disk_that_is_full_between_two_parts_loses_none_of_them(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Run
) -> None:
    """Each file is small enough, all together are too much: the third part finds no room."""
    tiles(tmp_path / "in", scene(256, 256), 128)
    words = ("predict", tmp_path / "in", "--mosaic", "--model", model, "--out", tmp_path / "out")
    parts = tmp_path / "out" / ".mosaic.parts"
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.parent == parts and path.suffix == ".tmp" and len(list(parts.glob("row*.tif"))) == 2:
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        done = here(*words)
    assert_refused(done, "cannot be written (No space left on device); make room", "the same command resumes")
    assert len(done.stderr.splitlines()) == 1
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("row*.tif")}
    assert len(kept) == 2 and not list(parts.glob("*.tmp")), "what was half written takes no room"
    with monkeypatch.context() as patch:
        seen = []
        patch.setattr(
            Parts, "add", lambda self, part, bad=(), add=Parts.add: (seen.append(part.row), add(self, part, bad))
        )
        assert here(*words).returncode == 0
    assert seen and min(seen) == 2
    whole = write_tif(tmp_path / "whole.tif", scene(256, 256), transform=HERE)
    assert here("predict", whole, "--model", model, "--out", tmp_path / "whole").returncode == 0
    assert np.array_equal(mask(tmp_path / "out" / "mosaic_mask.tif"), mask(tmp_path / "whole" / "whole_mask.tif"))
