"""The program that runs an exported file without tilesweep: what it reads, writes and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from sweep.cli.console import open_output
from sweep.export.command import ExportOptions
from sweep.export.command import main as export
from tests.commands import ROOT, environment
from tests.conftest import WriteDataset
from tests.models import write_best
from tilesweep.examples.use_exported import decide, main, open_model, predict
from trainables.data.tiles import TuningData


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """A dataset, a model of it in three files, and an image larger than a window."""
    folder = tmp_path_factory.mktemp("exported")
    patches = write_dataset(folder / "patches", size=96)
    model = write_best(folder / "best.safetensors", patches, "unet")
    for name, flags in (("free", {}), ("fixed", {"size": 64}), ("deepness", {"for_program": "deepness"})):
        export(ExportOptions(model=str(model), patches=patches, out=folder / f"{name}.onnx", **flags), open_output())  # type: ignore[arg-type]
    np.save(folder / "image.npy", np.tile(TuningData.read(patches).val[0].image, (2, 2, 1))[:150, :110])
    return folder


def masks(folder: Path) -> np.ndarray:
    session, about = open_model(folder / "free.onnx")
    return decide(predict(session, about, np.load(folder / "image.npy"), 64), about)


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_pictures_and_geotiffs_give_the_mask_of_the_array(folder: Path, tmp_path: Path) -> None:
    image, expected = np.load(folder / "image.npy"), masks(folder)
    assert 0.1 < expected.mean() < 0.9
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])).save(tmp_path / "alpha.png")
    place = {"crs": "EPSG:32637", "transform": Affine(0.5, 0, 5e5, 0, -0.5, 2.7e6)}
    profile = {"driver": "GTiff", "count": 3, "height": 150, "width": 110, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", **profile, **place) as raster:
        raster.write(image.transpose(2, 0, 1))
    for name in ("a.png", "alpha.png", "a.tif", folder / "image.npy"):
        assert run(folder / "free.onnx", tmp_path / name, tmp_path / "mask.npy") == 0
        assert np.array_equal(np.load(tmp_path / "mask.npy"), expected)
    run(folder / "free.onnx", tmp_path / "a.tif", tmp_path / "mask.tif")
    run(folder / "free.onnx", tmp_path / "a.tif", tmp_path / "mask.png")
    with rasterio.open(tmp_path / "mask.tif") as raster:
        assert np.array_equal(raster.read(1), expected)
        assert (raster.crs, raster.transform) == (rasterio.CRS.from_epsg(32637), place["transform"])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")), 255 * expected)


def test_it_runs_as_a_module_and_from_the_examples(folder: Path, tmp_path: Path) -> None:
    words = [str(word) for word in (folder / "free.onnx", folder / "image.npy")]
    for number, program in enumerate((["-m", "tilesweep.examples.use_exported"], [ROOT / "examples/use_exported.py"])):
        out = tmp_path / f"{number}.npy"
        done = subprocess.run(
            [sys.executable, *map(str, program), *words, str(out)],
            env=environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert np.array_equal(np.load(out), masks(folder))


def test_temperature_and_threshold_are_those_of_the_file(folder: Path) -> None:
    session, about = open_model(folder / "free.onnx")
    image = np.load(folder / "image.npy")
    warm = predict(session, {**about, "temperature": 2.0}, image, 64)
    np.testing.assert_allclose(2 * warm, predict(session, about, image, 64), rtol=1e-6)
    assert decide(warm, {**about, "threshold": 0.9}).sum() < decide(warm, about).sum()
    assert decide(np.array([[[0.1]], [[0.3]], [[0.2]]], np.float32), {**about, "threshold": None}).tolist() == [[1]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["free.onnx", "image.npy", "m.npy", "--window", 100],
            "--window 100: this model takes multiples of 32 from",
        ),
        (["free.onnx", "image.npy", "m.npy", "--window", 32], "--window 32: this model takes multiples of 32 from 64"),
        (["fixed.onnx", "image.npy", "m.npy", "--window", 128], "--window 128: this model takes windows of 64 pixels"),
        (["free.onnx", "grey.npy", "m.npy"], "grey.npy: is uint8 of 64 x 64; this model takes uint8 of height x width"),
        (["free.onnx", "four.npy", "m.npy"], "four.npy: is uint8 of 64 x 64 x 4"),
        (["free.onnx", "large.npy", "m.npy"], "large.npy: is uint16 of 64 x 64 x 3"),
        (["free.onnx", "empty.npy", "m.npy"], "empty.npy: is uint8 of 0 x 64 x 3"),
        (["free.onnx", "pickle.npy", "m.npy"], "pickle.npy: cannot be read as an image"),
        (["free.onnx", "text.png", "m.npy"], "text.png: cannot be read as an image"),
        (["free.onnx", "nothing.png", "m.npy"], "nothing.png: cannot be read as an image"),
        (["free.onnx", "image.npy", "m.jpg"], "m.jpg: end its name in .npy, .png or .tif"),
        (["free.onnx", "image.npy", "nowhere/m.npy"], "nowhere/m.npy: cannot be written"),
        (["image.npy", "image.npy", "m.npy"], "image.npy: is no ONNX file of tilesweep.export"),
        (["deepness.onnx", "image.npy", "m.npy"], "deepness.onnx: was exported for another program"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    words: list[object],
    said: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shapes = {"grey": (64, 64), "four": (64, 64, 4), "empty": (0, 64, 3)}
    for name, shape in shapes.items():
        np.save(f"{name}.npy", np.zeros(shape, np.uint8))
    np.save("large.npy", np.zeros((64, 64, 3), np.uint16))
    np.save("pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    Path("text.png").write_text("no picture")
    for path in folder.iterdir():
        if path.is_file():
            Path(path.name).symlink_to(path)
    with pytest.raises(SystemExit) as ended:
        run(*words)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.startswith(f"error: {said}") and error.count("\n") == 1
    assert not Path("m.npy").exists()
