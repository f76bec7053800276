"""What ``make`` says before it works: what it took the folder for, and which mask is whose."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sweep.cli.output import Output
from sweep.cli.tables import Sheet, columns_of
from sweep.patches.layouts.sources import SourceSet
from sweep.patches.tiling.plan import TilePlan
from trainables.data.tiles import SPLITS
from trainables.wording import counted

SHOWN_CLASSES = 8
SHOWN_NOTES = 10
SHOWN_PAIRS = 30


def say_found(folder: Path, found: SourceSet, output: Output) -> None:
    """Say in a line what a folder was taken for, and what of it was left out."""
    masks = len({source.mask for source in found.sources.values()})
    classes = found.task.classes
    shown = ", ".join(classes[:SHOWN_CLASSES]) + (", ..." if len(classes) > SHOWN_CLASSES else "")
    lines = [
        f"{folder}: {found.layout}: {counted(len(found.sources), 'image')}, {counted(masks, *found.kind)}, "
        f"{len(classes)} classes ({shown})",
        *found.notes[:SHOWN_NOTES],
    ]
    if len(found.notes) > SHOWN_NOTES:
        lines.append(f"and {len(found.notes) - SHOWN_NOTES} more that were left out; --json lists them")
    for line in lines:
        output.console.print(line)
    output.events.emit(
        "layout",
        path=str(folder),
        layout=found.layout,
        images=len(found.sources),
        masks=masks,
        classes=list(classes),
        notes=list(found.notes),
    )


def say_work(folder: Path, plan: TilePlan, output: Output) -> None:
    """Say in a line what will be made."""
    counts = ", ".join(f"{split} {count}" for split, count in plan.counts.items())
    total = counted(sum(plan.counts.values()), "tile")
    line = f"{folder}: {total} of up to {plan.tiling.size} pixels: {counts}; split {plan.division.how}"
    output.console.print(line)


def say_pairs(found: SourceSet, plan: TilePlan, output: Output) -> None:
    """Show which mask each image has, which split it is in and how many tiles it gives; a program gets all pairs."""
    tiles: dict[str, Counter[str]] = {name: Counter() for name in found.sources}
    for tile in plan.tiles:
        tiles[tile.source][tile.split] += 1
    rows = []
    for name, source in found.sources.items():
        split = " ".join(one for one in SPLITS if tiles[name][one]) or "none"
        output.events.emit(
            "pair",
            name=name,
            image=str(source.image),
            mask=str(source.mask),
            split="" if split == "none" else split,
            tiles=dict(tiles[name]),
        )
        rows.append((split, name, str(tiles[name].total()), str(source.image), str(source.mask)))
    rows.sort(key=lambda row: (*SPLITS, "none").index(row[0].split()[0]))
    counts = ", ".join(f"{split} {count}" for split, count in plan.counts.items())
    title = f"{counted(len(rows), 'image')}: {counts}" + (
        f"; the first {SHOWN_PAIRS}" if len(rows) > SHOWN_PAIRS else ""
    )
    output.results.print(Sheet(title, columns_of("split", "tile", "tiles", "image", found.kind[0]), rows[:SHOWN_PAIRS]))
    output.results.print("nothing was written; leave out --dry-run to make the dataset")
