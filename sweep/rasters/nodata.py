"""Which pixels hold something where a file names one value that is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 4
"""Bytes of a whole number that a nodata value, a float64, has room for."""


def by_nodata(
    values: NDArray[Any], dataset: Any, bands: Sequence[int], flags: Sequence[Sequence[Any]]
) -> NDArray[np.bool_] | None:
    """Tell by values that are read already, which is faster than to have GDAL read them again for its masks.

    Args:
        values: (C, H, W) as the file holds them.
        dataset: An open rasterio dataset.
        bands: Their numbers, from 1.
        flags: GDAL's of each band's mask.

    Returns:
        (H, W) bool, False where every band has that value; None where that is not all that decides.
    """
    from rasterio.enums import MaskFlags

    if values.dtype.kind not in "iu" or values.dtype.itemsize > LARGEST:
        return None
    if any(list(one) != [MaskFlags.nodata] for one in flags):
        return None
    first, *others = [dataset.nodatavals[band - 1] for band in bands]
    if any(other != first for other in others) or not float(first).is_integer():
        return None
    kind = np.iinfo(values.dtype)
    if not kind.min <= first <= kind.max:
        return None
    found: NDArray[np.bool_] = (values != values.dtype.type(first)).any(axis=0)
    return found
