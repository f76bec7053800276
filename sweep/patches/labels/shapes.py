"""What labelling programs draw, in pixels of the image: outlines and runs of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
FLATNESS = 0.02
"""By how many pixels the corners of an ellipse may cut it; outlines are rounded to a fifth of a pixel anyway."""
MOST_CORNERS = 4_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Outline:
    """The pixels whose centre a ring holds, as pycocotools says it, without those of its holes.

    The upper left pixel of the image reaches from 0 to 1, as in CVAT, COCO and LabelMe; its centre is at 0.5.

    Attributes:
        ring: (N, 2) x and y, N at least 3; it may leave the image.
        holes: The same of each hole.
        touched: Whole numbers are pixels instead, and every pixel that the outline goes through is of it, as
            OpenCV fills; Supervisely's exports are so.
    """

    ring: Floats
    holes: Sequence[Floats] = ()
    touched: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Pixels of a box, as where runs of them begin and end.

    Attributes:
        starts: (N,) positions in the box, ascending.
        stops: (N,) positions after each run's last one, at least its start and at most the next one's.
        box: Which part of the image; it may leave the image.
        by_rows: Positions go along the rows, as in NumPy; else down the columns, as in COCO.
    """

    starts: Positions
    stops: Positions
    box: Area
    by_rows: bool

    @classmethod
    def of_pixels(cls, pixels: NDArray[np.bool_], *, top: int = 0, left: int = 0) -> Runs:
        """Return the runs of a picture.

        Args:
            pixels: (H, W).
            top: Row of the image that its first row is.
            left: The same of columns.
        """
        edges = np.flatnonzero(np.diff(pixels.ravel().view(np.int8), prepend=0, append=0))
        box = Area(top=top, left=left, height=pixels.shape[0], width=pixels.shape[1])
        return cls(starts=edges[::2], stops=edges[1::2], box=box, by_rows=True)

    @classmethod
    def of_lengths(cls, lengths: Sequence[int], box: Area, *, by_rows: bool) -> Runs | None:
        """Return the runs whose lengths alternate: first of pixels that are not of it, then of some that are.

        Returns:
            None where they do not fill the box.
        """
        if any(length < 0 for length in lengths) or sum(lengths) != box.height * box.width:
            return None
        ends = np.cumsum(np.array(lengths, np.int64))
        count = len(ends) // 2
        return cls(starts=ends[: 2 * count : 2], stops=ends[1 : 2 * count : 2], box=box, by_rows=by_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledShape:
    """One annotation.

    Attributes:
        label: Its class's name in the file.
        parts: What it covers; later parts over earlier ones makes no difference.
        place: What errors call it.
        ignored: Its pixels are not to count, whatever its label.
    """

    label: str
    parts: Sequence[Outline | Runs]
    place: str
    ignored: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledImage:
    """The annotations of an image, later ones over earlier ones.

    Attributes:
        place: What errors call it.
        shapes: The annotations.
        size: Height and width of the image that they were drawn on; None where the format does not say.
        shares: Coordinates are shares of the image's width and height, not pixels.
        split: The split that the labels put it into; empty for none.
    """

    place: str
    shapes: Sequence[LabelledShape]
    size: tuple[int, int] | None
    shares: bool = False
    split: str = ""


def ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Floats:
    """Return the (N, 2) corners of an ellipse.

    Args:
        centre: x and y in pixels.
        radii: Along x and along y before it is turned, in pixels.
        degrees: By which it is turned about its centre, clockwise as one sees it, y pointing down.
    """
    longest = max(*(abs(one) for one in radii), 1.0)
    corners = min(MOST_CORNERS, max(16, ceil(pi / sqrt(2 * FLATNESS / longest))))
    angles = np.arange(corners) * (2 * pi / corners)
    around = np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1)
    return turn(around, degrees, centre)


def box_corners(left: float, top: float, right: float, bottom: float) -> Floats:
    """Return the (4, 2) corners of a box."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def turn(corners: Floats, degrees: float, centre: tuple[float, float] | None = None) -> Floats:
    """Turn corners clockwise as one sees it, y pointing down.

    Args:
        corners: (N, 2) x and y in pixels.
        degrees: By how much.
        centre: What about; None for the mean of the corners.
    """
    if degrees == 0.0:
        return corners
    angle = degrees * pi / 180
    middle = corners.mean(axis=0) if centre is None else np.array(centre, dtype=np.float64)
    return np.asarray((corners - middle) @ np.array(((cos(angle), sin(angle)), (-sin(angle), cos(angle)))) + middle)
