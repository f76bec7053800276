"""Which bands of a raster are meant, what they are called, and whether their values are bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.data.imagery import COLOURS, MAX_BANDS, Scale
from trainables.errors import DataError
from trainables.wording import counted

GREY = (1, 1, 1)
"""The bands of a grey raster as red, green and blue."""
SAMPLE_SIDE = 512
"""Pixels per side of the shrunk raster that a suggested scale is taken from."""


def choose_bands(
    path: str, names: Sequence[str], bands: Sequence[int] = (), wanted: Sequence[str] = COLOURS
) -> tuple[int, ...]:
    """Decide which bands are read.

    Args:
        path: The raster's path, for errors.
        names: What the file calls its bands, see ``kinds_of``.
        bands: What the user named, from 1; empty takes those of the wanted names. Where the file has as many as wanted,
            its others fill, in order, the places that no name fills.
        wanted: The names of the bands that are needed, in their order.

    Returns:
        Their numbers, from 1. A grey raster is red, green and blue alike; a palette's are 1 (see ``palette_of``).

    Raises:
        DataError: They do not exist, are too few or too many, or cannot be guessed.
    """
    needed = len(wanted)
    if bands:
        if len(bands) != needed or not all(1 <= one <= len(names) for one in bands):
            shown, example = ",".join(map(str, bands[:9])), ",".join(map(str, range(1, needed + 1)))
            raise DataError(
                f"--bands {shown}: name {_number(needed)} of {path}'s {len(names)} bands, such as --bands {example}"
            )
        return tuple(bands)
    visible = [number for number, name in enumerate(names, 1) if name != "alpha"]
    given = dict(zip(band_names(names, visible), visible, strict=True))
    found = {one: given[one] for one in wanted if one in given and names.count(one) < 2}
    if len(found) == needed or len(visible) == needed:
        others = iter([number for number in visible if number not in found.values()])
        return tuple(found[one] if one in found else next(others) for one in wanted)
    if tuple(wanted) == COLOURS and len(visible) == 1:
        return GREY
    fault = f"{path}: has {counted(len(names), 'band')} ({', '.join(names)}), and "
    fault += f"{_list(wanted)} {'are' if needed > 1 else 'is'} needed"
    if len(visible) < needed:
        raise DataError(f"{fault}; take a raster that has them")
    example = ",".join(map(str, range(1, needed + 1)))
    raise DataError(f"{fault}; say which, such as --bands {example}")


def kinds_of(dataset: Any) -> list[str]:
    """Return what a file calls its bands: the colour that it says each to be, else its description.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        A name a band; ``gray`` and ``undefined`` are GDAL's own words for one that has no other.
    """
    kinds = [one.name for one in dataset.colorinterp]
    told = [(text or "").strip() for text in dataset.descriptions]
    return [
        text.lower() if kind in ("gray", "undefined") and text and text.isprintable() else kind
        for kind, text in zip(kinds, told, strict=True)
    ]


def band_names(names: Sequence[str], bands: Sequence[int]) -> tuple[str, ...]:
    """Return the names of some bands for a manifest, all different.

    Args:
        names: What the file calls its bands, see ``kinds_of``.
        bands: Their numbers, from 1.
    """
    found: list[str] = []
    for number, name in ((one, names[one - 1]) for one in bands):
        unknown = name in ("gray", "undefined", "palette", "alpha") or name in found
        found.append(f"band {number}" if unknown else name[:MAX_BANDS])
    return tuple(name if name not in found[:place] else f"{name} {place + 1}" for place, name in enumerate(found))


def all_bands(names: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of all bands but alpha; red, green and blue come first where the file names them.

    Args:
        names: What the file calls its bands, see ``kinds_of``.
    """
    colours = [names.index(one) + 1 for one in COLOURS] if all(names.count(one) == 1 for one in COLOURS) else []
    others = [number for number, name in enumerate(names, 1) if number not in colours and name != "alpha"]
    return (*colours, *others)


def palette_of(dataset: Any) -> NDArray[np.uint8] | None:
    """Return the colours of a raster's values, (N, 4) uint8 with alpha; None where it has none.

    Args:
        dataset: An open rasterio dataset.
    """
    if dataset.colorinterp[0].name != "palette":
        return None
    colours = dataset.colormap(1)
    table = np.zeros((int(np.iinfo(dataset.dtypes[0]).max) + 1, 4), np.uint8)
    for value, colour in colours.items():
        table[value] = colour
    return table


def whole_bands(dataset: Any) -> tuple[Literal["all", "alpha", "some"], ...]:
    """Return of each band whether the file itself says that every pixel holds something.

    Args:
        dataset: An open rasterio dataset.

    Returns:
        ``all`` where it says so, ``alpha`` for a band that says how opaque the others are, else ``some``. Whoever reads
        alpha as a band of its own learns nothing by it of what is hidden.
    """
    from rasterio.enums import MaskFlags

    return tuple(
        "alpha" if kind.name == "alpha" else "all" if MaskFlags.all_valid in flags else "some"
        for kind, flags in zip(dataset.colorinterp, dataset.mask_flag_enums, strict=True)
    )


def check_scale(path: str, dataset: Any, bands: Sequence[int], scale: Sequence[Scale] | None) -> None:
    """Refuse values that are no bytes unless the user said which are black and white.

    Raises:
        DataError: As said; a scale is suggested.
    """
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if any(kind.startswith("complex") for kind in kinds):
        raise DataError(f"{path}: holds complex numbers; convert it to real ones first")
    if scale is not None or kinds == {"uint8"}:
        return
    low, high = _middle(dataset, bands)
    raise DataError(
        f"{path}: its bands are {', '.join(sorted(kinds))}, not uint8; say which values are black and white, such as "
        f"--scale {low:g},{high:g} (2 % and 98 % of its values), like the tiles that the model was trained on"
    )


def _middle(dataset: Any, bands: Sequence[int]) -> tuple[float, float]:
    """Return 2 % and 98 % of a raster's values, 0 and 1 where it has none that can be read."""
    from rasterio.errors import RasterioError

    shape = tuple(min(side, SAMPLE_SIDE) for side in (dataset.height, dataset.width))
    found = []
    for band in dict.fromkeys(bands):
        try:
            values = dataset.read(band, out_shape=shape, masked=True).astype(np.float64).filled(np.nan)
        except RasterioError:  # damaged; whoever reads it block by block says where
            continue
        found.append(values[np.isfinite(values)])
    sample = np.concatenate(found) if found else np.empty(0)
    low, high = np.percentile(sample, (2, 98)) if sample.size else (0.0, 1.0)
    return float(low), float(high)


def _number(count: int) -> str:
    return {1: "one", 2: "two", 3: "three", 4: "four"}.get(count, str(count))


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
