"""A picture that puts the predictions of all attempts side by side."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from sweep.records.experiment import Experiment
from sweep.records.store import ScoreRow
from sweep.results.classes import task_of
from sweep.results.rows import LeaderboardRow
from trainables.overlays import FALSE_ALARM, HIT, MISS
from trainables.task import Task

CELL, GAP, HEADER, LABEL = 320, 8, 64, 22
MAX_TILES, MAX_COLUMNS = 3, 8


def comparison(
    experiment: Experiment, rows: Sequence[LeaderboardRow], scores: Iterable[ScoreRow], split: str, title: str
) -> Image.Image | None:
    """Draw a column an attempt and a row a tile: the best attempts, and the tiles that are hardest for the best one.

    Args:
        experiment: Where the overlays are.
        rows: The leaderboard's rows, best first.
        scores: Of the split.
        split: ``val`` or ``test``.
        title: Written at the top.

    Returns:
        The picture, or None while there are no overlays.
    """
    ious = {(one.attempt, one.tile): one.iou for one in scores}
    scored = {attempt for attempt, _ in ious}
    shown = [row for row in rows if row.attempt in scored][:MAX_COLUMNS]
    if not shown:
        return None
    best = shown[0].attempt
    tiles = sorted((tile for attempt, tile in ious if attempt == best), key=lambda tile: ious[best, tile])[:MAX_TILES]
    width = GAP + len(shown) * (CELL + GAP)
    page = Image.new("RGB", (width, HEADER + LABEL + len(tiles) * (CELL + LABEL + GAP)), "white")
    pen = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(20), ImageFont.load_default(14)
    pen.text((GAP, 6), title, fill="black", font=large)
    _legend(pen, small, task_of(experiment))
    for column, row in enumerate(shown):
        x = GAP + column * (CELL + GAP)
        named = row.attempt != row.slug  # one of several of its architecture
        heading = row.attempt if named else row.label
        pen.text((x, HEADER), heading, fill="black", font=small)
        for line, tile in enumerate(tiles):
            y = HEADER + LABEL + line * (CELL + LABEL + GAP)
            name = f"{row.attempt}/predictions/{split}/overlays/{tile}.jpg"
            if experiment.has(name):
                with Image.open(io.BytesIO(experiment.read(name))) as overlay:
                    page.paste(_centre(overlay), (x, y))
            pen.text((x, y + CELL), f"{tile}  IoU {ious.get((row.attempt, tile), 0.0):.3f}", fill="black", font=small)
    return page


def write_comparison(
    experiment: Experiment, rows: Sequence[LeaderboardRow], scores: Iterable[ScoreRow], split: str, title: str
) -> None:
    """Write ``comparison_SPLIT.jpg`` into the experiment, once there are overlays."""
    page = comparison(experiment, rows, scores, split, title)
    if page is not None:
        data = io.BytesIO()
        page.save(data, format="JPEG", quality=85)
        experiment.write(f"comparison_{split}.jpg", data.getvalue())


def _centre(overlay: Image.Image) -> Image.Image:
    """Cut the middle out at full resolution: shrinking would hide the outlines."""
    side = min(CELL, *overlay.size)
    left, top = (overlay.width - side) // 2, (overlay.height - side) // 2
    cut = overlay.crop((left, top, left + side, top + side))
    return cut if side == CELL else cut.resize((CELL, CELL), Image.Resampling.NEAREST)


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
