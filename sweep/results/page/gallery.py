"""Tiles with what each architecture made of them, from files that training and scoring left: no dataset is opened."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.results.page.blocks import Gallery, Picture, Prediction, Section, TilePictures
from sweep.results.page.heat import hardest_first, ious_of
from sweep.results.page.numbers import count
from sweep.results.page.source import Row, Source
from trainables.errors import ExperimentError
from trainables.overlays import FALSE_ALARM, HIT, MISS

SIDE = 512
"""Pixels of a picture in the page."""
MOST_COLUMNS, MOST_TILES = 6, 3

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class _Files:
    """The pictures of one attempt and split; None stands for one that is missing or damaged."""

    source: Source
    attempt: str
    split: str

    def picture(self, kind: str, name: str, mode: str) -> Image.Image | None:
        path = f"{self.attempt}/predictions/{self.split}/{kind}/{name}"
        try:
            if not self.source.experiment.has(path):
                return None
            with Image.open(io.BytesIO(self.source.experiment.read(path))) as file:
                return file.convert(mode)
        except (OSError, ValueError, SyntaxError, ExperimentError, Image.DecompressionBombError):
            return None


def galleries(source: Source, tiles: int = MOST_TILES) -> Section | None:
    """Return the hardest tiles of val and test with all predictions; None before the first.

    Args:
        source: The experiment.
        tiles: How many tiles of each split.
    """
    found = [gallery for split in ("val", "test") if (gallery := _gallery(source, split, tiles))]
    return Section(slug="pictures", title="What they predict", blocks=found) if found else None


def _gallery(source: Source, split: str, most: int) -> Gallery | None:
    rows = [row for row in source.rows if ious_of(source, row, split)][:MOST_COLUMNS]
    scores = [ious_of(source, row, split) for row in rows]
    order = hardest_first(scores)[:most]
    tiles = [tile for name, mean in order if (tile := _tile(source, rows, split, name, mean))]
    if not tiles:
        return None
    total = len({tile for one in scores for tile in one})
    notes = []
    if any(not tile.given for tile in tiles):
        notes.append("Made by an earlier version, or pictures are missing: only what is there is shown.")
    caption = (
        f"The hardest {len(tiles)} of {count(total, f'{split} tile')}" if total > len(tiles) else f"All {split} tiles"
    )
    return Gallery(caption=f"{caption}, hardest first", tiles=tiles, legend=_legend(), notes=notes)


def _tile(source: Source, rows: list[Row], split: str, name: str, mean: float) -> TilePictures | None:
    files = [_Files(source, row["attempts"][0], split) for row in rows]
    image = next((found for one in files if (found := one.picture("images", f"{name}.jpg", "RGB"))), None)
    truth = next((found for one in files if (found := one.picture("truth", f"{name}.png", "L"))), None)
    predictions = []
    for row, own in zip(rows, files, strict=True):
        iou = source.tile_scores[split].get(own.attempt, {}).get(name)
        pictures = _predicted(source.label(row), own, name, image, truth)
        if pictures and iou is not None:
            predictions.append(
                Prediction(
                    label=source.label(row), architecture=row["architecture"], score=f"IoU {iou:.3f}", pictures=pictures
                )
            )
    if not predictions:
        return None
    given = []
    if image:
        given.append(Picture(uri=photo(_shrink(image)), alt=f"Tile {name}", caption="image"))
    if truth:
        share = float((np.asarray(truth) > 127).mean())
        given.append(Picture(uri=drawing(_shrink(truth)), alt=f"Labels of {name}: {share:.0%} of it", caption="truth"))
    return TilePictures(name=name, score=f"mean IoU {mean:.3f}", given=given, predictions=predictions)


def _predicted(
    label: str, files: _Files, name: str, image: Image.Image | None, truth: Image.Image | None
) -> list[Picture]:
    """Return predicted mask and error map; the overlay in its place where image or truth are not there."""
    mask = files.picture("masks", f"{name}.png", "L")
    found = []
    if mask:
        share = float((np.asarray(mask) > 127).mean())
        alt = f"Mask that {label} predicts on {name}: {share:.0%} of it"
        found.append(Picture(uri=drawing(_shrink(mask)), alt=alt, caption="prediction"))
    if mask and image and truth and mask.size == truth.size:
        predicted, wanted = np.asarray(mask) > 127, np.asarray(truth) > 127
        small = _shrink(image)
        errors = error_map(np.asarray(small), *(_resized(one, small.size) for one in (predicted, wanted)))
        alt = f"Errors of {label} on {name}: {_in_words(predicted, wanted)}"
        found.append(Picture(uri=photo(Image.fromarray(errors)), alt=alt, caption="errors"))
    elif overlay := files.picture("overlays", f"{name}.jpg", "RGB"):
        found.append(Picture(uri=photo(_shrink(overlay)), alt=f"Errors of {label} on {name}", caption="errors"))
    return found


def _in_words(predicted: Mask, wanted: Mask) -> str:
    hits = int((predicted & wanted).sum())
    there, claimed = int(wanted.sum()), int(predicted.sum())
    found = f"{hits / there:.0%} of the labelled pixels found" if there else "nothing is labelled"
    return found + (f", {1 - hits / claimed:.0%} of the predicted ones false" if claimed else ", nothing predicted")


def error_map(image: Pixels, predicted: Mask, wanted: Mask) -> Pixels:
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


def _legend() -> list[tuple[Picture, str]]:
    shape = (18, 30)
    blank, yes, no = np.full((*shape, 3), 128, np.uint8), np.ones(shape, bool), np.zeros(shape, bool)
    return [
        (Picture(uri=drawing(Image.fromarray(error_map(blank, predicted, wanted))), alt=""), meaning)
        for predicted, wanted, meaning in (
            (yes, yes, "found (plain green)"),
            (yes, no, "false alarm (orange, striped)"),
            (no, yes, "missed (magenta, grid)"),
        )
    ]


def _shrink(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return small


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    small = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BOX)
    return np.asarray(small) > 127


def photo(picture: Image.Image) -> str:
    """Return a picture as a ``data:`` address, in WebP."""
    data = io.BytesIO()
    picture.save(data, format="WEBP", quality=62)
    return _address(data, "webp")


def drawing(picture: Image.Image) -> str:
    """Return a picture of few colours as a ``data:`` address, in PNG."""
    data = io.BytesIO()
    (picture.quantize(8) if picture.mode == "L" else picture).save(data, format="PNG", optimize=True)
    return _address(data, "png")


def _address(data: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"
