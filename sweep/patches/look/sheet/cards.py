"""Which tiles the contact sheet shows, and what it says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.charts.tile_pictures import MOST_TILES, TilePictures, tile_pictures
from sweep.cli.counting import Watch
from sweep.machine.threads import in_threads
from sweep.patches.checks.checking import Report, class_shares
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles
from trainables.task import IGNORE_INDEX

LARGE_SIDE, MOST_LARGE = 768, 60
"""Longest side in pixels of a tile that looks wrong, and how many of those are shown so large."""
BUDGET = 20 * 2**20
"""Bytes of a sheet's pictures; what is beyond is left out, and said."""
NAMED = 3
"""Classes of a tile that are named, the commonest first."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A tile in the sheet.

    Attributes:
        name: The tile's.
        split: Where it is.
        scene: Its scene; empty where that is not known.
        size: ``WIDTHxHEIGHT`` in pixels.
        shares: What its mask shows, in words.
        suspicions: Why the mask looks wrong; none for most.
        image: ``data:`` address of what a person sees.
        outlines: Of the mask's outlines, to be laid over it.
        areas: Of the mask's areas, likewise.
    """

    name: str
    split: str
    scene: str
    size: str
    shares: str
    suspicions: tuple[Suspicion, ...]
    image: str
    outlines: str
    areas: str

    @property
    def weight(self) -> int:
        """Bytes of its pictures."""
        return len(self.image) + len(self.outlines) + len(self.areas)


def choose_tiles(report: Report, suspicions: Sequence[Suspicion]) -> list[tuple[str, CheckedTile]]:
    """Return the tiles to show: those that look wrong, in their order, then the others; of many, evenly spread ones."""
    order = {mask: number for number, mask in enumerate(dict.fromkeys(one.mask for one in suspicions))}
    tiles = all_tiles(report)
    first = sorted((one for one in tiles if one[1].mask in order), key=lambda one: order[one[1].mask])[:MOST_TILES]
    others = [one for one in tiles if one[1].mask not in order]
    room = MOST_TILES - len(first)
    if len(others) > room:
        others = [others[number * len(others) // room] for number in range(room)]
    return first + others


def draw_cards(report: Report, suspicions: Sequence[Suspicion], watch: Watch, notes: Notes) -> list[Card]:
    """Return the tiles that the sheet shows, in their order, and as many as its pictures' weight allows.

    Those that look wrong are drawn first, the others by chance, so that what is left out is of all splits.
    """
    why: dict[str, list[Suspicion]] = {}
    for suspicion in suspicions:
        why.setdefault(suspicion.mask, []).append(suspicion)
    tiles = choose_tiles(report, suspicions)
    wrong = sum(files.mask in why for _, files in tiles)
    others = np.random.default_rng(0).permutation(np.arange(wrong, len(tiles))).tolist()
    numbers = [*range(wrong), *others]

    def card(number: int) -> Card:
        split, files = tiles[number]
        found = tuple(why.get(files.mask, ()))
        if found and number < MOST_LARGE:
            shown = tile_pictures(report.read(files), report.task, LARGE_SIDE)
        else:
            shown = notes.pictures.of(report, files)
        return _card(report, split, files, found, shown)

    cards: dict[int, Card] = {}
    weight = 0
    drawn = watch("drawing the contact sheet", in_threads(card, numbers), len(numbers))
    for number, one in zip(numbers, drawn, strict=True):
        weight += one.weight
        if weight > BUDGET:
            break
        cards[number] = one
    return [cards[number] for number in sorted(cards)]


def _card(report: Report, split: str, files: CheckedTile, found: tuple[Suspicion, ...], shown: TilePictures) -> Card:
    image, outlines, areas = shown
    return Card(
        name=files.name,
        split=split,
        scene=report.scenes.of.get(files.name, ""),
        size=files.size,
        shares=_shares(files, report),
        suspicions=found,
        image=image,
        outlines=outlines,
        areas=areas,
    )


def _shares(files: CheckedTile, report: Report) -> str:
    """Say what a mask shows, the commonest classes first."""
    if files.values[IGNORE_INDEX] == files.values.sum():
        return "nothing counts"
    shares = class_shares(files, report.task)
    if report.task.binary:
        name = report.task.classes[1]
        return f"{name} {shares[name]:.1%}"
    found = sorted((one for one in shares.items() if one[1] > 0), key=lambda one: -one[1])
    rest = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(f"{name} {share:.0%}" for name, share in found[:NAMED]) + rest
