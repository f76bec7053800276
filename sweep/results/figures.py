"""A picture that puts image, truth and the predictions of all contenders side by side."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sweep.records.experiment import Experiment
from sweep.records.store import ScoreRow
from sweep.results.classes import task_of
from sweep.results.rows import LeaderboardRow
from trainables.metrics import score_mask
from trainables.overlays import FALSE_ALARM, HIT, MISS, mask_picture, read_mask_picture
from trainables.task import Task

CELL, GAP, HEADER, LABEL = 256, 8, 64, 22
MAX_TILES, MAX_COLUMNS = 3, 8
GIVEN = ("image", "truth")
"""Columns that are the same for all contenders."""


@dataclass(frozen=True)
class KeptPictures:
    """What a trial left of its predictions on a split."""

    experiment: Experiment
    attempt: str
    split: str

    def open(self, kind: str, file: str) -> Image.Image | None:
        """Return a picture; None where it was not kept."""
        name = f"{self.attempt}/predictions/{self.split}/{kind}/{file}"
        if not self.experiment.has(name):
            return None
        with Image.open(io.BytesIO(self.experiment.read(name))) as picture:
            picture.load()
            return picture

    def truth(self, tile: str, task: Task) -> Image.Image | None:
        """Return the labels as they are drawn."""
        kept = self.open("truth", f"{tile}.png")
        return None if kept is None else mask_picture(read_mask_picture(kept), task)

    def crop_iou(self, tile: str, task: Task) -> float | None:
        """Return the IoU of the part that the picture shows; None where mask or labels were not kept."""
        mask, truth = self.open("masks", f"{tile}.png"), self.open("truth", f"{tile}.png")
        if mask is None or truth is None or mask.size != truth.size:
            return None
        predicted, wanted = (read_mask_picture(one.crop(_middle(one.size, CELL))) for one in (mask, truth))
        return score_mask(tile, predicted, wanted, task=task).iou


def comparison(
    experiment: Experiment, rows: Sequence[LeaderboardRow], scores: Iterable[ScoreRow], split: str, title: str
) -> Image.Image | None:
    """Draw image, truth and a column per contender, a row per tile: those that are hardest for the best one.

    Args:
        experiment: Where the predictions are.
        rows: The leaderboard's rows, best first.
        scores: Of the split.
        split: ``val`` or ``test``.
        title: Written at the top.

    Returns:
        The picture, or None while there are no predictions.
    """
    ious = {(one.attempt, one.tile): one.iou for one in scores}
    scored = {attempt for attempt, _ in ious}
    shown = [row for row in rows if row.attempt in scored][:MAX_COLUMNS]
    if not shown:
        return None
    best, task = shown[0].attempt, task_of(experiment)
    tiles = sorted((tile for attempt, tile in ious if attempt == best), key=lambda tile: ious[best, tile])[:MAX_TILES]
    width = GAP + (len(GIVEN) + len(shown)) * (CELL + GAP)
    page = Image.new("RGB", (width, HEADER + LABEL + len(tiles) * (CELL + LABEL + GAP)), "white")
    pen = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(20), ImageFont.load_default(14)
    pen.text((GAP, 6), title, fill="black", font=large)
    _legend(pen, small, task)
    several = len({row.title for row in shown}) < len(shown)
    names = [*GIVEN, *(row.attempt if several else row.title for row in shown)]
    for column, name in enumerate(names):
        pen.text((_left(column), HEADER), name, fill="black", font=small)
    first = KeptPictures(experiment, best, split)
    for line, tile in enumerate(tiles):
        y = HEADER + LABEL + line * (CELL + LABEL + GAP)
        truth = first.truth(tile, task)
        given = (first.open("images", f"{tile}.jpg"), truth)
        overlays = [KeptPictures(experiment, row.attempt, split).open("overlays", f"{tile}.jpg") for row in shown]
        size = next((one.size for one in (truth, *overlays) if one is not None), None)
        for column, picture in enumerate((*given, *overlays)):
            if picture is not None:
                page.paste(_centre(picture, size or picture.size), (_left(column), y))
        pen.text((_left(0), y + CELL), f"{tile}, its middle", fill="black", font=small)
        for column, row in enumerate(shown, start=len(GIVEN)):
            crop = KeptPictures(experiment, row.attempt, split).crop_iou(tile, task)
            said = f"IoU: whole tile {ious.get((row.attempt, tile), 0.0):.3f}"
            said += "" if crop is None or np.isnan(crop) else f", here {crop:.3f}"
            pen.text((_left(column), y + CELL), said, fill="black", font=small)
    return page


def write_comparison(
    experiment: Experiment, rows: Sequence[LeaderboardRow], scores: Iterable[ScoreRow], split: str, title: str
) -> None:
    """Write ``comparison_SPLIT.jpg`` into the experiment, once there are predictions."""
    page = comparison(experiment, rows, scores, split, title)
    if page is not None:
        data = io.BytesIO()
        page.save(data, format="JPEG", quality=78, optimize=True)
        experiment.write(f"comparison_{split}.jpg", data.getvalue())


def _left(column: int) -> int:
    return GAP + column * (CELL + GAP)


def _middle(size: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """Return the box of the middle of a picture, a square of so many pixels, or fewer where it is smaller."""
    side = min(side, *size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return left, top, left + side, top + side


def _centre(picture: Image.Image, full: tuple[int, int]) -> Image.Image:
    """Cut the middle out at the tile's full resolution: shrinking would hide the outlines.

    Args:
        picture: As it was kept, which may be smaller than the tile.
        full: The tile's width and height.
    """
    shrunk = picture.width / full[0]
    cut = picture.convert("RGB").crop(_middle(picture.size, max(1, round(min(CELL, *full) * shrunk))))
    way = Image.Resampling.BICUBIC if shrunk < 1 else Image.Resampling.NEAREST
    return cut if cut.size == (CELL, CELL) else cut.resize((CELL, CELL), way)


def _legend(pen: ImageDraw.ImageDraw, font: Any, task: Task) -> None:
    """Say what colours mean; of many classes, those that fit."""
    x = GAP
    kinds = [(HIT, "found"), (FALSE_ALARM, "false alarm"), (MISS, "missed")]
    if not task.binary:
        kinds = list(zip(task.shown_colours, task.classes, strict=True))
    for colour, text in (*kinds, ((255, 255, 255), "truth's outlines")):
        pen.rectangle((x, 38, x + 16, 54), fill=colour, outline="black")
        pen.text((x + 22, 37), text, fill="black", font=font)
        x += 40 + int(pen.textlength(text, font=font))
