"""How often masks that are shifted against their images are found, and what a contact sheet costs.

Run with ``python -m benchmarks.masks``; about three minutes on two CPU cores. Each mask of a dataset is looked at as it
is, and once more after it was moved by 8 pixels in a drawn direction; what is moved in does not count. That gives
precision and recall as if a tenth of the masks were moved. ``--patches DIR`` plants into your own tiles instead of
drawn ones, and prints only; nothing is written there. The times are those of ``sweep.patches sheet`` as a whole, on
drawn tiles.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.processes import run_module
from benchmarks.report import Report
from sweep.patches.checks.checking import check
from sweep.patches.folders import write_tile
from sweep.patches.synthetic import draw_scene
from sweep.rasters.shift import SURE, best_shift, moved
from trainables.data.tiles import SPLITS, Tile
from trainables.task import Task

SHIFT = 8
SHARE = 0.1
"""Of the masks that are taken to be moved."""
RIGHT = 3.0
"""Pixels within which the shift that is reported must be the planted one."""
SIDE, TURNS = 512, 8
"""Pixels of a drawn tile, and how often each scene is used: turned and mirrored."""


def plant(tiles: Sequence[Tile], report: Report, name: str) -> None:
    """Note how many moved masks are found, and how many others are."""
    random = np.random.default_rng(1)
    wrong = found = right = 0
    for tile in tiles:
        shift = best_shift(tile)
        wrong += shift is not None and shift.sure >= SURE
        angle = random.uniform(0, 2 * np.pi)
        across, down = round(SHIFT * np.cos(angle)), round(SHIFT * np.sin(angle))
        shift = best_shift(replace(tile, mask=moved(tile.mask, across, down)))
        if shift is not None and shift.sure >= SURE:
            found += 1
            right += bool(np.hypot(shift.right + across, shift.down + down) <= RIGHT)
    true, false = SHARE * found, (1 - SHARE) * wrong
    report.note(f"{name}: moved masks that are found, of {len(tiles)} (recall)", f"{found} ({found / len(tiles):.0%})")
    report.note(f"{name}: of those, with the planted shift to {RIGHT:g} px", right)
    report.note(f"{name}: masks as they are that are found, of {len(tiles)}", wrong)
    precision = f"{true / (true + false):.0%}" if found else "nothing found"
    report.note(f"{name}: precision where {SHARE:.0%} of the masks are moved", precision)


def draw_dataset(root: Path, count: int) -> None:
    """Draw tiles of roofs, most of them train."""
    for number in range(count):
        image, mask = draw_scene(number // TURNS, size=SIDE)
        image, mask = (np.rot90(one, number % 4) for one in (image, mask))
        if number % TURNS >= 4:
            image, mask = image[:, ::-1], mask[:, ::-1]
        split = SPLITS[{8: 1, 9: 2}.get(number % 10, 0)]
        for kind in ("images", "masks"):
            (root / split / kind).mkdir(parents=True, exist_ok=True)
        write_tile(root, split, f"t{number}", np.ascontiguousarray(image), np.ascontiguousarray(mask), Task())


def time_sheet(count: int, report: Report) -> None:
    """Note seconds, memory and bytes of a whole command."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tiles"
        draw_dataset(root, count)
        used = run_module("sweep.patches", "sheet", "--patches", root, log=Path(folder) / "log")
        report.note(f"sheet of {count} tiles of {SIDE} px: seconds, CPU seconds", [used.seconds, used.cpu_seconds])
        report.note(f"sheet of {count} tiles: most memory, in MiB", used.most_mib)
        report.note(f"sheet of {count} tiles: MiB of the file", (root / "contact_sheet.html").stat().st_size / 2**20)


def run(patches: Path | None, counts: Sequence[int], scenes: int) -> None:
    """Measure both; without ``patches`` on drawn tiles."""
    report = Report(name="masks")
    if patches:
        found = check(patches, leaks=False)
        tiles = [tile for part in found.splits.values() for tile in found.pictures(part)]
        plant(tiles, report, patches.resolve().name)
    else:
        drawn = [draw_scene(seed) for seed in range(scenes)]
        plant([Tile(name="drawn", image=image, mask=mask) for image, mask in drawn], report, "drawn roofs")
    for count in sorted(counts):
        time_sheet(count, report)
    if not patches:
        report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=Path, help="a dataset of your own")
    parser.add_argument("--counts", type=int, nargs="*", default=[60, 500], help="tiles of the sheets that are timed")
    parser.add_argument("--scenes", type=int, default=60, help="drawn tiles")
    given = parser.parse_args()
    run(given.patches, given.counts, given.scenes)
