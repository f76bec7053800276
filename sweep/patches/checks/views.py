"""What stands for a tile when tiles are compared: a small grey picture, a thumbnail, keypoints and descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_KEYPOINTS = 600
"""SIFT keypoints per tile; a tenth of a tile in common still shares dozens of them."""
VIEW = 512
"""Longest side in pixels at which keypoints are looked for and two tiles are laid over each other."""
THUMBNAIL = 32
"""Side in pixels of the small grey picture that stands for a tile without keypoints."""
QUALITY = 95
"""Of the JPEG in which a grey picture is kept; it is blurred before it is compared."""
MIN_CONTRAST = 4.0
"""Standard deviation of grey values, of 255, below which one flat field looks like another."""
MIRRORED_BINS = [0, 7, 6, 5, 4, 3, 2, 1]
"""Where the eight directions of a descriptor's gradients go when its picture is mirrored along its main direction."""
ACROSS = np.tile(np.sin(2 * np.pi * np.arange(8) / 8), 16)
"""How far each of a descriptor's numbers points to the left of its main direction; mirrored, to the right."""


@dataclass(frozen=True)
class TileView:
    """What stands for a tile.

    Attributes:
        shape: Height and width of the grey picture, its longer side at most 512 pixels.
        packed: The grey picture as JPEG, a quarter of its size: of thousands of tiles all are in memory.
        thumbnail: (32, 32) the same as a whole.
        points: (N, 2) x and y of its keypoints, the strongest first.
        descriptors: (N, 128) uint8 of them, each as in that of the picture and its mirror image that points to the
            left: a picture and its mirror image have the same ones.
        mirrored: (N,) bool, whether that is the mirror image.
    """

    shape: tuple[int, int]
    packed: NDArray[np.uint8]
    thumbnail: NDArray[np.float32]
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    mirrored: NDArray[np.bool_]

    @property
    def grey(self) -> NDArray[np.uint8]:
        """(H, W) uint8 the grey picture, unpacked each time."""
        return np.asarray(cv2.imdecode(self.packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def view_of(picture: NDArray[np.uint8]) -> TileView:
    """Look at a tile.

    Args:
        picture: (H, W, 3) uint8 RGB.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    thumbnail = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    factor = min(1.0, VIEW / max(grey.shape))
    if factor < 1:
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    found, values = cv2.SIFT.create(MAX_KEYPOINTS).detectAndCompute(grey, None)
    order = sorted(range(len(found)), key=lambda number: -found[number].response)[:MAX_KEYPOINTS]
    descriptors = np.zeros((0, 128), np.uint8) if values is None else values[order].astype(np.uint8)
    mirrored = descriptors @ ACROSS < 0
    return TileView(
        shape=(grey.shape[0], grey.shape[1]),
        packed=cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1],
        thumbnail=thumbnail,
        points=np.array([found[number].pt for number in order], np.float32).reshape(-1, 2),
        descriptors=np.where(mirrored[:, None], mirror(descriptors), descriptors),
        mirrored=mirrored,
    )


def mirror(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (N, 128) descriptors as the mirrored picture has them.

    A descriptor has 4 by 4 cells of 8 directions, in a frame turned to the keypoint's own main direction. In the
    mirrored picture that frame is upside down: its rows of cells change places, and its directions their sense.
    """
    return descriptors.reshape(-1, 4, 4, 8)[:, ::-1][..., MIRRORED_BINS].reshape(-1, 128)


def correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return Pearson's correlation of two pictures' grey values; 0 for a flat one."""
    if one.size == 0 or min(float(one.std()), float(other.std())) < MIN_CONTRAST:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
