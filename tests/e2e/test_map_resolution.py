"""Maps of rasters whose pixels are not those of the training data, by the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from tests.e2e.maps import HERE, Predict, scene
from tests.rasters import write_tif
from tests.shared_sweeps import SharedSweep
from trainables.checkpoints import dump_best, load_best
from trainables.errors import TilesweepError


def test_a_raster_of_another_resolution_is_warned_about_with_both_numbers(
    scored: SharedSweep, predict: Predict, tmp_path: Path
) -> None:
    storage = tmp_path / "results"
    shutil.copytree(scored.storage, storage)
    description = storage / "phase1-smoke" / "sweep.json"
    content = json.loads(description.read_text())
    content["data"]["sheet"] = {"metres per pixel": "0.3"}
    description.write_text(json.dumps(content))
    near = write_tif(tmp_path / "in" / "near.tif", scene(64, 64))
    far = write_tif(tmp_path / "in" / "far.tif", scene(64, 64), transform=HERE @ Affine.scale(2))
    said = predict(near, far, "--out", tmp_path / "out", storage=storage)
    assert "far.tif: 0.6 m per pixel, but the model was trained at 0.3 m" in said and "near.tif: 0.3" not in said
    flat = write_tif(tmp_path / "in" / "flat.tif", scene(64, 64), transform=HERE @ Affine.scale(0.17 / 0.3, 1.1))
    said = predict(flat, "--out", tmp_path / "out", storage=storage)
    assert "flat.tif: 0.17 x 0.33 m per pixel, but the model was trained at 0.3 m" in said
    assert "1.8 times larger here: --resample model brings it to the model's" in said
    assert "m per pixel" not in predict(flat, "--out", tmp_path / "more", "--resample", "model", storage=storage)
    with rasterio.open(tmp_path / "more" / "flat_mask.tif") as mask:
        assert mask.res == pytest.approx((0.3, 0.3)) and mask.shape == (71, 37)
    assert json.loads((tmp_path / "more" / "predictions.json").read_text())["settings"]["resample"] == 0.3


def test_a_model_that_is_a_file_knows_its_resolution(
    scored: SharedSweep, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = scored.storage / "phase1-smoke" / "unet" / "best.safetensors"
    far = write_tif(tmp_path / "in" / "far.tif", scene(64, 64), transform=HERE @ Affine.scale(2))
    with pytest.raises(TilesweepError, match=r"--resample model: nobody has said .*: --resample 0\.3"):
        predict(far, "--out", tmp_path / "a", "--resample", "model", model=str(best))
    model, described = load_best(best)
    placed = tmp_path / "placed.safetensors"
    placed.write_bytes(dump_best(model.portable_state_dict(), replace(described, metres_per_pixel=0.3)))
    assert "0.6 m per pixel, but the model was trained at 0.3 m" in predict(
        far, "--out", tmp_path / "b", model=str(placed)
    )
    predict(far, "--out", tmp_path / "c", "--resample", "model", model=str(placed))
    with rasterio.open(tmp_path / "c" / "far_mask.tif") as mask:
        assert mask.shape == (128, 128)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("a.tif", "--resample", "fine"), "--resample fine: must be metres per pixel, such as 0.3, or model"),
        (("a.tif", "--resample", "-1"), "--resample -1: must be metres per pixel"),
        (("a.tif", "--resample", "0.0001"), "more than 32 times larger"),
        (("plain.tif", "--resample", "0.3"), "nobody knows how large its pixels are; leave --resample out"),
    ],
)
def test_what_cannot_be_resampled_is_refused(
    predict: Predict, tmp_path: Path, words: tuple[str, ...], refusal: str
) -> None:
    write_tif(tmp_path / "a.tif", scene(64, 64))
    write_tif(tmp_path / "plain.tif", scene(64, 64), crs=None, transform=Affine.identity())
    with pytest.raises(TilesweepError, match=refusal):
        predict(tmp_path / words[0], *words[1:], "--out", tmp_path / "out")


def test_a_resampled_mosaic_is_the_resampled_whole_in_its_clip(predict: Predict, tmp_path: Path) -> None:
    """All that changes how pixels are seen, at once."""
    image = scene(200, 300)
    whole = write_tif(tmp_path / "w" / "mosaic.tif", image, transform=HERE)
    for left in (0, 100, 200):
        place = HERE @ Affine.translation(left, 0)
        write_tif(tmp_path / "in" / f"{left}.tif", image[:, left : left + 100], transform=place)
    corners = [HERE @ one for one in ((50, 30), (250, 30), (250, 170), (50, 170))]
    geopandas.GeoDataFrame(geometry=[shapely.Polygon(corners)], crs="EPSG:32633").to_file(tmp_path / "a.gpkg")
    flags = ("--resample", 0.45, "--clip", tmp_path / "a.gpkg", "--probability", "--polygons", "gpkg")
    predict(whole, "--out", tmp_path / "o1", *flags)
    predict(tmp_path / "in", "--mosaic", "--out", tmp_path / "o2", *flags)
    found = []
    for out in ("o1", "o2"):
        with rasterio.open(tmp_path / out / "mosaic_probability.tif") as file:
            assert file.shape == (134, 200)
            found.append((file.read(1).tolist(), file.transform, file.crs))
    assert found[0] == found[1]
    assert (np.array(found[0][0]) != 255).mean() == pytest.approx(140 * 200 / (200 * 300), abs=0.02)
