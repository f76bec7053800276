"""``Imagery``: which bands a dataset's images have, and how the values of its source became bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from trainables.documents import DamagedError, check
from trainables.errors import DataError
from trainables.escaping import visible
from trainables.wording import counted

COLOURS = ("red", "green", "blue")
MAX_BANDS = 64
MAX_NAME = 100
"""Letters of a band's name."""
Scale = tuple[float, float]
"""The values of a band that become 0 and 255."""
Stored = Literal["uint8", "uint16"]


class _Values(TypedDict):
    """What a manifest holds of it."""

    bands: NotRequired[list[str]]
    scale: NotRequired[list[list[float]] | None]
    stored: NotRequired[str]


@dataclass(frozen=True, kw_only=True)
class Imagery:
    """What the images of a dataset hold. Without a word in the manifest they are 8-bit RGB.

    Attributes:
        bands: Names of the bands, in the order of the tiles' values. Where red, green and blue are among them, they are
            the first three.
        scale: For each band the values of the source imagery that models see as 0 and as 255; None where the source
            holds bytes.
        stored: What the tiles' files hold: bytes, or the source's own 16 bits, which are scaled when they are read.
    """

    bands: tuple[str, ...] = COLOURS
    scale: tuple[Scale, ...] | None = None
    stored: Stored = "uint8"

    def __post_init__(self) -> None:
        count = len(self.bands)
        if not 1 <= count <= MAX_BANDS:
            raise DataError(f"imagery: {count} bands; name 1 to {MAX_BANDS}")
        if odd := [name for name in self.bands if not (0 < len(name) <= MAX_NAME and name.isprintable())]:
            raise DataError(
                f"imagery: a band is called {visible(odd[0][:40])!r}; give each 1 to {MAX_NAME} printable letters"
            )
        if len(set(self.bands)) < count:
            raise DataError(f"imagery: bands are {', '.join(self.bands)}; names must differ")
        if set(COLOURS) <= set(self.bands) and self.bands[:3] != COLOURS:
            raise DataError(f"imagery: bands are {', '.join(self.bands)}; red, green and blue must be the first three")
        if self.stored not in ("uint8", "uint16"):
            raise DataError(f"imagery: stored is {visible(str(self.stored)[:40])!r}; it must be uint8 or uint16")
        if self.scale is None:
            if self.stored == "uint16":
                raise DataError(
                    "imagery: stored is uint16 without a scale; say which values are 0 and 255 in each band"
                )
            return
        if len(self.scale) != count:
            raise DataError(f"imagery: scale of {len(self.scale)} bands where there are {count}; give one per band")
        for name, (low, high) in zip(self.bands, self.scale, strict=True):
            if not -math.inf < low < high < math.inf:
                raise DataError(f"imagery: scale of {name} is {low:g},{high:g}; the smaller value comes first")

    @property
    def has_colours(self) -> bool:
        """Whether the first three bands are red, green and blue."""
        return self.bands[:3] == COLOURS

    @property
    def summary(self) -> str:
        """Bands, depth and scale for errors and tables, such as ``4 bands of uint16 (red, green, blue, nir)``."""
        if self == Imagery():
            return "8-bit RGB"
        return f"{counted(len(self.bands), 'band')} of {self.stored} ({', '.join(self.bands)})"

    def scaled(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return what models see of (H, W, C) values as the tiles' files hold them.

        Returns:
            (H, W, C) uint8.
        """
        return to_bytes(values, self.scale) if self.stored == "uint16" else values.astype(np.uint8, copy=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        scale = None if self.scale is None else [list(one) for one in self.scale]
        return {"bands": list(self.bands), "scale": scale, "stored": self.stored}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Imagery:
        """Read what ``to_dict`` returned, or a person wrote; fields may be left out.

        Raises:
            DataError: An unknown field, or values that make no imagery.
        """
        known = tuple(_Values.__annotations__)
        if unknown := sorted(set(values) - set(known)):
            raise DataError(f"imagery: {visible(str(unknown[0])[:40])!r} does not exist; known: {', '.join(known)}")
        try:
            fields: dict[str, Any] = {**check(dict(values), _Values)}
        except DamagedError as error:
            raise DataError(f"imagery: {error}; see docs/rasters.md") from error
        if "bands" in fields:
            fields["bands"] = tuple(fields["bands"])
        if fields.get("scale") is not None:
            if odd := [one for one in fields["scale"] if len(one) != 2]:
                raise DataError(f"imagery: scale holds {odd[0]!r}; give two values per band, those of 0 and of 255")
            fields["scale"] = tuple((low, high) for low, high in fields["scale"])
        return cls(**fields)


RGB = Imagery()


def band_list(bands: Sequence[str]) -> str:
    """Return bands' names in words: ``RGB``, or all of them."""
    return "RGB" if tuple(bands) == COLOURS else ", ".join(bands)


def picture_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a person is shown of (H, W, C) bands, (H, W, 3): the first three, or the first one as grey."""
    return image[..., :3] if image.shape[2] >= len(COLOURS) else image[..., :1].repeat(3, axis=2)


def to_bytes(values: NDArray[Any], scale: Sequence[Scale] | None) -> NDArray[np.uint8]:
    """Map values linearly to 0..255, each band by its own scale.

    Args:
        values: (H, W, C) of any real dtype.
        scale: For each band the values that become 0 and 255; what is outside is clipped, NaN becomes 0. None for
            values that are bytes.

    Returns:
        (H, W, C) uint8.
    """
    if scale is None:
        return values.astype(np.uint8, copy=False)
    result = np.empty(values.shape, np.uint8)
    for band, (low, high) in enumerate(scale):
        if values.dtype == np.uint16 and values[..., band].size > 65_536:
            result[..., band] = _linear(np.arange(65_536, dtype=np.uint16), low, high)[values[..., band]]
        else:
            result[..., band] = _linear(values[..., band], low, high)
    return result


def _linear(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    with np.errstate(over="ignore", invalid="ignore"):  # nodata values are as far out as a number can be
        scaled = (values.astype(np.float32) - low) * np.float32(255 / (high - low))
        found: NDArray[np.uint8] = np.nan_to_num(scaled.round(), nan=0.0).clip(0, 255).astype(np.uint8)
    return found
