"""Draws the contact sheet: each tile with what the model sees in it, and where it is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from sweep.charts.page import drawing, page_script, page_style, page_templates, policy
from sweep.charts.tile_pictures import mask_colours, tile_pictures
from sweep.next.chosen import ChosenTile
from trainables.data.tiles import Tile
from trainables.task import Task

SIDE = 384
"""Longest side in pixels of a picture."""
LEVELS = 16
"""Of uncertainty, in the picture."""
UNSURE = (255, 140, 0)
"""Its colour: the more of it, the less sure."""


@dataclass(frozen=True, kw_only=True)
class ChosenCard:
    """A tile in the sheet: four pictures of one size, as ``data:`` addresses, and words."""

    rank: int
    name: str
    why: str
    place: str
    image: str
    outlines: str
    areas: str
    unsure: str


def draw_card(tile: ChosenTile, task: Task, why: str) -> ChosenCard:
    """Draw a tile.

    Args:
        tile: The tile.
        task: What its predicted mask means.
        why: What is said of it.
    """
    image, outlines, areas = tile_pictures(Tile(name=tile.window.name, image=tile.image, mask=tile.mask), task, SIDE)
    return ChosenCard(
        rank=tile.rank,
        name=tile.window.name,
        why=why,
        place=place_of(tile),
        image=image,
        outlines=outlines,
        areas=areas,
        unsure=_heat(tile.unsure),
    )


def place_of(tile: ChosenTile) -> str:
    """Say where a tile is."""
    return f"{tile.raster.name}, x {tile.window.left}, y {tile.window.top}, {tile.window.size} px"


def draw_chosen(title: str, headline: str, notes: Sequence[str], cards: Sequence[ChosenCard], task: Task) -> str:
    """Return the sheet as HTML, without its seal.

    Args:
        title: What was chosen from.
        headline: What was chosen.
        notes: How, a sentence each.
        cards: The tiles, the one to label first first.
        task: What masks mean.
    """
    script = page_script("")
    return str(
        page_templates("sweep.next.sheet")
        .get_template("chosen.html")
        .render(
            title=title,
            headline=headline,
            notes=notes,
            cards=cards,
            legend=_legend(task),
            style=Markup(page_style() + files("sweep.next.sheet").joinpath("style.css").read_text(encoding="utf-8")),
            script=Markup(script),
            policy=policy(script),
        )
    )


def _legend(task: Task) -> list[tuple[str, str]]:
    shown = [(index, colour) for index, colour in mask_colours(task).items() if index < len(task.classes)]
    named = [(task.classes[index], "#{:02x}{:02x}{:02x}".format(*colour)) for index, colour in shown]
    return [*named, ("unsure", "#{:02x}{:02x}{:02x}".format(*UNSURE))]


def _heat(unsure: NDArray[np.float32]) -> str:
    """Return a picture of the uncertainty, transparent where there is none."""
    height, width = unsure.shape
    factor = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(unsure, size, interpolation=cv2.INTER_AREA)
    levels = np.clip(small * LEVELS, 0, LEVELS - 1).astype(np.uint8)
    picture = Image.fromarray(levels).convert("P")
    palette = np.zeros((256, 3), np.uint8)
    palette[:LEVELS] = UNSURE
    picture.putpalette(palette.tobytes())
    picture.info["transparency"] = bytes(230 * level // (LEVELS - 1) for level in range(LEVELS)) + bytes(256 - LEVELS)
    return drawing(picture, fast=True)
