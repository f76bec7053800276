"""Making, checking and showing datasets by the command's own entry point."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sweep.patches.checks.checking import check
from sweep.patches.command import COMMAND
from sweep.patches.rasters.area import Area
from sweep.patches.splits.chosen import numbered_split
from sweep.patches.tiling.placing import choose_window
from tests.conftest import ROOT
from trainables.data.manifest import Manifest
from trainables.data.tiles import TuningData, scan_split
from trainables.task import Task


def _run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        COMMAND.run([*map(str, arguments)])
    return int(caught.value.code or 0)


def _refused(said: str, *arguments: object) -> None:
    with redirect_stderr(io.StringIO()) as written:
        assert _run(*arguments) == 2
    assert said in written.getvalue() and "Traceback" not in written.getvalue()


def _sources(folder: Path, names: list[str], size: int = 160) -> Path:
    for number, name in enumerate(names):
        for kind in ("imgs", "msks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(number)
        mask = np.zeros((size, size), np.uint8)
        mask[:40, :40] = 255  # a building in the corner, none in the middle
        tifffile.imwrite(folder / "imgs" / f"{name}.tif", random.integers(0, 256, (size, size, 3), dtype=np.uint8))
        tifffile.imwrite(folder / "msks" / f"{name}.tif", mask)
    return folder


def _split_file(path: Path, **splits: list[str]) -> Path:
    path.write_text("".join(f"{name} = {json.dumps(names)}\n" for name, names in splits.items()))
    return path


@settings(max_examples=60)
@given(
    height=st.integers(64, 200),
    width=st.integers(64, 200),
    seed=st.integers(0, 10_000),
    buildings=st.integers(0, 6),
)
def test_the_window_is_the_nearest_with_enough_foreground(height: int, width: int, seed: int, buildings: int) -> None:
    random = np.random.default_rng(seed)
    foreground = np.zeros((height, width), dtype=bool)
    for _ in range(buildings):
        top, left = random.integers(0, height - 12), random.integers(0, width - 12)
        foreground[top : top + 12, left : left + 12] = True
    mask = foreground.astype(np.uint8)
    window = choose_window(lambda area: mask[area.rows, area.columns], Area.whole(mask.shape), 64, 2)
    place = window.area
    assert (place.height, place.width) == (64, 64)
    assert 0 <= place.top <= height - 64 and 0 <= place.left <= width - 64
    assert window.share == pytest.approx(foreground[place.rows, place.columns].mean())
    assert window.counts == (64 * 64 - mask[place.rows, place.columns].sum(), mask[place.rows, place.columns].sum())
    centre = ((height - 64) // 2, (width - 64) // 2)
    if foreground[centre[0] : centre[0] + 64, centre[1] : centre[1] + 64].mean() >= 0.05:
        assert (place.top, place.left) == centre
        return
    distance = (place.top - centre[0]) ** 2 + (place.left - centre[1]) ** 2
    for top in {0, height - 64, *range(centre[0] % 4, height - 63, 4)}:
        for left in {0, width - 64, *range(centre[1] % 4, width - 63, 4)}:
            share = foreground[top : top + 64, left : left + 64].mean()
            if window.share < 0.05:
                assert share <= window.share + 1e-12
            elif share >= 0.05:
                assert (top - centre[0]) ** 2 + (left - centre[1]) ** 2 >= distance


def test_the_study_s_split_of_austin(tmp_path: Path) -> None:
    names = [f"austin{number}" for number in range(1, 37)]
    source = _sources(tmp_path / "data", names, size=96)
    assert _run("make", "--src", source, "--dst", tmp_path / "out", "--size", "64") == 0
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None and manifest.splits == numbered_split("austin")
    assert [len(manifest.splits[split]) for split in ("train", "val", "test")] == [24, 6, 6]
    assert manifest.splits["val"] == ["austin1", "austin6", "austin11", "austin16", "austin21", "austin26"]
    assert len(manifest.files) == 72 and not manifest.synthetic
    assert (tmp_path / "out" / "overview.png").exists()


def test_tiles_are_cropped_and_never_resized(tmp_path: Path) -> None:
    source = _sources(tmp_path / "data", ["a", "b", "c"])
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    arguments = ("make", "--src", source, "--dst", tmp_path / "out", "--split", split, "--size", "64")
    assert _run(*arguments, "--nudge", "b=-4,2") == 0
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None
    for name, split_name, nudge in (("a", "train", (0, 0)), ("b", "val", (-4, 2))):
        entry = manifest.files[f"{split_name}/masks/{name}.png"]
        left, top = (int(part.split("=")[1]) for part in entry["source"].split()[1:])
        mask = tifffile.imread(source / "msks" / f"{name}.tif")[top : top + 64, left : left + 64]
        tile = scan_split(tmp_path / "out", split_name, Task())[0][0].tile
        assert np.array_equal(tile.mask * 255, mask)
        assert entry["foreground"] == pytest.approx(tile.mask.mean(), abs=1e-6) and (
            nudge != (0, 0) or tile.mask.mean() >= 0.05
        )
        image = tifffile.imread(source / "imgs" / f"{name}.tif")[top : top + 64, left : left + 64]
        assert np.abs(tile.image.astype(int) - image).mean() < 12  # JPEG of noise


def test_masks_in_palette_index_and_colours(tmp_path: Path) -> None:
    classes = np.zeros((64, 64), np.uint8)
    classes[8:40, 8:40] = 3
    classes[50:, 50:] = 1
    palette = Image.fromarray(classes, "P")
    palette.putpalette([0, 0, 0, 10, 20, 30, 0, 0, 0, 60, 16, 152])
    written = {"palette": palette, "colours": palette.convert("RGB"), "index": Image.fromarray(classes)}
    for coding, flag in (("palette", "60,16,152"), ("palette", "3"), ("colours", "60,16,152"), ("index", "3")):
        source = tmp_path / f"{coding}-{flag}"
        for kind in ("images", "masks"):
            (source / kind).mkdir(parents=True)
        for number, name in enumerate("abc"):
            noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(noise).save(source / "images" / f"{name}.png")
            written[coding].save(source / "masks" / f"{name}.png")
        split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
        arguments = ("make", "--src", source, "--dst", source / "out", "--split", split, "--size", "64")
        assert _run(*arguments, "--foreground", flag) == 0
        assert np.array_equal(
            scan_split(source / "out", "train", Task())[0][0].tile.mask, (classes == 3).astype(np.uint8)
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "100"], "--size 100"),
        (["--split", "nowhere.toml"], "nowhere.toml"),
        (["--nudge", "a=1"], "--nudge a=1"),
        (["--nudge", "z=1,1"], "--nudge z"),
        (["--nudge", "a=999,0"], "leaves the source"),
        (["--foreground", "1,2"], "--foreground 1,2"),
        (["--foreground", "red"], "--foreground red"),
        (["--src", "nowhere"], "--src nowhere"),
    ],
)
def test_make_refuses_in_one_line_and_writes_nothing(
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    source = _sources(tmp_path / "data", ["a", "b", "c"])
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    common = ["make", "--src", source, "--dst", tmp_path / "out", "--split", split, "--size", "64"]
    _refused(said, *common, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "split.toml"]


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": ["a", "b"], "val": ["b"], "test": ["c"]}, "'b' is in train and in val"),
        ({"train": ["*"], "val": ["b"], "test": ["c"]}, "is in train and in val"),
        ({"train": ["a"], "val": ["x"], "test": ["c"]}, "'x', which is not among the sources"),
        ({"train": [], "val": ["b"], "test": ["c"]}, "train is empty"),
        ({"train": ["a"], "val": ["b"]}, "a split file reads"),
    ],
)
def test_a_bad_split_file_is_refused(
    tmp_path: Path,
    splits: dict[str, list[str]],
    said: str,
) -> None:
    source = _sources(tmp_path / "data", ["a", "b", "c"])
    split = _split_file(tmp_path / "split.toml", **splits)
    arguments = ("make", "--src", source, "--dst", tmp_path / "out", "--split", split, "--size", "64")
    _refused(said, *arguments)


def test_an_existing_dataset_is_replaced_only_by_force_and_other_folders_never(tmp_path: Path) -> None:
    arguments = ("synthesize", "--dst", tmp_path / "out", "--counts", "1,1,1", "--size", "64")
    assert _run(*arguments) == 0
    _refused("exists already", *arguments)
    assert _run(*arguments, "--force") == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    _refused("is no dataset", "synthesize", "--dst", tmp_path / "mine", "--force", "--size", "64")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_synthesize_says_everywhere_that_it_is_synthetic(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert _run("synthesize", "--dst", tmp_path / folder, "--counts", "5,1,1", "--size", "128") == 0
    manifest = Manifest.read(tmp_path / "one")
    assert manifest is not None and manifest.synthetic and "ynthetic" in manifest.origin
    assert all(name.startswith("synth") for names in manifest.splits.values() for name in names)
    assert all("synthetic" in entry["source"] for entry in manifest.files.values())
    assert TuningData.read(tmp_path / "one").synthetic
    again = Manifest.read(tmp_path / "two")
    assert again is not None and manifest.files == again.files
    sheet = (tmp_path / "one" / "contact_sheet.html").read_text()
    assert "synthetic-roofs (synthetic)" in sheet and sheet.count('<article class="card"') == 7


def test_check_reports_all_faults_in_a_table(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "test" / "masks" / "t6.png").unlink()
    shutil.copy(dataset / "train/images/t1.png", dataset / "train/images/t2.png")
    assert _run("check", "--patches", dataset) == 2
    out = capsys.readouterr().out
    assert "2 faults" in out and "has no mask" in out and "identical" in out
    assert not (dataset / "manifest.json").exists()


def test_check_writes_a_manifest_once_and_update_renews_it(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("check", "--patches", dataset) == 0
    assert "7 tiles (3/2/2 train/val/test)" in capsys.readouterr().out
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(dataset / "val/masks/t4.png")
    assert _run("check", "--patches", dataset) == 2
    assert "differs from the manifest" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert _run("check", "--patches", dataset, "--update") == 0
    assert _run("check", "--patches", dataset) == 0


def test_overview_shows_every_tile(dataset: Path, tmp_path: Path) -> None:
    assert _run("overview", "--patches", dataset, "--out", tmp_path / "o.png") == 0
    with Image.open(tmp_path / "o.png") as picture:
        assert picture.size[0] > 1000


def test_an_overview_that_cannot_be_written_is_refused(dataset: Path) -> None:
    _refused("--out", "overview", "--patches", dataset, "--out", dataset / "no" / "o.png")


def test_the_committed_dataset_is_sound_synthetic_small_and_hard() -> None:
    """Leaks were looked for when its manifest was written: in tiles of this size that takes a minute."""
    assert not check(ROOT / "patches", leaks=False).faults
    manifest = Manifest.read(ROOT / "patches")
    assert manifest is not None and manifest.synthetic and manifest.leaks == ()
    assert manifest.splits == numbered_split("synth")
    assert manifest.notes["colour_threshold"]["val_iou"] < 0.5
    assert manifest.notes["colour_threshold"]["train_iou"] < 0.5
    assert {(entry["width"], entry["height"]) for entry in manifest.files.values()} == {(1024, 1024)}
    assert sum(path.stat().st_size for path in (ROOT / "patches").rglob("*") if path.is_file()) < 20e6
