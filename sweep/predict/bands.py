"""Which bands of a raster are red, green and blue, and how their values become bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.errors import ExperimentError

SAMPLE_SIDE = 512
"""Pixels a side of the shrunk raster that a suggested scale is taken from."""


def choose_bands(path: str, dataset: Any, bands: Sequence[int]) -> tuple[int, int, int]:
    """Decide which bands a model sees.

    Args:
        path: The raster's path, for errors.
        dataset: An open rasterio dataset.
        bands: What the user named, from 1; empty takes those that the file calls red, green and
            blue, or the only three.

    Raises:
        ExperimentError: They are not three, do not exist, or cannot be guessed.
    """
    count = dataset.count
    names = [one.name for one in dataset.colorinterp]
    if bands:
        if len(bands) != 3 or not all(1 <= one <= count for one in bands):
            shown = ",".join(map(str, bands))
            raise ExperimentError(f"--bands {shown}: name three of {path}'s {count} bands, such as --bands 1,2,3")
        return bands[0], bands[1], bands[2]
    if all(names.count(colour) == 1 for colour in ("red", "green", "blue")):
        return names.index("red") + 1, names.index("green") + 1, names.index("blue") + 1
    if count == 3:
        return 1, 2, 3
    kinds = f"{count} band{'s' * (count > 1)} ({', '.join(names)})"
    if count < 3:
        fix = "expand its palette first (gdal_translate -expand rgb)" if "palette" in names else "--bands 1,1,1 shows"
        fix += "" if "palette" in names else " a grey image as RGB"
    else:
        fix = "say which are red, green and blue, such as --bands 1,2,3"
    raise ExperimentError(f"{path}: has {kinds}, and the model needs red, green and blue; {fix}")


def check_scale(path: str, dataset: Any, bands: Sequence[int], scale: tuple[float, float] | None) -> None:
    """Refuse values that are no bytes unless the user said which are black and white.

    Raises:
        ExperimentError: As said; a scale is suggested.
    """
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if any(kind.startswith("complex") for kind in kinds):
        raise ExperimentError(f"{path}: holds complex numbers; convert it to real ones first")
    if scale is not None or kinds == {"uint8"}:
        return
    low, high = _middle(dataset, bands)
    raise ExperimentError(
        f"{path}: its bands are {', '.join(sorted(kinds))}, not uint8; say which values are black and white, such as "
        f"--scale {low:g},{high:g} (2 % and 98 % of its values), like the tiles that the model was trained on"
    )


def _middle(dataset: Any, bands: Sequence[int]) -> tuple[float, float]:
    """Return 2 % and 98 % of a raster's values, 0 and 1 where it has none that can be read."""
    from rasterio.errors import RasterioError

    shape = tuple(min(side, SAMPLE_SIDE) for side in (dataset.height, dataset.width))
    found = []
    for band in bands:
        try:
            values = dataset.read(band, out_shape=shape, masked=True).astype(np.float64).filled(np.nan)
        except RasterioError:  # damaged; whoever reads it block by block says where
            continue
        found.append(values[np.isfinite(values)])
    sample = np.concatenate(found) if found else np.empty(0)
    low, high = np.percentile(sample, (2, 98)) if sample.size else (0.0, 1.0)
    return float(low), float(high)


def to_bytes(values: NDArray[Any], scale: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Map values linearly to 0..255.

    Args:
        values: Of any real dtype.
        scale: The values that become 0 and 255; what lies outside is clipped. None for values that are bytes.
    """
    if scale is None:
        return values.astype(np.uint8, copy=False)
    low, high = scale
    with np.errstate(over="ignore", invalid="ignore"):  # nodata values are as far out as a number can be
        scaled = (values.astype(np.float32) - low) * np.float32(255 / (high - low))
        bytes_: NDArray[np.uint8] = np.nan_to_num(scaled.round(), nan=0.0).clip(0, 255).astype(np.uint8)
    return bytes_
