"""The images of a dataset, with what their truth is read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class SourceRaster:
    """An image raster and what its truth is read from: its mask raster, or labels.

    Attributes:
        name: What its tile is called.
        image: The image.
        mask: Its mask, or the file or folder that holds its labels.
        folder: The scene that its folders or its publisher's names say; empty where they say none.
        split: The split that its publisher put it into; empty where none is published.
    """

    name: str
    image: Path
    mask: Path
    folder: str = ""
    split: str = ""


ReadTruth = Callable[[SourceRaster, tuple[int, int], Area], NDArray[np.uint8]]
"""Gives an area's (H, W) uint8 class indices, 255 for pixels that do not count; takes the source, and the
height and width of its image."""


@dataclass(frozen=True, kw_only=True)
class SourceSet:
    """The images of a folder, with their truth.

    Attributes:
        layout: What the folder was taken for, in words.
        sources: Name to source.
        truth: Reads a part of a source's truth.
        task: What the values mean that ``truth`` gives.
        kind: What ``mask`` of the sources is: a noun and its plural.
        notes: What was passed over or left out, a line each.
    """

    layout: str
    sources: Mapping[str, SourceRaster]
    truth: ReadTruth
    task: Task
    kind: tuple[str, str] = ("mask", "masks")
    notes: Sequence[str] = ()
