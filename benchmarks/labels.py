"""How many of the labels that ``sweep.audit labels`` ranks first are wrong, where errors were planted.

Run with ``python -m benchmarks.labels``; minutes on two CPU cores, most of them for the probes. Of all labelled objects
10 % are removed, 5 % as many are copied to empty ground, and a tenth of the masks is moved by 8 pixels. A finding is
right where it lies on a planted object, or names a moved mask. ``--patches DIR`` plants into your own tiles in memory,
prints only, and writes nothing: what is found there beyond the planted errors may be wrong, too.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report
from sweep.audit.masks.auditing import audit_labels
from sweep.audit.masks.finding import INVENTED, MISSING, SHIFTED, LabelFinding
from sweep.audit.masks.predicting import ProbeFolds
from sweep.patches.synthetic import draw_scene
from sweep.rasters.shift import moved
from trainables.data.tiles import Tile, TuningData

REMOVED, COPIED, MOVED, SHIFT = 0.10, 0.05, 0.10, 8
LEAST, GAP, SIDE = 64, 9, 256
"""Pixels of an object, pixels around a copied one that are empty, and of a drawn tile's side."""
OVERLAP = 0.3
"""Of the smaller one of a finding and a planted object, which they have in common."""
FIRST = (10, 20, 30)


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A planted error.

    Attributes:
        tile: Its number.
        kind: Which finding it is.
        region: (H, W) bool; all of it for a moved mask.
    """

    tile: int
    kind: str
    region: NDArray[np.bool_]


def plant(tiles: Sequence[Tile], seed: int) -> tuple[list[Tile], list[Planted]]:
    """Plant errors; returns the tiles with them, and where they are."""
    random = np.random.default_rng(seed)
    masks, planted = [tile.mask.copy() for tile in tiles], []
    objects = [(number, region) for number, mask in enumerate(masks) for region in _objects(mask)]
    for chosen in random.permutation(len(objects))[: round(REMOVED * len(objects))].tolist():
        number, region = objects[chosen]
        masks[number][region] = 0
        planted.append(Planted(tile=number, kind=MISSING, region=region))
    left, tries = round(COPIED * len(objects)), 0
    while left and tries < 100 * len(objects):
        tries += 1
        number, (_, region) = int(random.integers(len(tiles))), objects[int(random.integers(len(objects)))]
        if (place := _placed(region, tiles[number].mask, masks[number], random)) is not None:
            masks[number][place] = 1
            planted.append(Planted(tile=number, kind=INVENTED, region=place))
            left -= 1
    for number in random.permutation(len(tiles))[: max(1, round(MOVED * len(tiles)))].tolist():
        angle = random.uniform(0, 2 * np.pi)
        masks[number] = moved(masks[number], round(SHIFT * np.cos(angle)), round(SHIFT * np.sin(angle)))
        planted.append(Planted(tile=number, kind=SHIFTED, region=np.ones(masks[number].shape, bool)))
    return [replace(tile, mask=mask) for tile, mask in zip(tiles, masks, strict=True)], planted


def _objects(mask: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    count, numbers, stats, _ = cv2.connectedComponentsWithStats((mask == 1).astype(np.uint8), connectivity=4)
    return [numbers == one for one in range(1, count) if stats[one, cv2.CC_STAT_AREA] >= LEAST]


def _placed(
    region: NDArray[np.bool_], truth: NDArray[np.uint8], mask: NDArray[np.uint8], random: np.random.Generator
) -> NDArray[np.bool_] | None:
    """Return where a copy of an object is, on ground that is empty around it; None where the drawn place is not."""
    rows, columns = np.nonzero(region)
    shape = region[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    room = (mask.shape[0] - shape.shape[0], mask.shape[1] - shape.shape[1])
    if min(room) < 1:
        return None
    top, left = (int(random.integers(one)) for one in room)
    place = np.zeros(mask.shape, bool)
    place[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
    around = cv2.dilate(place.astype(np.uint8), np.ones((GAP, GAP), np.uint8)) > 0
    return None if truth[around].any() or mask[around].any() else place


def is_right(finding: LabelFinding, number: int, planted: Sequence[Planted]) -> bool:
    """Whether a finding in a tile is one of the planted errors."""
    own = [one for one in planted if one.tile == number]
    if finding.kind == SHIFTED:
        return any(one.kind == SHIFTED for one in own)
    top, left, bottom, right = finding.box
    for one in own:
        if one.kind == SHIFTED:
            continue
        common = int((one.region[top:bottom, left:right] & finding.region).sum())
        if common >= OVERLAP * min(finding.pixels, int(one.region.sum())):
            return True
    return False


def drawn(count: int) -> TuningData:
    """Draw tiles of roofs, each a scene of its own."""
    tiles = []
    for number in range(count):
        image, mask = draw_scene(number, size=SIDE)
        tiles.append(Tile(name=f"t{number}", image=np.ascontiguousarray(image), mask=np.ascontiguousarray(mask)))
    scenes = {tile.name: tile.name for tile in tiles}
    return TuningData(train=tuple(tiles), val=(), name="drawn", synthetic=True, fingerprint="", scenes=scenes)


def measure(data: TuningData, report: Report, name: str, seed: int) -> None:
    """Plant, look, and note how many of the first findings are right."""
    tiles, planted = plant((*data.train, *data.val), seed)
    task = replace(data.task, ignores=True)  # what is moved in does not count
    folds = ProbeFolds.of(replace(data, train=tuple(tiles), val=(), task=task), None, seed)
    found = audit_labels(folds.fit(seed, "auto"), data.task, len(tiles)).findings
    numbers = {tile.name: number for number, tile in enumerate(tiles)}
    right = [is_right(one, numbers[one.tile], planted) for one in found]
    kinds = ", ".join(f"{count} x {kind}" for kind, count in Counter(one.kind for one in planted).items())
    report.note(f"{name}: tiles, planted errors", f"{len(tiles)}, {kinds}")
    report.note(f"{name}: findings", len(found))
    for first in FIRST:
        report.note(
            f"{name}: right among the first {first} findings",
            f"{sum(right[:first])} ({sum(right[:first]) / first:.0%})",
        )
    chance = len({one.tile for one in planted}) / len(tiles)
    report.note(f"{name}: tiles with a planted error", f"{chance:.0%}")
    hit = sum(any(is_right(f, numbers[f.tile], [one]) for f in found[: len(planted)]) for one in planted)
    report.note(f"{name}: planted errors among as many findings", f"{hit} of {len(planted)}")
    wrong = [one for one, is_so in zip(found[: FIRST[1]], right, strict=False) if not is_so]
    for one in wrong:
        report.note(f"{name}: not planted", f"{one.tile}: {one.kind}, score {one.score:.2f}, {one.box}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="drawn tiles")
    parser.add_argument("--patches", type=Path, help="plant into these tiles instead, and print only")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.patches:
        results = Report(name="labels_of_your_tiles")
        measure(TuningData.read(given.patches), results, str(given.patches), given.seed)
    else:
        results = Report(name="labels")
        measure(drawn(given.count), results, "drawn", given.seed)
        results.write()
