"""Who is train, val and test: kept, divided by scene or by strips of a raster, written down and given back."""

from __future__ import annotations

import hashlib
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweep.cli.options import SweepOptions
from sweep.machine.gpus import gpu_count
from sweep.patches.checks import checking
from sweep.patches.rasters.area import Area
from sweep.patches.splits.automatic import divide_sources, parse_shares
from sweep.patches.splits.blocks import Blocks
from sweep.patches.splits.parts import RasterPart, require_apart
from sweep.patches.tiling.window import Window
from sweep.sealed.test_tiles import fingerprints
from sweep.session.folds import divide
from tests.commands import Run
from tests.sweep.patches.test_tiling import _rasters, _tiles
from trainables.data.manifest import Manifest
from trainables.data.tiles import TuningData
from trainables.errors import DataError

Mask = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _leaks_are_looked_for_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "find_leaks", lambda *_: [])


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(300, 900),
    width=st.integers(300, 900),
    overlap=st.integers(0, 40),
    seed=st.integers(0, 5),
    shares=st.sampled_from(((70, 15, 15), (80, 0, 20), (50, 50, 0), (34, 33, 33))),
)
def test_strips_of_a_raster_are_a_margin_apart_and_hold_whole_windows(
    height: int, width: int, overlap: int, seed: int, shares: tuple[int, int, int]
) -> None:
    mask = np.random.default_rng(seed).integers(0, 2, (height, width), dtype=np.uint8)
    blocks = Blocks(shares=parse_shares(shares), size=64, overlap=overlap, seed=seed)
    strips = blocks.divide(lambda area: mask[area.rows, area.columns], mask.shape, 2)
    assert strips is not None and set(strips) == set(blocks.shares)
    again = blocks.divide(lambda area: mask[area.rows, area.columns], mask.shape, 2)
    assert again == strips
    for one, other in combinations(strips.values(), 2):
        gaps = [
            max(one.rows.start - other.rows.stop, other.rows.start - one.rows.stop),
            max(one.columns.start - other.columns.stop, other.columns.start - one.columns.stop),
        ]
        assert max(gaps) >= 16
    assert all(min(one.height, one.width) >= 64 for one in strips.values())
    ends = [(one.rows.stop, one.columns.stop) for one in strips.values()]
    assert (height, width) in ends and (0, 0) in [(one.top, one.left) for one in strips.values()]


def test_strips_are_balanced_in_foreground() -> None:
    mask = np.zeros((640, 2000), np.uint8)
    mask[:64] = 1  # along the long side: strips across that one share it
    blocks = Blocks(shares=parse_shares((60, 20, 20)), size=64, overlap=0, seed=0)
    strips = blocks.divide(lambda area: mask[area.rows, area.columns], mask.shape, 2)
    assert strips is not None
    foreground = {split: float(mask[area.rows, area.columns].sum()) / mask.sum() for split, area in strips.items()}
    assert all(abs(foreground[split] - share) < 0.06 for split, share in blocks.shares.items())


def test_a_raster_that_is_labelled_in_one_place_has_no_strips() -> None:
    mask = np.full((640, 640), 255, np.uint8)
    mask[:10, :10] = 1
    blocks = Blocks(shares=parse_shares((60, 20, 20)), size=64, overlap=0, seed=0)
    assert blocks.divide(lambda area: mask[area.rows, area.columns], mask.shape, 2) is None


def _window(counts: tuple[int, ...]) -> Window:
    return Window(area=Area(top=0, left=0, height=100, width=100), counts=counts)


@settings(max_examples=20, deadline=None)
@given(
    scenes=st.lists(st.integers(0, 6), min_size=8, max_size=30),
    shares=st.sampled_from(((70, 15, 15), (80, 0, 20), (60, 40, 0))),
    seed=st.integers(0, 3),
)
def test_no_scene_is_in_two_splits_and_every_split_has_one(
    scenes: list[int], shares: tuple[int, int, int], seed: int
) -> None:
    wanted = parse_shares(shares)
    if len(set(scenes)) < len(wanted):
        return
    draws = np.random.default_rng(seed)
    windows = {f"s{number}": [_window((9000, int(draws.integers(1000))))] for number in range(len(scenes))}
    units = {f"s{number}": str(scene) for number, scene in enumerate(scenes)}
    splits = divide_sources(windows, units, wanted, seed)
    assert sorted(name for names in splits.values() for name in names) == sorted(windows)
    of = {split: {units[name] for name in names} for split, names in splits.items()}
    assert all(of.values()) and all(not one & other for one, other in combinations(of.values(), 2))
    assert divide_sources(dict(reversed(windows.items())), dict(reversed(units.items())), wanted, seed) == splits


def test_a_rare_class_is_in_all_splits() -> None:
    windows = {f"s{number}": [_window((9000, 500, 40 if number < 3 else 0))] for number in range(20)}
    splits = divide_sources(windows, {name: name for name in windows}, parse_shares((34, 33, 33)), 0)
    assert all({"s0", "s1", "s2"} & set(names) for names in splits.values())
    counts = [len(names) for names in splits.values()]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    "part",
    [
        RasterPart(source="a b"),
        RasterPart(source="x=1:2", columns=(0, 40)),
        RasterPart(source="ö", rows=(3, 40)),
        RasterPart(source="a", columns=(0, 9), rows=(5, 6)),
    ],
)
def test_a_part_is_read_as_it_is_written(part: RasterPart) -> None:
    assert RasterPart.parse(str(part)) == part
    assert RasterPart.of(part.source, part.area((40, 40)), (40, 40)).area((40, 40)) == part.area((40, 40))


def test_parts_that_share_pixels_are_named() -> None:
    shape = (100, 100)
    left, right = RasterPart.parse("a x=0:50"), RasterPart.parse("a x=50:100")
    require_apart({"train": [(left, left.area(shape))], "val": [(right, right.area(shape))]})
    corner = RasterPart.parse("a x=49:60 y=0:1")
    with pytest.raises(DataError, match=r"'a x=0:50' in train and 'a x=49:60 y=0:1' in val share pixels"):
        require_apart({"train": [(left, left.area(shape))], "val": [(corner, corner.area(shape))]})
    with pytest.raises(DataError, match=r"'a x=0:101' is no part of a, which is 100x100"):
        RasterPart.parse("a x=0:101").area(shape)


def _content(root: Path) -> dict[str, str]:
    """Return the hash of every file of a dataset's splits."""
    files = [path for split in ("train", "val", "test") for path in (root / split).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, ("--size", "64", "--tiles-per-source", "12", "--seed", "3")),  # one raster feeds all splits
        (2, ("--size", "64", "--overlap", "0.25", "--min-foreground", "0.2")),
        (5, ("--size", "128", "--grid", "--min-foreground", "0.3", "--negatives", "0.2")),
    ],
)
def test_the_split_file_given_back_makes_the_same_tiles(
    here: Run, tmp_path: Path, count: int, words: tuple[str, ...]
) -> None:
    _rasters(tmp_path / "in", count, 260, 320, (0, 0, 1))
    made = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "one", *words)
    assert made.returncode == 0, made.stderr
    split = tmp_path / "one" / "split.toml"
    again = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "two", "--split", split, *words)
    assert again.returncode == 0, again.stderr
    assert _content(tmp_path / "one") == _content(tmp_path / "two")
    first, second = Manifest.read(tmp_path / "one"), Manifest.read(tmp_path / "two")
    assert first is not None and second is not None
    assert (first.split_origin, second.split_origin) == ("automatic", "chosen")
    assert first.files == second.files and first.splits == second.splits and all(first.splits.values())
    assert tomllib.loads(split.read_text()) == tomllib.loads((tmp_path / "two" / "split.toml").read_text())
    flags = split.read_text().splitlines()[1].split("make ... ")[1].split(" --split")[0].split()
    third = here(
        "patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "three", "--split", split, *flags,
    )  # fmt: skip
    assert third.returncode == 0 and _content(tmp_path / "three") == _content(tmp_path / "one")


def test_the_splits_of_one_raster_share_no_pixel_and_say_how_far_they_are_apart(here: Run, tmp_path: Path) -> None:
    _rasters(tmp_path / "in", 1, 420, 500)
    done = here(
        "patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--size", "64", "--overlap", "16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 raster for 3 splits: all windows become tiles, as with --grid" in done.stdout
    assert "split automatic, by strips of the raster, 16 px apart, seed 0:" in done.stdout
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None and all(manifest.splits.values())
    entries = {name: entry for name, (entry, _, _) in _tiles(tmp_path / "out").items()}
    split_of = {name: split for split, names in manifest.splits.items() for name in names}
    for one, other in combinations(entries, 2):
        gap = max(abs(entries[one][axis] - entries[other][axis]) - 64 for axis in ("x", "y"))
        assert gap >= (-16 if split_of[one] == split_of[other] else 16)


def test_published_splits_are_kept(here: Run, tmp_path: Path) -> None:
    for folder in ("train", "valid", "test"):
        _rasters(tmp_path / "in" / folder, 2, 100, 100)
    done = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--size", "64")
    assert done.returncode == 0, done.stderr
    assert "split as published: 2/2/2 tiles" in done.stdout
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None and manifest.split_origin == "published"
    assert manifest.splits["val"] == ["valid_o0", "valid_o1"]


def test_folders_of_scenes_stay_together(here: Run, tmp_path: Path) -> None:
    for folder in ("north", "south", "east", "west"):
        _rasters(tmp_path / "in" / folder, 3, 100, 100)
    done = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--size", "64")
    assert done.returncode == 0, done.stderr
    assert "split automatic, by scene (4 from folders), seed 0:" in done.stdout
    manifest = Manifest.read(tmp_path / "out")
    assert manifest is not None and manifest.split_origin == "automatic"
    assert {len({name.split("_")[0] for name in names}) for names in manifest.splits.values()} <= {1, 2}
    assert sorted(len(names) for names in manifest.splits.values()) == [3, 3, 6]


def test_two_scenes_cannot_make_three_splits_and_that_is_said(here: Run, tmp_path: Path) -> None:
    for folder in ("north", "south"):
        _rasters(tmp_path / "in" / folder, 4, 100, 100)
    done = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--size", "64")
    assert done.returncode == 0, done.stderr
    assert "by raster: 2 scenes (2 from folders) cannot make 3 splits, so neighbours may be in" in done.stdout


def test_a_raster_too_small_for_three_splits_says_what_works(here: Run, tmp_path: Path) -> None:
    _rasters(tmp_path / "in", 1, 420, 500)
    make = ("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out")
    refused = here(*make, "--size", "256")
    assert refused.returncode == 2
    said = " ".join(refused.stderr.split())
    assert "has no labelled window of 256 px for each of 3 splits, 64 px apart; --size 128, or add images" in said
    assert here(*make, "--size", "128").returncode == 0


@pytest.mark.parametrize(("shares", "absent"), [("80,0,20", "val"), ("80,20,0", "test"), ("1,0,0", "both")])
def test_a_dataset_without_val_or_test_is_made_checked_and_described(
    here: Run, tmp_path: Path, shares: str, absent: str
) -> None:
    _rasters(tmp_path / "in", 5, 100, 100)
    root = tmp_path / "out"
    made = here("patches", "make", "--src", tmp_path / "in", "--dst", root, "--size", "64", "--shares", shares)
    checked = here("patches", "check", "--patches", root)
    described = here("patches", "describe", "--patches", root)
    for done in (made, checked, described):
        assert done.returncode == 0, done.stderr
    for done in (made, checked):
        assert ("no val tiles: sweeps divide train by --folds N" in done.stdout) is (absent != "test")
        assert ("no test tiles: there will be no score of test" in done.stdout) is (absent != "val")
    profile = "" if gpu_count() else "--profile demo "  # the paper profile needs GPUs
    assert (f"study --folds 5 {profile}--patches" in checked.stdout) is (absent != "test")
    data = TuningData.read(root)
    assert len(data.train) + len(data.val) == (4 if absent == "val" else 5)
    if absent != "test":
        with pytest.raises(DataError, match="has no val tiles; --folds 5 divides its train tiles"):
            divide(SweepOptions(), data)
        division = divide(SweepOptions(folds=2), data)
        assert len(division.folds) == 2 and division.data.val == division.data.train
    if absent != "val":
        with pytest.raises(DataError, match="holds no tiles, so there is no score of test"):
            fingerprints(root)
