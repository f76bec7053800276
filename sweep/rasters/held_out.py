"""Tiles that nothing may be trained on, known again by their files, their pixels, or their ground."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.ground import Corners

MOST_BYTES = 2**30
"""Of a tile's file; a larger one is none."""


def pixels_sha256(image: NDArray[np.uint8]) -> str:
    """Return the hex sha256 of a decoded (H, W, C) uint8 image and its size."""
    digest = hashlib.sha256("x".join(map(str, image.shape)).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Tiles that nothing may be trained on; none of their files is opened for it.

    Attributes:
        files: Hex sha256 of a file to what it is.
        pixels: ``pixels_sha256`` of a decoded image to what it is.
        shapes: (height, width) of those whose pixels are known.
        ground: Where georeferenced ones are.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    pixels: Mapping[str, str] = field(default_factory=dict)
    shapes: frozenset[tuple[int, int]] = frozenset()
    ground: Sequence[Corners] = ()

    def by_file(self, path: Path) -> str:
        """Say which tile a file is; nothing for none."""
        if not self.files or path.stat().st_size > MOST_BYTES:
            return ""
        with path.open("rb") as file:
            return self.files.get(hashlib.file_digest(file, "sha256").hexdigest(), "")

    def by_pixels(self, image: NDArray[np.uint8]) -> str:
        """Say which tile an (H, W, C) uint8 image is; nothing for none."""
        return self.pixels.get(pixels_sha256(image), "")
