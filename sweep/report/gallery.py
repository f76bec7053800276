"""Tiles with what each architecture made of them, from files that training and scoring left: no dataset is opened."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.charts.page import drawing, photo
from sweep.report.blocks import Gallery, Picture, Prediction, Section, TilePictures
from sweep.report.data import ReportData
from sweep.report.heat import hardest_first, ious_of
from sweep.report.masks import Marks, Mask, MaskReader
from sweep.results.classes import task_of
from sweep.results.rows import LeaderboardRow
from trainables.errors import ExperimentError
from trainables.overlays import FALSE_ALARM, HIT, MISS
from trainables.task import Task
from trainables.wording import counted

SIDE = 512
"""Pixels of a picture in the page."""
MOST_COLUMNS, MOST_TILES = 6, 3
MOST_LOOKED_AT = 12
"""Tiles whose truth is read to find those that show foreground."""

Pixels = NDArray[np.uint8]
Read = TypeVar("Read")


@dataclass(frozen=True)
class _Files:
    """The pictures of one attempt and split; None stands for one that is missing or damaged."""

    source: ReportData
    attempt: str
    split: str

    def picture(self, kind: str, name: str) -> Image.Image | None:
        return self._open(kind, name, lambda file: file.convert("RGB"))

    def mask(self, kind: str, name: str, masks: MaskReader) -> Mask | None:
        return self._open(kind, name, masks.read)

    def _open(self, kind: str, name: str, read: Callable[[Image.Image], Read]) -> Read | None:
        path = f"{self.attempt}/predictions/{self.split}/{kind}/{name}"
        try:
            if not self.source.experiment.has(path):
                return None
            with Image.open(io.BytesIO(self.source.experiment.read(path))) as file:
                return read(file)
        except (OSError, ValueError, SyntaxError, ExperimentError, Image.DecompressionBombError):
            return None


def galleries(source: ReportData) -> Section | None:
    """Return the hardest tiles of val and test with all predictions; None before the first."""
    tiles = max(1, MOST_TILES // len(source.phases))
    found = [gallery for split in ("val", "test") if (gallery := _gallery(source, split, tiles))]
    return Section(slug="pictures", title="What they predict", blocks=found) if found else None


def _gallery(source: ReportData, split: str, most: int) -> Gallery | None:
    masks = MaskReader(task_of(source.experiment))
    rows = [row for row in source.rows if ious_of(source, row, split)][:MOST_COLUMNS]
    scores = [ious_of(source, row, split) for row in rows]
    order = hardest_first(scores)
    chosen, passed = _with_foreground(source, masks, rows, split, order, most)
    tiles = [tile for name, mean in chosen if (tile := _tile(source, masks, rows, split, name, mean))]
    if not tiles:
        return None
    total = len({tile for one in scores for tile in one})
    notes = []
    if passed:
        notes.append(
            f"{counted(passed, 'harder tile')} without foreground left out: there, all that is predicted is false."
        )
    if any(not tile.given for tile in tiles):
        notes.append("Some pictures are missing, or were made by an earlier version: only what exists is shown.")
    caption = (
        f"The hardest {len(tiles)} of {counted(total, f'{split} tile')}" if total > len(tiles) else f"All {split} tiles"
    )
    return Gallery(caption=f"{caption}, hardest first", tiles=tiles, legend=_legend(masks.task), notes=notes)


def _with_foreground(
    source: ReportData,
    masks: MaskReader,
    rows: list[LeaderboardRow],
    split: str,
    order: list[tuple[str, float]],
    most: int,
) -> tuple[list[tuple[str, float]], int]:
    """Choose the hardest tiles that show foreground, and others only where there are too few of these.

    Returns:
        The tiles with their mean IoU; and how many that are harder than the last one were passed over.
    """
    showing: list[tuple[str, float]] = []
    bare: list[tuple[str, float]] = []
    for one in order[:MOST_LOOKED_AT]:
        truth = _truth([_Files(source, row.attempts[0], split) for row in rows], masks, one[0])
        (bare if truth is not None and not masks.shows_foreground(truth) else showing).append(one)
        if len(showing) == most:
            break
    chosen = (showing + bare)[:most]
    last = order.index(chosen[-1]) if chosen else 0
    return chosen, sum(order.index(one) < last for one in bare if one not in chosen)


def _truth(files: list[_Files], masks: MaskReader, name: str) -> Mask | None:
    truths = (one.mask("truth", f"{name}.png", masks) for one in files)
    return next((found for found in truths if found is not None), None)


def _tile(
    source: ReportData, masks: MaskReader, rows: list[LeaderboardRow], split: str, name: str, mean: float
) -> TilePictures | None:
    files = [_Files(source, row.attempts[0], split) for row in rows]
    image = next((found for one in files if (found := one.picture("images", f"{name}.jpg"))), None)
    truth = _truth(files, masks, name)
    predictions = []
    for row, own in zip(rows, files, strict=True):
        iou = source.tile_scores[split].get(own.attempt, {}).get(name)
        pictures = _predicted(source.label(row), own, masks, name, image, truth)
        if pictures and iou is not None:
            predictions.append(
                Prediction(
                    label=source.label(row),
                    architecture=row.architecture,
                    score=f"whole tile {iou:.3f}",
                    pictures=pictures,
                )
            )
    if not predictions:
        return None
    given = []
    if image:
        given.append(Picture(uri=photo(_shrink(image)), alt=f"Tile {name}", caption="image"))
    if truth is not None:
        alt = f"Labels of {name}: {masks.shares(truth)}"
        given.append(Picture(uri=drawing(_shrink(masks.draw(truth))), alt=alt, caption="truth"))
    return TilePictures(name=name, score=f"mean IoU of the whole tile {mean:.3f}", given=given, predictions=predictions)


def _predicted(
    label: str, files: _Files, masks: MaskReader, name: str, image: Image.Image | None, truth: Mask | None
) -> list[Picture]:
    """Return predicted mask and error map; the overlay in its place where image or truth are not there."""
    mask = files.mask("masks", f"{name}.png", masks)
    found = []
    if mask is not None:
        alt = f"Mask that {label} predicts on {name}: {masks.shares(mask)}"
        found.append(Picture(uri=drawing(_shrink(masks.draw(mask))), alt=alt, caption="prediction"))
    if mask is not None and image and truth is not None and mask.shape == truth.shape:
        predicted, wanted = masks.compare(mask, truth)
        small = _shrink(image)
        errors = error_map(np.asarray(small), *(_resized(one, small.size) for one in (predicted, wanted)))
        alt = f"Errors of {label} on {name}: {masks.in_words(predicted, wanted)}"
        found.append(Picture(uri=photo(Image.fromarray(errors)), alt=alt, caption="errors"))
    elif overlay := files.picture("overlays", f"{name}.jpg"):
        found.append(Picture(uri=photo(_shrink(overlay)), alt=f"Errors of {label} on {name}", caption="errors"))
    return found


def error_map(image: Pixels, predicted: Marks, wanted: Marks) -> Pixels:
    """Draw errors over a grey image: hits plain green, false alarms orange with stripes, misses magenta with a grid.

    Args:
        image: (H, W, 3) uint8.
        predicted: (H, W).
        wanted: (H, W).

    Returns:
        (H, W, 3) uint8.
    """
    grey = image.mean(axis=2, keepdims=True) * 0.6 + 70.0
    picture = np.repeat(grey, 3, axis=2)
    rows, columns = np.indices(predicted.shape)
    stripes = (rows + columns) % 7 < 2
    grid = (rows % 6 < 1) | (columns % 6 < 1)
    for pixels, colour, ink, lines in (
        (predicted & wanted, HIT, (0, 0, 0), np.zeros_like(stripes)),
        (predicted & ~wanted, FALSE_ALARM, (30, 15, 0), stripes),
        (~predicted & wanted, MISS, (255, 255, 255), grid),
    ):
        picture[pixels] = 0.35 * picture[pixels] + 0.65 * np.array(colour)
        picture[pixels & lines] = ink
    drawn: Pixels = picture.clip(0, 255).astype(np.uint8)
    return drawn


def _legend(task: Task) -> list[tuple[Picture, str]]:
    shape = (18, 30)
    blank, yes, no = np.full((*shape, 3), 128, np.uint8), np.ones(shape, bool), np.zeros(shape, bool)
    if task.binary:
        kinds = [(yes, yes, "found (plain green)"), (yes, no, "false alarm (orange, striped)")]
        kinds.append((no, yes, "missed (magenta, grid)"))
    else:
        kinds = [(yes, yes, "right class (plain green)"), (no, yes, "wrong class (magenta, grid)")]
    legend = [
        (Picture(uri=drawing(Image.fromarray(error_map(blank, predicted, wanted))), alt=""), meaning)
        for predicted, wanted, meaning in kinds
    ]
    classes = zip(task.shown_colours, task.classes, strict=True) if not task.binary else ()
    return legend + [
        (Picture(uri=drawing(Image.new("RGB", shape[::-1], colour)), alt=""), name) for colour, name in classes
    ]


def _shrink(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return small


def _resized(mask: Marks, size: tuple[int, int]) -> Marks:
    small = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BOX)
    return np.asarray(small) > 127
