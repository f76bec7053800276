"""Windows of rasters: where they are, what is in them, which become tiles, and what their files hold."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.checks import checking
from sweep.patches.layouts.opening import open_sources
from sweep.patches.options import Make
from sweep.patches.rasters.area import Area
from sweep.patches.splits.parts import RasterPart
from sweep.patches.tiling import counting
from sweep.patches.tiling.counting import ReadArea, count_pixels
from sweep.patches.tiling.cutting import cut_tiles
from sweep.patches.tiling.grid import grid
from sweep.patches.tiling.plan import plan_tiles
from sweep.patches.tiling.selection import Selection, select
from sweep.patches.tiling.window import Window, tile_side
from tests.commands import Run
from trainables.data.manifest import Manifest
from trainables.data.tiles import TuningData

Mask = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _leaks_are_looked_for_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "find_leaks", lambda *_: [])


def _reader(mask: Mask) -> ReadArea:
    return lambda area: mask[area.rows, area.columns]


@settings(max_examples=30, deadline=None)
@given(
    top=st.integers(0, 50),
    left=st.integers(0, 50),
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    size=st.sampled_from((64, 96, 128)),
    overlap=st.integers(0, 63),
)
def test_a_grid_covers_a_part_and_nothing_else(
    top: int, left: int, height: int, width: int, size: int, overlap: int
) -> None:
    covered = np.zeros((500, 500), int)
    windows = grid(Area(top=top, left=left, height=height, width=width), size, overlap)
    for one in windows:
        assert one.height <= size and one.width <= size
        covered[one.rows, one.columns] += 1
    inside = np.zeros_like(covered, bool)
    inside[top : top + height, left : left + width] = True
    assert ((covered > 0) == inside).all()
    if not overlap:
        assert covered.max() == 1
    assert len({(one.top, one.left) for one in windows}) == len(windows)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), height=st.integers(1, 120), width=st.integers(1, 120), strip=st.integers(1, 4000))
def test_pixels_are_counted_as_numpy_counts_them_in_strips_of_any_height(
    seed: int, height: int, width: int, strip: int
) -> None:
    draws = np.random.default_rng(seed)
    mask = draws.choice(np.array([0, 1, 2, 255], np.uint8), (height, width))
    areas = []
    for _ in range(5):
        top, left = int(draws.integers(height)), int(draws.integers(width))
        down, right = int(draws.integers(1, height - top + 1)), int(draws.integers(1, width - left + 1))
        areas.append(Area(top=top, left=left, height=down, width=right))
    rows = [end for one in areas for end in (one.rows.start, one.rows.stop)]
    columns = [end for one in areas for end in (one.columns.start, one.columns.stop)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "MAX_PIXELS", strip)
        patch.setattr(counting, "BLOCK", 8)
        sums = count_pixels(_reader(mask), rows, columns, 3)
    for one in areas:
        part = mask[one.rows, one.columns]
        assert sums.of(one) == tuple(int((part == value).sum()) for value in range(3))


def test_a_raster_of_40_000_pixels_a_side_is_counted_in_strips() -> None:
    read: list[Area] = []

    def half(area: Area) -> Mask:
        read.append(area)
        return np.full((area.height, area.width), area.left >= 20_000, np.uint8)

    sums = count_pixels(half, [0, 1_024], [20_000, 40_000], 2)
    assert sums.of(Area(top=0, left=20_000, height=1_024, width=20_000)) == (0, 1_024 * 20_000)
    assert max(one.height * one.width for one in read) <= counting.MAX_PIXELS
    assert all(one.top % counting.BLOCK == 0 for one in read)


def _windows(shares: list[float], source: str = "a") -> dict[RasterPart, list[Window]]:
    return {
        RasterPart(source=source): [
            Window(
                area=Area(top=0, left=100 * number, height=10, width=100),
                counts=(1000 - round(1000 * share), round(1000 * share)) if share >= 0 else (0, 0),
                column=number,
            )
            for number, share in enumerate(shares)
        ]
    }


def test_windows_without_labels_and_with_little_foreground_are_left_out_and_counted() -> None:
    windows = _windows([-1, 0, 0, 0, 0.01, 0.04, 0.05, 0.5] + [0.2] * 16)
    kept, out = select(windows, Selection(min_foreground=0.05, negatives=0.1))
    shares = [one.share for one in kept[RasterPart(source="a")]]
    assert (out.unlabelled, out.poor, out.negative) == (1, 2, 1)
    assert shares == [0, 0, 0.05, 0.5] + [0.2] * 16  # two of 20 are a tenth
    assert select(windows, Selection())[0][RasterPart(source="a")] == windows[RasterPart(source="a")][1:]


@settings(max_examples=30, deadline=None)
@given(
    shares=st.lists(st.sampled_from((0.0, 0.0, 0.02, 0.3, 0.9)), min_size=1, max_size=40),
    negatives=st.sampled_from((0.0, 0.1, 0.5, 1.0)),
    count=st.none() | st.integers(1, 12),
    seed=st.integers(0, 3),
)
def test_the_order_of_sources_decides_nothing_and_limits_hold(
    shares: list[float], negatives: float, count: int | None, seed: int
) -> None:
    windows = {key: value for name in "abcd" for key, value in _windows(shares[ord(name) % 3 :], name).items()}
    chosen = Selection(tiles_per_source=count, negatives=negatives, seed=seed)
    kept, _ = select(windows, chosen)
    shuffled = list(windows.items())
    random.Random(seed).shuffle(shuffled)
    assert select(dict(shuffled), chosen)[0] == kept
    all_kept = [one for found in kept.values() for one in found]
    empty = sum(not one.beyond_first for one in all_kept)
    if empty < len(all_kept):
        assert empty <= negatives * len(all_kept) + 1e-9
    if count is not None:
        assert max(map(len, kept.values())) <= count
    for part, found in kept.items():
        assert found == [one for one in windows[part] if one in found]  # in their order, none twice


def test_drawn_windows_are_spread_over_the_shares_of_foreground() -> None:
    windows = _windows([number / 100 for number in range(1, 61)])
    kept, out = select(windows, Selection(tiles_per_source=6))
    shares = [one.share for one in kept[RasterPart(source="a")]]
    assert [int(share * 10 - 1e-9) for share in sorted(shares)] == [0, 1, 2, 3, 4, 5] and out.drawn == 54
    assert select(windows, Selection(tiles_per_source=6, seed=1))[0] != kept


@pytest.mark.parametrize(("pixels", "side"), [(1, 64), (64, 64), (65, 96), (500, 512), (1024, 1024)])
def test_a_tile_s_side_is_the_next_multiple_of_32(pixels: int, side: int) -> None:
    assert tile_side(pixels) == side


def _rasters(folder: Path, count: int, height: int, width: int, values: tuple[int, ...] = (0, 1)) -> dict[str, Mask]:
    """Write soft images, and masks of squares; return the masks."""
    masks = {}
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draws = np.random.default_rng([number, zlib.crc32(folder.name.encode())])
        mask = draws.choice(np.array(values, np.uint8), (height // 20 + 1, width // 20 + 1))
        mask = mask.repeat(20, 0).repeat(20, 1)[:height, :width]
        coarse = Image.fromarray(draws.integers(0, 256, (height // 40 + 1, width // 40 + 1, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / "images" / f"o{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"o{number}.png")
        masks[f"o{number}"] = mask
    return masks


def _tiles(root: Path) -> dict[str, tuple[dict[str, int], Mask, NDArray[np.uint8]]]:
    """Return tile name to its entry of the manifest, its mask and its image, read without this code."""
    manifest = Manifest.read(root)
    assert manifest is not None
    found = {}
    for path, entry in manifest.files.items():
        if "/masks/" in path:
            place = dict(part.split("=") for part in entry["source"].split()[1:])
            image = root / path.replace("/masks/", "/images/").replace(".png", ".jpg")
            found[Path(path).stem] = (
                {**entry, "x": int(place["x"]), "y": int(place["y"])},
                np.asarray(Image.open(root / path)),
                np.asarray(Image.open(image)),
            )
    return found


def test_a_grid_has_the_pixels_of_its_rasters_and_pads_the_rest(here: Run, tmp_path: Path) -> None:
    masks = _rasters(tmp_path / "in", 3, 200, 330)
    done = here(
        "patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--grid", "--size", "128",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "padded: 12 of 18 tiles" in done.stdout
    tiles = _tiles(tmp_path / "out")
    assert set(tiles) == {f"o{number}_r{row}_c{column}" for number in range(3) for row in (0, 1) for column in range(3)}
    for name, (entry, mask, image) in tiles.items():
        source, row, column = name.split("_")
        assert (entry["row"], entry["column"]) == (int(row[1:]), int(column[1:]))
        assert (entry["y"], entry["x"]) == (128 * entry["row"], 128 * entry["column"])
        height, width = min(128, 200 - entry["y"]), min(128, 330 - entry["x"])
        assert mask.shape == (128 if height == 128 else 96, 128 if width == 128 else 96)
        expected = np.full(mask.shape, 255, np.uint8)
        expected[:height, :width] = masks[source][entry["y"] :, entry["x"] :][:height, :width]
        assert np.array_equal(mask, expected)
        original = np.asarray(Image.open(tmp_path / "in" / "images" / f"{source}.png")).astype(int)
        assert np.abs(original[entry["y"] :, entry["x"] :][:height, :width] - image[:height, :width]).mean() < 4
        assert (
            (image[height:].std(axis=(0, 1)) > 5).all() if height < mask.shape[0] else True
        )  # mirrored, no flat field
    data = TuningData.read(tmp_path / "out")
    assert set(data.scenes.values()) <= {"o0", "o1", "o2"} and data.task.ignores


def test_one_of_each_source_is_the_default_and_says_what_it_leaves(here: Run, tmp_path: Path) -> None:
    _rasters(tmp_path / "in", 4, 150, 150, (0, 1, 1))
    done = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "--size 160: no image has 1024 px a side; the largest has 150" in done.stdout
    assert set(_tiles(tmp_path / "out")) == {"o0", "o1", "o2", "o3"}
    done = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--size", "96", "--force")
    assert f"one tile of each source holds {96**2 / 150**2:.0%} of their pixels; --grid takes all" in done.stdout
    assert all("row" not in entry for entry, _, _ in _tiles(tmp_path / "out").values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--overlap", "0.25"), "--overlap 0.25: is between windows of a grid; add --grid"),
        (
            ("--grid", "--overlap", "64"),
            "--overlap 64: give a share of the tile's side, such as 0.25, or pixels up to 63",
        ),
        (("--grid", "--tiles-per-source", "3"), "--grid: takes all windows, and --tiles-per-source some"),
        (("--grid", "--nudge", "o1=1,1"), "--nudge: moves the one tile of a source"),
        (("--min-foreground", "5"), "--min-foreground 5: is a share from 0 to 1"),
        (("--shares", "70,30"), "--shares 70,30: give three numbers"),
        (("--shares", "0,50,50"), "--shares 0,50,50: give three numbers"),
    ],
)
def test_what_does_not_go_together_is_refused(here: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    _rasters(tmp_path / "in", 3, 130, 130)
    done = here("patches", "make", "--src", tmp_path / "in", "--dst", tmp_path / "out", "--size", "64", *words)
    assert done.returncode == 2 and said in " ".join(done.stderr.split()) and not (tmp_path / "out").exists()


def test_the_number_of_threads_changes_no_byte(tmp_path: Path) -> None:
    _rasters(tmp_path / "in", 3, 200, 300)
    options = Make(src=tmp_path / "in", dst=tmp_path / "out", size=64, grid=True)
    found = open_sources(options)
    plan = plan_tiles(found, options, {})
    written = []
    for threads in (1, 5):
        root = tmp_path / str(threads)
        for split in ("train", "val", "test"):
            for kind in ("images", "masks"):
                (root / split / kind).mkdir(parents=True)
        cut_tiles(root, found, plan, threads=threads)
        written.append({path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()})
    assert written[0] == written[1] and len(written[0]) == 2 * len(plan.tiles)
