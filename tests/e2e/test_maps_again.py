"""Polygons and masks of a finished map, by the command, without predicting it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import tyro

from sweep.cli.console import open_output
from sweep.predict.command import PredictOptions, main
from tests.e2e.maps import HERE, Predict, scene
from tests.rasters import write_tif
from trainables.errors import TilesweepError


def again(map_: Path, out: Path, *flags: object) -> list[str]:
    """Make polygons again by the command; returns the names of what is in ``out``."""
    words = ["--from", str(map_), "--out", str(out), *map(str, flags)]
    options = tyro.cli(PredictOptions, args=words, config=(tyro.conf.FlagCreatePairsOff,))
    assert main(options, open_output(options)) == 0
    return sorted(path.name for path in out.iterdir())


def test_polygons_and_thresholds_need_no_new_prediction(predict: Predict, tmp_path: Path) -> None:
    """What is made of a map afterwards is what the prediction itself would have made, and nothing is predicted."""
    raster = write_tif(tmp_path / "in" / "city.tif", scene(200, 300), transform=HERE)
    predict(raster, "--out", tmp_path / "map", "--probability")
    for number, flags in enumerate((("--min-area", 3), ("--threshold", 0.48), ("--simplify", 1, "--regularise"))):
        one, other = tmp_path / f"one{number}", tmp_path / f"other{number}"
        predict(raster, "--out", one, "--polygons", "gpkg", *flags)
        names = again(tmp_path / "map", other, "--polygons", "gpkg", *flags)
        masks = ["city_mask.qml", "city_mask.tif"] if "--threshold" in flags else []
        assert names == [*masks, "city_polygons.gpkg", "predictions.json"]
        for file in masks:
            assert (one / file).suffix != ".qml" or (one / file).read_bytes() == (other / file).read_bytes()
        both = [pyogrio.raw.read(folder / "city_polygons.gpkg") for folder in (one, other)]
        assert both[0][2].tolist() == both[1][2].tolist() and both[0][0]["crs"] == both[1][0]["crs"]
        for left, right in zip(both[0][3], both[1][3], strict=True):
            assert np.array_equal(left, right)
    masks = []
    for folder in ("one1", "other1"):
        with rasterio.open(tmp_path / folder / "city_mask.tif") as file:
            masks.append((file.read(1).tolist(), file.nodata, file.transform, file.is_tiled, file.overviews(1)))
    assert masks[0] == masks[1]
    before = (tmp_path / "other0" / "city_polygons.gpkg").stat().st_mtime_ns
    again(tmp_path / "map", tmp_path / "other0", "--polygons", "gpkg", "--min-area", 3)
    assert (tmp_path / "other0" / "city_polygons.gpkg").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("flags", "refusal"),
    [
        (("--tta",), "--tta: needs a new prediction; leave it out, or leave out --from"),
        (("--model", "x"), "--model: needs a new prediction"),
        (("--threshold", "0.4"), "has no probabilities of city.*predict it again with --probability"),
        ((), "say what to make of it: --polygons gpkg, or another --threshold"),
        (("--polygons", "gpkg", "--out", "MAP"), "is the map itself"),
        (("--polygons", "gpkg", "--from", "NOWHERE"), "holds no predictions.json; name the --out of an earlier"),
    ],
)
def test_what_a_map_does_not_hold_is_refused(
    predict: Predict, tmp_path: Path, flags: tuple[str, ...], refusal: str
) -> None:
    raster = write_tif(tmp_path / "in" / "city.tif", scene(100, 100), transform=HERE)
    predict(raster, "--out", tmp_path / "map")
    words = [str(tmp_path / "map") if one == "MAP" else one for one in flags]
    with pytest.raises(TilesweepError, match=refusal):
        again(tmp_path / "map", tmp_path / "other", *words)
    assert not (tmp_path / "other" / "city_polygons.gpkg").exists()
