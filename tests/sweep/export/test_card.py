"""What stands beside an exported file: a card for people, and a STAC item for catalogues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweep.export.card import card_path, model_card
from sweep.export.stac import stac_item, stac_path
from sweep.results.statistics import Interval
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.sweep.export.test_export import metadata_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """A model, and its file."""
    folder = tmp_path_factory.mktemp("card")
    write_best(folder / "best.safetensors", write_dataset(folder / "patches", size=96), "unet")
    assert export(folder, folder / "m.onnx").returncode == 0
    return folder


def export(folder: Path, out: Path, *flags: str) -> Any:
    words = ("--model", folder / "best.safetensors", "--patches", folder / "patches", "--out", out)
    return run_here("export", *words, *flags)


def test_a_card_says_what_for_how_good_from_what_and_what_not(folder: Path) -> None:
    about = metadata_of(folder / "m.onnx")
    text = card_path(folder / "m.onnx").read_text()
    low, high = about["val"]["iou_interval"]
    assert low < about["val"]["iou"] < high
    for part in (
        "# best.safetensors",
        "Classes: background, foreground.",
        "- Input `image`: uint8, multiples of 32 pixels",
        "- Threshold: 0.5. Temperature: 1.",
        f"| {about['val']['iou']:.3f} | {low:.3f} to {high:.3f} | on the val split, 2 tiles |",
        f"- Expected calibration error on the same tiles: {about['val']['expected_calibration_error']:.4f}.",
        "- Dataset patches: 3 train tiles, 2 val tiles, RGB",
        f"- Fingerprint: `{about['data']['fingerprint']}`.",
        "- Licence of the weights: none: from scratch, no foreign weights. Of the data: not stated.",
        "- The size of a pixel is not stated.",
        "- 2 tiles say little: the interval is a rough one.",
        "- The val tiles also chose the epoch",
        "- The probabilities are not calibrated.",
    ):
        assert part in text, part
    assert "on test" not in text


def test_a_card_has_the_test_score_and_the_calibration_where_they_are_known(folder: Path) -> None:
    about = metadata_of(folder / "m.onnx")
    error = {"value": 0.1, "low": 0.05, "high": 0.2}
    about["calibration"] = {
        "temperature": 2.0,
        "threshold": 0.5,
        "measured": "out of fold",
        "tiles": ["a"],
        "pixels": 9,
        "before": error,
        "after": error,
    }
    about |= {"folds": 3, "refit": True, "name": "a|*b*"}
    about["data"]["sheet"] = {"metres per pixel": "0.3", "origin": "two\nlines"}
    text = model_card(about, folder / "m.onnx", Interval(mean=0.6, low=0.5, high=0.7))
    assert "| 0.600 | 0.500 to 0.700 | on test, by `sweep.score` |" in text
    assert "- Calibrated: temperature 2; error 0.1000 (0.0500 to 0.2000) -> 0.1000" in text
    assert "not calibrated" not in text and "also chose the epoch" not in text
    assert "- This model was trained on all tiles" in text and "- Pixels of 0.3 m; resample others." in text
    assert text.startswith("# a\\|\\*b\\*\n") and "- origin: two lines\n" in text


def test_the_item_is_stac_with_a_model(folder: Path) -> None:
    pystac = pytest.importorskip("pystac")
    schema = pytest.importorskip("stac_model.schema")
    path = stac_path(folder / "m.onnx")
    found = json.loads(path.read_text())
    core = {**found, "stac_extensions": []}  # their schemas are on the web; the core's are in pystac
    assert pystac.validation.validate_dict(core)
    item = pystac.Item.from_dict(found)
    model = schema.MLModelProperties(**{name: item.properties[name] for name in item.properties if name[:4] == "mlm:"})
    about = metadata_of(folder / "m.onnx")
    assert model.name == about["name"] and model.architecture == "unet" and model.tasks == {"semantic-segmentation"}
    (given,), (result,) = model.input, model.output
    assert given.input.shape == [-1, 3, -1, -1] and given.input.data_type == "uint8"
    assert list(given.bands) == about["input"]["bands"]
    assert result.result.shape == [-1, 1, -1, -1] and [one.name for one in result.classes] == about["classes"]
    asset = item.assets["model"]
    assert (path.parent / asset.href).resolve() == folder / "m.onnx" and "mlm:model" in asset.roles
    assert [band["name"] for band in item.properties["bands"]] == about["input"]["bands"]
    assert (path.parent / item.assets["card"].href).resolve() == card_path(folder / "m.onnx")
    schema.MLModelExtension.ext(item, add_if_missing=True)


def test_classes_are_in_the_item_with_their_colours(folder: Path) -> None:
    about = metadata_of(folder / "m.onnx")
    about |= {"classes": ["a", "b", "c"], "colours": [[0, 0, 0], [255, 0, 9], [1, 2, 3]]}
    item = stac_item(about, Path("x/m.pt2"), Path("x/m.pt2.md"))
    classes = item["properties"]["mlm:output"][0]["classification:classes"]
    assert [(one["value"], one["name"], one["color_hint"]) for one in classes] == [
        (0, "a", "000000"),
        (1, "b", "ff0009"),
        (2, "c", "010203"),
    ]
    assert item["assets"]["model"]["mlm:artifact_type"] == "torch.export.save"


def test_what_a_person_changed_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    assert export(folder, out).returncode == 0
    out.unlink()
    assert export(folder, out).returncode == 0  # they are as they were written
    out.unlink()
    card_path(out).write_text(card_path(out).read_text() + "my notes\n")
    assert_refused(export(folder, out), f"{card_path(out)}: exists already, not as tilesweep wrote it")
    assert not out.exists() and "my notes" in card_path(out).read_text()
    assert export(folder, out, "--overwrite").returncode == 0 and "my notes" not in card_path(out).read_text()
