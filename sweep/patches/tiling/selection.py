"""Which of a source's windows become tiles."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sweep.patches.splits.parts import RasterPart
from sweep.patches.tiling.window import Window
from trainables.data.budgets import balanced_sample
from trainables.data.tiles import natural_order


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is taken of the windows of a grid.

    Attributes:
        tiles_per_source: At most so many windows of each source; None for all of them.
        min_foreground: Windows with less, in [0, 1], are left out, but for those without any foreground.
        negatives: Windows without foreground are at most this share of all, in [0, 1]; None for no limit.
        seed: Decides which, at least 0.
    """

    tiles_per_source: int | None = None
    min_foreground: float = 0.0
    negatives: float | None = None
    seed: int = 0


@dataclass
class LeftOut:
    """How many windows are left out, and why.

    Attributes:
        unlabelled: None of their pixels is labelled.
        poor: They have foreground, but less than wanted.
        negative: They have none, and there are enough of those.
        drawn: Others of their source were drawn.
        short: Sources that have fewer windows than were to be drawn.
    """

    unlabelled: int = 0
    poor: int = 0
    negative: int = 0
    drawn: int = 0
    short: list[str] = field(default_factory=list)


def select(
    windows: Mapping[RasterPart, Sequence[Window]], chosen: Selection
) -> tuple[dict[RasterPart, list[Window]], LeftOut]:
    """Choose windows; the order of the parts has no part in it.

    Args:
        windows: Part of a source to its windows.
        chosen: What is wanted.

    Returns:
        Part to the windows that are taken, in their order, and what is left out.
    """
    out = LeftOut()
    kept: dict[RasterPart, list[Window]] = {}
    for part in sorted(windows, key=lambda part: natural_order(str(part))):
        labelled = [one for one in windows[part] if one.labelled]
        kept[part] = [one for one in labelled if not one.beyond_first or one.share >= chosen.min_foreground]
        out.unlabelled += len(windows[part]) - len(labelled)
        out.poor += len(labelled) - len(kept[part])
    if chosen.tiles_per_source:
        of_source: Counter[str] = Counter()
        for part, found in kept.items():
            of_source[part.source] += len(found)
        kept = {
            part: _draw(part, found, chosen.tiles_per_source * len(found) / max(1, of_source[part.source]), chosen, out)
            for part, found in kept.items()
        }
    return _limit_negatives(kept, chosen, out), out


def _draw(part: RasterPart, windows: list[Window], wanted: float, chosen: Selection, out: LeftOut) -> list[Window]:
    """Draw some of a part's windows, spread over the shares of foreground that there are."""
    count = max(1, round(wanted))
    positive = [one for one in windows if one.beyond_first]
    negative = [one for one in windows if not one.beyond_first]
    random = np.random.default_rng([chosen.seed, zlib.crc32(str(part).encode())])
    if chosen.negatives is not None:
        few = min(len(negative), round(count * chosen.negatives))
        many = min(len(positive), count - few)
        picked = {*_balanced(positive, many, random), *_balanced(negative, few, random)}
    else:
        picked = set(_balanced(windows, min(count, len(windows)), random))
    if len(picked) < count:
        out.short.append(part.source)
    out.drawn += len(windows) - len(picked)
    return [one for one in windows if one in picked]


def _balanced(windows: Sequence[Window], count: int, random: np.random.Generator) -> list[Window]:
    if not count:
        return []
    shares = np.array([[one.share] for one in windows])
    return [windows[index] for index in balanced_sample(shares, count, random).tolist()]


def _limit_negatives(
    kept: Mapping[RasterPart, list[Window]], chosen: Selection, out: LeftOut
) -> dict[RasterPart, list[Window]]:
    """Leave out windows without foreground that are more than the wanted share of all."""
    places = [(part, one) for part, windows in kept.items() for one in windows]
    empty = [place for place in places if not place[1].beyond_first]
    positive = len(places) - len(empty)
    if chosen.negatives is None or chosen.negatives >= 1 or not positive:
        return dict(kept)
    allowed = int(positive * chosen.negatives / (1 - chosen.negatives) + 1e-9)
    order = np.random.default_rng([chosen.seed, 1]).permutation(len(empty)).tolist()
    dropped = {empty[index] for index in order[allowed:]}
    out.negative += len(dropped)
    return {part: [one for one in windows if (part, one) not in dropped] for part, windows in kept.items()}
