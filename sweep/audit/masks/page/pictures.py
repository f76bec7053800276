"""A finding as pictures: the image around it, and the same with the outlines of label and prediction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.audit.masks.finding import LabelFinding
from sweep.charts.page import photo
from trainables.data.tiles import Tile
from trainables.task import Colour

MARGIN, LEAST_SIDE, SHOWN = 0.5, 96, 320
"""Of a finding's sides around it; pixels of what is shown at least, and of the pictures' longest side."""
LABEL: Colour = (255, 190, 0)
PREDICTED: Colour = (0, 190, 255)
WRONG: Colour = (255, 40, 40)
TINT = 0.35


@dataclass(frozen=True, kw_only=True)
class FindingPictures:
    """Pictures of a finding.

    Attributes:
        image: ``data:`` address of the image.
        outlines: Of the same with outlines.
    """

    image: str
    outlines: str


def finding_pictures(tile: Tile, predicted: NDArray[np.uint8], finding: LabelFinding) -> FindingPictures:
    """Draw a finding.

    Args:
        tile: With its mask as it is.
        predicted: (H, W) class that is most probable.
        finding: In the tile.
    """
    rows, columns = _around(finding, tile.mask.shape)
    image = np.ascontiguousarray(tile.picture[rows, columns])
    factor = SHOWN / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA)
    drawn = np.asarray(large, np.uint8).copy()
    if finding.labelled:
        region = np.zeros(tile.mask.shape, np.uint8)
        top, left, bottom, right = finding.box
        region[top:bottom, left:right] = finding.region
        inside = _resized(region[rows, columns], size) > 0
        drawn[inside] = ((1 - TINT) * drawn[inside] + TINT * np.array(WRONG)).astype(np.uint8)
    for mask, colour in ((predicted, PREDICTED), (tile.mask, LABEL)):
        for one in np.unique(mask[rows, columns]).tolist():
            if one in (0, 255):
                continue
            area = _resized((mask[rows, columns] == one).astype(np.uint8), size)
            outlines, _ = cv2.findContours(area, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(drawn, outlines, -1, colour, 2 if colour == LABEL else 1)
    return FindingPictures(
        image=photo(Image.fromarray(np.asarray(large, np.uint8)), quality=60, fast=True),
        outlines=photo(Image.fromarray(drawn), quality=70, fast=True),
    )


def _resized(area: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(area, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _around(finding: LabelFinding, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a square around a finding, as far as the tile reaches."""
    top, left, bottom, right = finding.box
    side = max(LEAST_SIDE, round((1 + 2 * MARGIN) * max(bottom - top, right - left)))
    return _span((top + bottom) // 2, side, shape[0]), _span((left + right) // 2, side, shape[1])


def _span(middle: int, side: int, length: int) -> slice:
    side = min(side, length)
    begin = int(np.clip(middle - side // 2, 0, length - side))
    return slice(begin, begin + side)
