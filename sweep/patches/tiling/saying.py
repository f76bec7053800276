"""What a plan of tiles says of itself: what was chosen, padded and left out, each in a line with counts."""

from __future__ import annotations

from collections.abc import Iterator

from sweep.patches.tiling.plan import PlannedTile, TilePlan
from trainables.data.tiles import SPLITS
from trainables.wording import counted

LISTED = 10
"""Tiles of one kind that are named; more are counted."""


def sentences(plan: TilePlan) -> Iterator[str]:
    """Yield the lines about a plan."""
    yield from plan.images.notes
    yield from plan.tiling.lines
    yield from _poor(plan)
    yield from _left_out(plan)
    if padded := [tile for tile in plan.tiles if tile.window.padded]:
        share = sum(tile.window.padded for tile in padded) / sum(tile.window.pixels for tile in plan.tiles)
        yield f"padded: {len(padded)} of {len(plan.tiles)} tiles, {share:.1%} of all pixels, which do not count"
    yield split_sentence(plan)


def split_sentence(plan: TilePlan) -> str:
    """Say who decided the split, and what it gave."""
    counts = plan.counts
    beyond = {split: [tile.window for tile in plan.tiles if tile.split == split] for split in SPLITS}
    rest = "foreground" if plan.task.binary else f"beyond {plan.task.classes[0]}"
    shares = [
        f"{sum(one.beyond_first for one in beyond[split]) / max(1, sum(one.labelled for one in beyond[split])):.1%}"
        for split in SPLITS
        if counts[split]
    ]
    return (
        f"split {plan.division.how}: {'/'.join(str(counts[split]) for split in SPLITS)} tiles for train/val/test, "
        f"{rest} {', '.join(shares)}"
    )


def _poor(plan: TilePlan) -> Iterator[str]:
    if plan.tiling.grid:
        return
    minimum, rest = plan.tiling.minimum, "foreground" if plan.task.binary else f"beyond {plan.task.classes[0]}"
    poor = [tile for tile in plan.tiles if tile.window.share < minimum]
    for tile in poor[:LISTED]:
        yield f"{tile.name}: no window reaches {minimum:.0%} {rest}; took {tile.window.share:.1%}"
    if len(poor) > LISTED:
        yield f"and {len(poor) - LISTED} more without such a window"


def _left_out(plan: TilePlan) -> Iterator[str]:
    out, chosen = plan.left_out, plan.tiling.selection
    if not plan.tiling.grid:
        whole = sum(
            plan.images.files[name].height * plan.images.files[name].width
            for name in {one.source for one in plan.tiles}
        )
        used = sum(tile.window.area.height * tile.window.area.width for tile in plan.tiles)
        if used < whole:
            yield f"one tile of each source holds {used / whole:.0%} of their pixels; --grid takes all"
    reasons = {
        "without a labelled pixel": out.unlabelled,
        f"with less than {chosen.min_foreground:.1%} foreground": out.poor,
        f"without any, beyond {chosen.negatives or 0:.0%} of the tiles": out.negative,
        f"that --tiles-per-source {chosen.tiles_per_source} did not draw": out.drawn,
    }
    if said := [f"{count} {reason}" for reason, count in reasons.items() if count]:
        yield f"windows left out: {', '.join(said)}"
    if out.short:
        names = ", ".join(out.short[:3]) + (f" and {len(out.short) - 3} more" if len(out.short) > 3 else "")
        yield f"fewer windows than asked for in {names}"
    if plan.unused:
        names = ", ".join(plan.unused[:3]) + (f" and {len(plan.unused) - 3} more" if len(plan.unused) > 3 else "")
        yield f"{len(plan.unused)} source{'s' if len(plan.unused) > 1 else ''} left out: {names}"


def turned(plan: TilePlan) -> str:
    """Say which images are turned upright; empty for none."""
    names = [
        name for name in dict.fromkeys(tile.source for tile in plan.tiles) if plan.images.files[name].orientation != 1
    ]
    if not names:
        return ""
    return (
        f"turned {counted(len(names), 'image')} upright, as the EXIF orientation says ({', '.join(names[:3])}"
        f"{', ...' if len(names) > 3 else ''}): masks must be upright, too"
    )


def source_of(plan: TilePlan, tile: PlannedTile) -> str:
    """Return what a manifest says of a tile's origin: the image's path and the window's place."""
    image, area = plan.images.files[tile.source].path, tile.window.area
    return f"{image.parent.name}/{image.name} x={area.left} y={area.top}"
