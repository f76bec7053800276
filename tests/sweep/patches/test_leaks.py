"""Tiles of different splits that show the same ground are found, and nothing else is."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.cli.console import open_output
from sweep.patches.checks.checking import check
from sweep.patches.checks.leaks import find_leaks
from sweep.patches.checks.tiles import CheckedTile, checked
from sweep.patches.command import COMMAND
from sweep.patches.commands.shared import show_leaks
from sweep.patches.folders import write_tile
from sweep.patches.synthesis import draw_tiles
from tests.conftest import SHARED
from trainables.data.manifest import Leak, Manifest
from trainables.data.tiles import SPLITS, Tile, TileFiles, TuningData
from trainables.task import Task

Picture = NDArray[np.uint8]
SIDE = 384
MASK = np.eye(SIDE, dtype=np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Four different scenes."""
    root = tmp_path_factory.mktemp("scenes")
    (root / "train/images").mkdir(parents=True)
    (root / "train/masks").mkdir()
    draw_tiles(root, {"train": ["synth1", "synth2", "synth3", "synth4"]}, size=SIDE, seed=3)
    return [np.asarray(Image.open(path)) for path in sorted((root / "train/images").iterdir())]


def _jpeg(picture: Picture, quality: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _larger(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((SIDE * 5 // 4, SIDE * 5 // 4), Image.Resampling.BICUBIC))


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "saved again": lambda picture: _jpeg(picture, 60),
    "mirrored": lambda picture: picture[:, ::-1],
    "turned": lambda picture: np.rot90(picture),
    "turned, mirrored and saved again": lambda picture: _jpeg(np.rot90(picture[::-1], 3), 75),
    "brighter": lambda picture: np.clip(picture.astype(int) + 25, 0, 255).astype(np.uint8),
    "a crop": lambda picture: picture[: SIDE // 2, : SIDE // 2],
    "a crop, mirrored and saved again": lambda picture: _jpeg(picture[64:256, 128:320][:, ::-1], 75),
    "a crop, enlarged": lambda picture: _larger(picture)[:SIDE, :SIDE],
}


def _files(name: str, picture: Picture) -> CheckedTile:
    tile = Tile(name=name, image=np.ascontiguousarray(picture), mask=np.zeros(picture.shape[:2], np.uint8))
    files = TileFiles(tile=tile, image=f"{name}.png", mask="", image_sha256=name, mask_sha256=name)
    return checked(files, viewed=True)


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_in_another_split_is_found(pictures: list[Picture], copy: str) -> None:
    train = [_files(f"t{number}", picture) for number, picture in enumerate(pictures)]
    (leak,) = find_leaks({"train": train, "val": [_files("v", COPIES[copy](pictures[2]))]})
    assert (leak.first, leak.second) == ("t2.png", "v.png")


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_neighbours_that_overlap_are_found_with_their_share(pictures: list[Picture], share: float) -> None:
    side = SIDE // 2
    shift = int(side * (1 - share))
    left, right = pictures[0][:side, :side], pictures[0][:side, shift : shift + side]
    (leak,) = find_leaks({"train": [_files("l", left)], "test": [_files("r", right)]})
    assert f"{share:.0%}" in leak.how


def test_different_scenes_and_neighbours_that_only_touch_are_none(pictures: list[Picture]) -> None:
    half = SIDE // 2
    parts = [_files(f"p{left}", pictures[0][:, left : left + half]) for left in (0, half)]
    assert not find_leaks({"train": [parts[0], _files("b", pictures[1])], "val": [parts[1], _files("c", pictures[2])]})


def test_copies_within_a_split_and_flat_fields_are_none(pictures: list[Picture]) -> None:
    flat = np.full((SIDE, SIDE, 3), 90, np.uint8)
    train = [_files("a", pictures[0]), _files("b", pictures[0][:, ::-1]), _files("flat", flat)]
    assert not find_leaks({"train": train, "val": [_files("also flat", flat + np.uint8(1))]})


def test_check_writes_what_it_found_and_a_sweep_reads_it_there(pictures: list[Picture], tmp_path: Path) -> None:
    names = iter("abcd")
    for split in SPLITS:
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
        write_tile(tmp_path, split, name := next(names), pictures["abcd".index(name)], MASK, Task())
    write_tile(tmp_path, "test", "copy", pictures[0][::-1].copy(), MASK, Task())
    report = check(tmp_path)
    assert not report.faults and report.leaks
    assert [(leak.first, leak.second) for leak in report.leaks] == [("train/images/a.jpg", "test/images/copy.jpg")]
    assert TuningData.read(tmp_path).leaks == ()  # nothing says so yet, and test is not opened


@pytest.mark.skipif(not (SHARED / "dubai").is_dir(), reason="real tiles are not here")
def test_an_overlap_in_real_imagery_is_found(tmp_path: Path) -> None:
    """Two tiles of that set show the same ground in one of their parts."""
    for split, tile, parts in zip(SPLITS, ("tile1", "tile3", "tile2"), ("12", "89", "12"), strict=True):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
        for path in sorted((SHARED / "dubai" / tile / "images").glob(f"*[{parts}].jpg")):
            picture = np.asarray(Image.open(path).convert("RGB"))
            height, width = (side // 32 * 32 for side in picture.shape[:2])
            write_tile(
                tmp_path,
                split,
                f"{tile}_{path.stem}",
                picture[:height, :width],
                np.eye(height, width, dtype=np.uint8),
                Task(),
            )
    report = check(tmp_path)
    assert not report.faults
    assert report.leaks is not None and len(report.leaks) == 1
    assert "tile1_image_part_001" in report.leaks[0].first and "tile3_image_part_009" in report.leaks[0].second


def test_many_tiles_are_found_by_their_descriptors_alone(pictures: list[Picture]) -> None:
    """Each of twelve crops in val is of one train tile; no other pair is taken for one."""
    side = SIDE // 2
    corners = [(top, left) for top in (0, side) for left in (0, side)]
    train = [
        _files(f"t{number}_{top}_{left}", picture[top : top + side, left : left + side])
        for number, picture in enumerate(pictures)
        for top, left in corners
    ]
    val = [
        _files(f"v{number}_{top}_{left}", _jpeg(picture[top + 30 : top + side, left + 20 : left + side][:, ::-1], 75))
        for number, picture in enumerate(pictures[:3])
        for top, left in corners
    ]
    found = {(leak.first, leak.second) for leak in find_leaks({"train": train, "val": val})}
    assert found == {(one.image.replace("v", "t"), one.image) for one in val}


def test_without_a_leak_check_the_manifest_says_that_nobody_looked(
    dataset: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(dataset / "train/images/t1.png", dataset / "test/images/t6.png")
    with pytest.raises(SystemExit) as ended:
        COMMAND.run(["check", "--patches", str(dataset), "--no-leak-check", "--update"])
    assert not ended.value.code
    assert "nobody has looked for tiles that show the same ground" in " ".join(capfd.readouterr().out.split())
    assert not TuningData.read(dataset).leaks_checked
    with pytest.raises(SystemExit) as ended:
        COMMAND.run(["check", "--patches", str(dataset)])
    assert ended.value.code == 2 and TuningData.read(dataset).leaks_checked


def test_a_manifest_keeps_leaks(dataset: Path) -> None:
    shutil.copy(dataset / "train/images/t1.png", dataset / "test/images/t6.png")
    from sweep.patches.checks.checking import describe

    report = check(dataset)
    describe(report, name="x", origin="", licence="").write(dataset)
    manifest = Manifest.read(dataset)
    assert manifest is not None and manifest.leaks == report.leaks
    data = TuningData.read(dataset)
    assert data.leaks == report.leaks and data.leaks_checked


def test_of_many_leaks_ten_are_listed_and_the_manifest_has_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaks = tuple(Leak(first=f"train/images/a{n}.jpg", second="val/images/b.jpg", how="x") for n in range(1200))
    show_leaks(tmp_path, leaks, open_output())
    said = capsys.readouterr().out
    assert "leaks between splits: 1,200, of 1,201 tiles" in " ".join(said.split())
    assert "a9.jpg" in said and "a10.jpg" not in said and "and 1,190 more; leaks in manifest.json has all" in said
