"""Multi-class datasets through the command: cutting, checking, showing, describing, road scenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image

from sweep.patches.checks.tiles import checked
from sweep.patches.look.description import holm, look_at, standardised_difference
from sweep.patches.look.overview import draw_overview
from sweep.patches.rasters.area import Area
from sweep.patches.synthetic import ROAD_CLASSES
from sweep.patches.tiling.placing import choose_window
from tests.conftest import SHARED
from tests.sweep.patches.test_patches import _refused, _run, _split_file
from trainables.class_balance import inverse_frequency
from trainables.data.manifest import Manifest
from trainables.data.tiles import Tile, TileFiles, TuningData, scan_split
from trainables.task import Task

LAND, ROAD, WATER = (132, 41, 246), (110, 193, 228), (226, 169, 41)
LEGEND: dict[str, Any] = {
    "kind": "multiclass",
    "classes": ["land", "road", "water"],
    "colours": [LAND, ROAD, WATER],
    "remap": {"155,155,155": "ignore", "7": "ignore"},
}
DUBAI: dict[str, Any] = {
    "kind": "multiclass",
    "classes": ["land", "building", "road", "vegetation", "water"],
    "colours": [[132, 41, 246], [60, 16, 152], [110, 193, 228], [254, 221, 58], [226, 169, 41]],
    "remap": {"155,155,155": "ignore", "0,0,0": "ignore"},
}


def _task_file(path: Path, values: object = LEGEND) -> Path:
    path.write_text(json.dumps(values))
    return path


def _indices() -> np.ndarray:
    """Draw land with a road and water in it, and a few pixels of 7, which nobody labelled."""
    mask = np.zeros((96, 96), np.uint8)
    mask[40:56] = 1
    mask[60:, 60:] = 2
    mask[:4, :4] = 7
    return mask


def _coded(coding: str) -> Image.Image | np.ndarray:
    indices = _indices()
    palette = np.zeros((256, 3), np.uint8)
    palette[[0, 1, 2, 7]] = [LAND, ROAD, WATER, (155, 155, 155)]
    if coding == "indices":
        return Image.fromarray(indices)
    if coding == "palette":
        picture = Image.fromarray(indices, "P")
        picture.putpalette(palette.ravel().tolist())
        return picture
    return Image.fromarray(palette[indices])


def _sources(folder: Path, coding: str = "colours") -> Path:
    for number, name in enumerate("abc"):
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{name}.png")
        if coding == "palette-tiff":
            colours = np.zeros((3, 256), np.uint16)
            colours[:, [0, 1, 2, 7]] = 257 * np.array([LAND, ROAD, WATER, (155, 155, 155)], np.uint16).T
            tifffile.imwrite(folder / "masks" / f"{name}.tif", _indices(), photometric="palette", colormap=colours)
        else:
            _coded(coding).save(folder / "masks" / f"{name}.png")
    return folder


def _make(tmp_path: Path, *, coding: str = "colours", task: object = LEGEND) -> tuple[object, ...]:
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    source = _sources(tmp_path / "data", coding)
    arguments = ("make", "--src", source, "--dst", tmp_path / "out", "--split", split, "--size", "96")
    return (*arguments, "--task", _task_file(tmp_path / "task.json", task))


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A sound dataset of three classes."""
    assert _run(*_make(tmp_path)) == 0
    return tmp_path / "out"


@pytest.mark.parametrize("coding", ["indices", "palette", "colours", "palette-tiff"])
def test_every_coding_of_masks_becomes_the_same_indices(coding: str, tmp_path: Path) -> None:
    assert _run(*_make(tmp_path, coding=coding)) == 0
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None
    assert manifest.task == Task(
        kind="multiclass", classes=("land", "road", "water"), colours=(LAND, ROAD, WATER), ignores=True
    )
    expected = np.where(_indices() == 7, 255, _indices())
    with Image.open(tmp_path / "out/train/masks/a.png") as written:
        assert written.mode == "L" and np.array_equal(np.asarray(written), expected)
    assert np.array_equal(TuningData.read(tmp_path / "out").train[0].mask, expected)
    labelled = 96 * 96 - 16
    shares = manifest.files["train/masks/a.png"]["shares"]
    assert shares["road"] == pytest.approx(16 * 96 / labelled, abs=1e-6)
    assert _run("check", "--patches", tmp_path / "out") == 0


def test_a_binary_task_keeps_its_names_and_ignored_pixels(tmp_path: Path) -> None:
    task = {"classes": ["rest", "road"], "remap": {"1": "road", "7": "ignore", "*": "rest"}}
    assert _run(*_make(tmp_path, coding="indices", task=task)) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.task == Task(classes=("rest", "road"), ignores=True)
    assert np.array_equal(data.train[0].mask, np.where(_indices() == 7, 255, _indices() == 1))


def test_the_window_holds_labelled_pixels_beyond_the_first_class(tmp_path: Path) -> None:
    arguments = _make(tmp_path, coding="indices")
    mask = np.full((160, 160), 255, np.uint8)
    mask[:30, :30], mask[:10, :30], mask[:10, 15:20] = 0, 1, 2  # all there is lies in a corner
    for name in "abc":
        noise = np.random.default_rng(ord(name)).integers(0, 256, (160, 160, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "data/images" / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / "data/masks" / f"{name}.png")
    assert _run(*arguments, "--size", "64") == 0
    window = choose_window(lambda area: mask[area.rows, area.columns], Area.whole(mask.shape), 64, 3)
    expected = mask[window.area.rows, window.area.columns]
    assert {0, 1, 2} <= set(np.unique(expected)) and window.share >= 0.05
    assert np.array_equal(TuningData.read(tmp_path / "out").train[0].mask, expected)
    mask[mask == 1] = mask[mask == 2] = 0  # only land: then any labelled pixel
    for name in "bc":
        Image.fromarray(mask).save(tmp_path / "data/masks" / f"{name}.png")
    assert _run(*arguments, "--size", "64", "--force") == 0
    assert (TuningData.read(tmp_path / "out").val[0].mask == 0).any()


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ([1], "Input should be an object, is [1]"),
        ({**LEGEND, "remap": {}}, "colours outside the legend, such as 155,155,155"),
        ({**LEGEND, "colours": [], "remap": {}}, "has no legend"),
        (
            {**LEGEND, "remap": {"*": "ignore", "132,41,246": "ignore", "110,193,228": "ignore"}},
            "shows only class 'water' of land, road, water",
        ),
    ],
)
def test_make_refuses_a_task_that_does_not_fit(task: object, said: str, tmp_path: Path) -> None:
    _refused(said, *_make(tmp_path, task=task))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "split.toml", "task.json"]


def test_make_refuses_flags_and_files_that_exclude_each_other(tmp_path: Path) -> None:
    arguments = _make(tmp_path)
    _refused("--foreground 3: does not go with --task", *arguments, "--foreground", "3")
    _refused("nowhere.json: no such file", *arguments, "--task", tmp_path / "nowhere.json")
    (tmp_path / "task.json").write_text("{")
    _refused("not readable as JSON", *arguments)
    _task_file(tmp_path / "task.json")
    tifffile.imwrite(tmp_path / "data/masks/a.tif", np.zeros((96, 96), np.uint16))
    (tmp_path / "data/masks/a.png").unlink()
    _refused("a.tif: has 1 band of uint16", *arguments)


def test_a_fault_names_the_dataset_and_not_the_folder_it_was_made_in(tmp_path: Path) -> None:
    task = {**LEGEND, "remap": {"*": "ignore", "132,41,246": "ignore", "110,193,228": "ignore"}}
    _refused(f"{tmp_path / 'out'}/train: shows only class 'water'", *_make(tmp_path, task=task))


def _fault(classes: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Check a dataset that was changed on purpose; returns its one fault."""
    capfd.readouterr()
    assert _run("check", "--patches", classes, "--update", "--json") == 2
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (fault,) = [f"{one['file']}: {one['fault']}; {one['fix']}" for one in events if one["event"] == "fault"]
    return fault


@pytest.mark.parametrize(
    ("mask", "pixels", "said"),
    [
        ("train/masks/a.png", np.zeros_like(_indices()), "train: shows only class 'land' of land, road, water"),
        ("val/masks/b.png", _indices(), "b.png: holds class index 7, but the task has 3 classes"),
        ("train/masks/a.png", np.full((96, 96), 255, np.uint8), "a.png: all pixels are ignored"),
    ],
    ids=["one class", "an index beyond the classes", "nothing counts"],
)
def test_check_names_what_no_training_can_use(
    mask: str, pixels: np.ndarray, said: str, classes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(pixels).save(classes / mask)
    assert said in _fault(classes, capfd)


def test_check_takes_the_indices_under_a_palette_without_a_legend(
    classes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((classes / "manifest.json").read_text())
    manifest["task"]["colours"] = []
    (classes / "manifest.json").write_text(json.dumps(manifest))
    _coded("palette").save(classes / "test/masks/c.png")
    assert "c.png: holds class index 7, but the task has 3 classes" in _fault(classes, capfd)


def test_check_update_keeps_the_task_and_check_task_sets_it(classes: Path, tmp_path: Path) -> None:
    before = Manifest.read(classes)
    assert _run("check", "--patches", classes, "--update") == 0
    assert Manifest.read(classes) == before
    (classes / "manifest.json").unlink()
    assert _run("check", "--patches", classes) == 2  # indices are no binary masks
    task = {"kind": "multiclass", "classes": ["a", "b", "c"]}
    assert _run("check", "--patches", classes, "--task", _task_file(tmp_path / "new.json", task)) == 0
    assert TuningData.read(classes).task == Task(kind="multiclass", classes=("a", "b", "c"))
    _refused("--task", "check", "--patches", classes, "--task", tmp_path / "nowhere.json")


def _tile(mask: np.ndarray) -> Tile:
    image = np.full((*mask.shape, 3), 200, np.uint8)
    return Tile(name="t", image=image, mask=mask)


def _page(tiles: list[Tile], task: Task) -> Image.Image:
    files = [TileFiles(tile=one, image="i", mask="m", image_sha256="", mask_sha256="") for one in tiles]
    light = [checked(one, viewed=False) for one in files]
    drawn = iter(tiles)
    return draw_overview("x", {"train": light}, task, lambda _: next(drawn))


def test_the_overview_tints_classes_and_keeps_the_first_one() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:32], mask[32:40] = 1, 255
    task = Task(kind="multiclass", classes=("land", "road"), colours=((9, 9, 9), (0, 0, 200)))
    page = _page([_tile(mask)], task).convert("RGB")
    colours = {colour: count for count, colour in page.getcolors(1 << 20) or []}
    assert colours[(100, 100, 200)] >= 224 * 112  # half of 200,200,200 and half of the road's
    assert colours[(164, 164, 164)] >= 224 * 24  # ignored: grey
    assert colours[(200, 200, 200)] >= 224 * 80  # the first class is not tinted
    assert (0, 0, 200) in colours and (9, 9, 9) in colours  # the legend


def test_the_overview_of_thousands_of_tiles_shows_some() -> None:
    tiles = [_tile(np.zeros((64, 64), np.uint8)) for _ in range(500)]
    assert _page(tiles, Task()).height < 3000


def test_weights_are_scikit_learn_s_balanced_ones() -> None:
    mask = np.full((64, 64), 255, np.uint8)
    mask[0, :30], mask[0, 30:40] = 0, 1
    tile = Tile(name="t", image=np.zeros((64, 64, 3), np.uint8), mask=mask)
    look = look_at([tile], Task(kind="multiclass", classes=("a", "b", "c")))
    assert inverse_frequency(look.pixels) == (40 / (3 * 30), 40 / (3 * 10), 0.0)
    assert look.shares.tolist() == [0.75, 0.25, 0.0] and look.ignored == pytest.approx(1 - 40 / 4096)


def test_a_look_s_numbers_are_hand_computed() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32] = (200, 100, 50)
    look = look_at([Tile(name="t", image=image, mask=np.zeros((64, 64), np.uint8))], Task())
    assert look.means.tolist() == [100, 50, 25] and look.deviations.tolist() == [100, 50, 25]
    assert look.features["red"].tolist() == [100] and look.features["share of foreground"].tolist() == [0]
    flat = look_at([Tile(name="t", image=image * 0, mask=np.zeros((64, 64), np.uint8))], Task())
    assert flat.features["sharpness"].tolist() == [0] and look.features["sharpness"][0] > 0


def test_drift_s_measures_are_hand_computed() -> None:
    # Means 2 and 5, squares 2 and 2, pooled variance 4 / 4.
    assert standardised_difference(np.array([1.0, 2, 3]), np.array([4.0, 5, 6])) == pytest.approx(3.0)
    assert np.isnan(standardised_difference(np.ones(3), np.ones(2)))
    assert np.isnan(standardised_difference(np.ones(1), np.ones(1)))
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_describe_finds_drift_and_copies_and_suggests_weights(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    counts = ("--counts", "12,8,8", "--size", "128")
    assert _run("synthesize", "--kind", "roads", *counts, "--dst", tmp_path / "d") == 0
    for path in (tmp_path / "d/test/images").iterdir():
        dark = np.asarray(Image.open(path)) // 3
        Image.fromarray(dark).save(path, quality=90)
    (first, second, *_) = sorted((tmp_path / "d/train/images").iterdir())
    Image.open(first).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(second, quality=95)
    assert _run("check", "--patches", tmp_path / "d", "--update") == 0
    capfd.readouterr()
    assert _run("describe", "--patches", tmp_path / "d", "--json") == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    drifts = {(one["split"], one["feature"]): one for one in events if one["event"] == "drift"}
    assert drifts["test", "red"]["probability"] < 0.05 and drifts["test", "red"]["difference"] < -2
    assert drifts["val", "red"]["probability"] > 0.05
    assert [one["first"] for one in events if one["event"] == "near_duplicate"] == [f"train/images/{first.name}"]
    (weights,) = [one["weights"] for one in events if one["event"] == "class_weights"]
    assert list(weights) == list(ROAD_CLASSES) and weights["pedestrian"] > weights["vehicle"] > weights["road"]
    assert _run("describe", "--patches", tmp_path / "d", "--out", tmp_path / "look.svg") == 0
    out = capfd.readouterr().out
    assert 'class_weights = "0.' in out and "differs" in out and str(tmp_path / "look.svg") in out
    texts = [one.text for one in ElementTree.parse(tmp_path / "look.svg").getroot().iter() if one.tag.endswith("text")]
    assert {"train", "val", "test", "pedestrian", "share of vehicle", "green"} <= set(texts)


def test_describe_refuses(dataset: Path) -> None:
    _refused("--out", "describe", "--patches", dataset, "--out", dataset / "no" / "o.svg")
    _refused("must end in .svg", "describe", "--patches", dataset, "--out", dataset / "o.png")
    _refused("nowhere", "describe", "--patches", "nowhere")
    (dataset / "val/masks/t4.png").unlink()
    _refused("t4.png: has no mask", "describe", "--patches", dataset)


def test_describe_copes_with_one_tile_a_split_and_no_foreground(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, split in enumerate(("train", "val", "test")):
        for kind in ("images", "masks"):
            (tmp_path / "d" / split / kind).mkdir(parents=True)
        image = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / "d" / split / "images" / f"{split}.png")
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "d" / split / "masks" / f"{split}.png")
    assert _run("describe", "--patches", tmp_path / "d") == 0
    assert "no pixel" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "dubai").is_dir(), reason="real tiles are not here")
def test_real_masks_with_palettes_and_in_colours_become_one_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = _split_file(tmp_path / "split.toml", train=["tile4_*"], val=["tile2_*"], test=["tile1_*"])
    arguments = ("make", "--src", SHARED / "dubai", "--dst", tmp_path / "out", "--split", split, "--size", "480")
    assert _run(*arguments, "--task", _task_file(tmp_path / "task.json", DUBAI)) == 0
    data = TuningData.read(tmp_path / "out")
    assert data.task.classes == tuple(DUBAI["classes"]) and (len(data.train), len(data.val)) == (9, 9)
    present = set().union(*(np.unique(tile.mask).tolist() for tile in data.train))
    assert {0, 1, 2, 3, 4} <= present <= {0, 1, 2, 3, 4, 255}
    test, faults = scan_split(tmp_path / "out", "test", data.task)
    assert len(test) == 9 and not faults
    assert _run("describe", "--patches", tmp_path / "out") == 0
    assert "vegetation" in capsys.readouterr().out
