"""Masks that look wrong: a contract for each kind of suspicion, and what each of them finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sweep.cli.counting import unwatched
from sweep.patches.checks.checking import Report
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.finding import MaskCheck, Suspicion
from sweep.patches.look.suspicion.registry import CHECKS, suspicious_masks
from sweep.patches.splits.scenes import KnownScenes
from sweep.rasters.shift import _part, best_shift
from trainables.data.imagery import Imagery
from trainables.data.manifest import Leak, Manifest
from trainables.data.tiles import SPLITS, Tile
from trainables.task import IGNORE_INDEX, Task

SIDE = 256
Pixels = NDArray[np.uint8]


def _scene(seed: int, height: int = SIDE, width: int = SIDE, bands: int = 3) -> tuple[Pixels, Pixels]:
    """Draw grainy ground with a dozen roofs, bright and dark, and their mask."""
    random = np.random.default_rng(seed)
    image = random.normal(110, 10, (height, width, bands))
    mask = np.zeros((height, width), np.uint8)
    for _ in range(height * width // 5_000):
        top, left = random.integers(4, height - 44), random.integers(4, width - 44)
        down, right = random.integers(16, 40, 2)
        image[top : top + down, left : left + right] += random.choice([-60, 50, 90])
        mask[top : top + down, left : left + right] = 1
    return image.clip(0, 255).astype(np.uint8), mask


@dataclass(frozen=True, kw_only=True)
class _Kept(CheckedTile):
    """A tile that is in memory instead of in files."""

    tile: Tile

    def read(self, root: Path, task: Task, imagery: Imagery) -> Tile:
        return self.tile

    def read_mask(self, root: Path, task: Task) -> Pixels:
        return self.tile.mask


def _files(name: str, image: Pixels, mask: Pixels, split: str = "train") -> CheckedTile:
    return _Kept(
        tile=Tile(name=name, image=image, mask=mask),
        name=name,
        image=f"{split}/images/{name}.png",
        mask=f"{split}/masks/{name}.png",
        image_sha256=name,
        mask_sha256=name,
        shape=mask.shape,
        values=np.bincount(mask.reshape(-1), minlength=256),
    )


def _report(tiles: Mapping[str, tuple[Pixels, Pixels]], task: Task | None = None, **changes: Any) -> Report:
    """Return a dataset: every fifth tile is of val, and the one after it of test."""
    splits: dict[str, tuple[CheckedTile, ...]] = dict.fromkeys(SPLITS, ())
    for number, (name, (image, mask)) in enumerate(tiles.items()):
        split = {3: "val", 4: "test"}.get(number % 5, "train")
        splits[split] = (*splits[split], _files(name, image, mask, split))
    known = {
        "root": Path("nowhere"),
        "faults": (),
        "manifest": None,
        "scenes": KnownScenes(of={}, origin=""),
        "leaks": (),
        "same_ground": (),
    }
    return Report(splits=splits, **{**known, "task": task or Task(), **changes})


def _manifest(entries: Mapping[str, Mapping[str, Any]]) -> Manifest:
    return Manifest(
        name="d", origin="", licence="", version="", synthetic=False, splits={}, files={**entries}, leaks=()
    )


def _moved(mask: Pixels, right: int, down: int) -> Pixels:
    """Move a mask; what is moved in does not count."""
    height, width = mask.shape
    result = np.full_like(mask, 255)
    result[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = mask[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    return result


@pytest.fixture(scope="module")
def sound() -> dict[str, tuple[Pixels, Pixels]]:
    return {f"t{number}": _scene(number) for number in range(10)}


def _odd_datasets() -> Iterator[tuple[str, Report]]:
    small = {f"t{number}": _scene(number, 64, 96) for number in range(3)}
    yield "three small tiles", _report(small)
    yield "one band", _report({name: (image[..., :1], mask) for name, (image, mask) in small.items()})
    yield "five bands", _report({f"t{number}": _scene(number, bands=5) for number in range(3)})
    yield "no pixel counts", _report({name: (image, np.full_like(mask, 255)) for name, (image, mask) in small.items()})
    yield "flat images", _report({name: (image * 0, mask) for name, (image, mask) in small.items()})
    yield "one tile", _report({"t0": _scene(0)})


ODD = dict(_odd_datasets())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("report", ODD.values(), ids=ODD.keys())
def test_a_check_takes_any_sound_dataset(check: MaskCheck, report: Report) -> None:
    found = list(check.find(report, Notes(), unwatched))
    tiles = {files.mask: (split, files.name) for split, part in report.splits.items() for files in part}
    assert len({one.mask for one in found}) == len(found)
    for one in found:
        assert tiles[one.mask] == (one.split, one.tile) and one.kind == check.name and 0 <= one.weight <= 1
        assert one.why and one.why.isprintable() and not one.why.endswith(".")
    assert found == list(check.find(report, Notes(), unwatched)), "the same each time"


def test_checks_have_names_of_their_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) and all(check.about for check in CHECKS)


def test_sound_masks_are_not_suspicious(sound: dict[str, tuple[Pixels, Pixels]]) -> None:
    before = {name: (image.copy(), mask.copy()) for name, (image, mask) in sound.items()}
    assert suspicious_masks(_report(sound)) == ()
    assert all(
        (image == sound[name][0]).all() and (mask == sound[name][1]).all() for name, (image, mask) in before.items()
    )


@pytest.mark.parametrize(
    ("right", "down", "words"),
    [(9, 0, "9 px further left"), (0, -8, "8 px further down"), (-6, 6, "6 px further right and 6 px further up")],
)
def test_a_shifted_mask_is_found_with_its_way_back(
    right: int, down: int, words: str, sound: dict[str, tuple[Pixels, Pixels]]
) -> None:
    image, mask = sound["t3"]
    found = suspicious_masks(_report({**sound, "t3": (image, _moved(mask, right, down))}))
    assert [(one.tile, one.split, one.kind, one.why) for one in found] == [
        ("t3", "val", "shifted", f"objects fit the image {words}")
    ]


def test_a_shift_is_found_in_several_classes_and_by_dark_and_bright_edges(
    sound: dict[str, tuple[Pixels, Pixels]],
) -> None:
    image, mask = sound["t1"]
    mask = mask * np.uint8(2)
    mask[(mask == 0) & (np.arange(SIDE) < 128)] = 1
    image = image.copy()
    image[:, :128] = np.minimum(image[:, :128], 250) // 2
    shift = best_shift(Tile(name="t", image=image, mask=_moved(mask, 8, 0)))
    assert shift is not None and (shift.right, shift.down) == (-8, 0) and shift.sure > 0.95


def test_too_few_outlines_say_nothing() -> None:
    image, mask = np.full((SIDE, SIDE, 3), 90, np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    image[100:120, 108:128] = 200
    mask[100:120, 100:120] = 1
    assert best_shift(Tile(name="t", image=image, mask=mask)) is None


def test_one_empty_mask_among_others_is_odd_and_many_are_not(sound: dict[str, tuple[Pixels, Pixels]]) -> None:
    def kinds(names: str) -> list[str]:
        tiles = {name: (image, mask * 0 if name in names.split() else mask) for name, (image, mask) in sound.items()}
        return [f"{one.tile}: {one.why}" for one in suspicious_masks(_report(tiles))]

    assert kinds("t2") == ["t2: empty, unlike 9 of 10 masks"]
    assert kinds("t2 t3 t4 t5") == []


def test_one_mask_of_the_object_alone_is_odd_among_many_empty_ones(sound: dict[str, tuple[Pixels, Pixels]]) -> None:
    ways = {"t1": 0, "t2": 0, "t3": 0, "t5": 0}
    tiles = {name: (image, mask * ways.get(name, 1)) for name, (image, mask) in sound.items()}
    found = suspicious_masks(_report({**tiles, "t7": (tiles["t7"][0], np.ones_like(tiles["t7"][1]))}))
    assert [(one.tile, one.why) for one in found] == [("t7", "all foreground, unlike 9 of 10 masks")]


def test_a_mask_that_is_all_ignored_or_all_foreground_is_odd(sound: dict[str, tuple[Pixels, Pixels]]) -> None:
    image, mask = sound["t2"]
    found = suspicious_masks(
        _report({**sound, "t2": (image, np.full_like(mask, 255)), "t4": (image, np.ones_like(mask))})
    )
    assert [one.tile for one in found] == ["t2", "t4"]
    assert found[0].why == "no pixel counts: all of the mask is ignored"
    assert found[1].why == "all foreground, unlike 9 of 10 masks"


def _grid(overlap: int = 0) -> tuple[dict[str, tuple[Pixels, Pixels]], dict[str, dict[str, Any]]]:
    """Cut a scene into three by three tiles; returns them and their manifest entries."""
    image, mask = _scene(7, 3 * 128, 3 * 128)
    step, tiles, entries = 128 - overlap, {}, {}
    for number in range(9):
        row, column = divmod(number, 3)
        top, left = row * step, column * step
        name = f"big_r{row}_c{column}"
        tiles[name] = (image[top : top + 128, left : left + 128], mask[top : top + 128, left : left + 128].copy())
        split = {3: "val", 4: "test"}.get(number % 5, "train")
        place = {"row": row, "column": column, "source": f"in/big.tif x={left} y={top}"}
        entries[f"{split}/images/{name}.png"] = {"sha256": name, **place}
    return tiles, entries


@pytest.mark.parametrize("overlap", [0, 32])
@pytest.mark.parametrize("by", ["rows and columns", "georeference"])
def test_a_mask_that_breaks_off_at_its_neighbours_is_found(overlap: int, by: str) -> None:
    tiles, entries = _grid(overlap)
    if by == "georeference":
        for entry in entries.values():
            left, top = (float(part[2:]) for part in entry.pop("source").split()[1:])
            del entry["row"], entry["column"]
            entry |= {"transform": [0.3, 0, 5e5 + 0.3 * left, 0, -0.3, 5e6 - 0.3 * top], "crs": "EPSG:32633"}
    manifest = _manifest(entries)
    assert not _of("neighbours", _report(tiles, manifest=manifest))
    image, mask = tiles["big_r1_c1"]
    found = _of("neighbours", _report({**tiles, "big_r1_c1": (image, mask.T.copy())}, manifest=manifest))
    assert [one.tile for one in found] == ["big_r1_c1"]
    assert ("continue in big_r" if not overlap else "of the ground that is also in big_r") in found[0].why


def _of(kind: str, report: Report) -> list[Suspicion]:
    return [one for one in suspicious_masks(report) if one.kind == kind]


@pytest.mark.parametrize("how", ["as it is", "mirrored", "turned", "a part"])
def test_masks_of_the_same_ground_must_agree(how: str, sound: dict[str, tuple[Pixels, Pixels]]) -> None:
    def seen(pixels: Pixels) -> Pixels:
        way = {
            "mirrored": lambda: pixels[:, ::-1],
            "turned": lambda: np.rot90(pixels),
            "a part": lambda: pixels[:, 64:],
        }
        return np.ascontiguousarray(way.get(how, lambda: pixels)())

    image, mask = sound["t0"]
    pair = (Leak(first="train/images/t0.png", second="train/images/t1.png", how="the same ground"),)
    tiles = {**sound, "t1": (seen(image), seen(mask))}
    assert not _of("same ground", _report(tiles, leaks=pair))
    other = mask.copy()
    other[80:140, 80:140] = 1 - other[80:140, 80:140]
    found = _of("same ground", _report({**tiles, "t1": (seen(image), seen(other))}, leaks=pair))
    assert {one.tile for one in found} == {"t0", "t1"}
    assert any(one.why.startswith("shows the same ground as t0, whose mask differs on") for one in found)


def test_pairs_of_the_manifest_count_where_nobody_has_looked_now(sound: dict[str, tuple[Pixels, Pixels]]) -> None:
    pair = (Leak(first="train/images/t0.png", second="train/images/t1.png", how="the same ground"),)
    image = sound["t0"][0]
    manifest = replace(_manifest({}), same_ground=pair)
    report = _report({**sound, "t1": (image, _scene(55)[1])}, manifest=manifest, leaks=None, same_ground=None)
    assert {one.tile for one in _of("same ground", report)} == {"t0", "t1"}


def test_of_a_large_tile_the_part_with_most_outlines_is_looked_at() -> None:
    mask = np.zeros((1024, 960), np.uint8)
    mask[:100] = IGNORE_INDEX
    for top in range(400, 880, 40):
        mask[top : top + 20, 330:800:40] = 1
    image = np.arange(mask.size, dtype=np.int64).reshape(mask.shape)[..., None] % 251
    part = _part(Tile(name="t", image=np.repeat(image, 3, axis=2).astype(np.uint8), mask=mask))
    assert part.mask.shape == (512, 512) == part.image.shape[:2]
    assert (part.mask == 1).sum() == (mask == 1).sum() and not (part.mask == IGNORE_INDEX).any()
