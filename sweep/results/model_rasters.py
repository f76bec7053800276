"""Rasters opened as a trained model sees them, and what of them does not fit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from sweep.rasters.addresses import unsigned
from sweep.rasters.georeference import require_transform, side_of_pixel
from sweep.rasters.raster import Raster, open_raster
from sweep.rasters.validity import BY_FILE, Validity
from sweep.results.ensemble import Ensemble
from trainables.data.imagery import Imagery, Scale
from trainables.errors import ExperimentError

MOST = 255
"""Largest value of a byte."""
LOOK = 256
"""Pixels of the side of the window in which alpha is looked at."""
SHADES = 32
"""Different values of an alpha that is one: it is 0 and 255, and has a few steps along an edge."""
FAR = 1.5
"""Pixels so many times larger or smaller than the training data's are warned about."""


@contextmanager
def open_for_model(
    path: str,
    ensemble: Ensemble,
    *,
    bands: Sequence[int] = (),
    scale: Scale | None = None,
    skip_bad: bool = False,
    validity: Validity = BY_FILE,
) -> Iterator[Raster]:
    """Open a raster for the duration of the block.

    Args:
        path: A file or an address that GDAL opens.
        ensemble: The models that will look at it.
        bands: Numbers of the bands that they see, from 1; empty for those of their tiles' names.
        scale: The values that become 0 and 255; None for those of their tiles.
        skip_bad: Leave damaged blocks out.
        validity: What of it is taken for nothing beside what the file says.

    Raises:
        ExperimentError: It cannot be used as it is.
    """
    imagery = ensemble.best.imagery
    with open_raster(
        path,
        bands=bands,
        wanted=imagery.bands,
        scale=(scale,) if scale else imagery.scale,
        fill=ensemble.fill,
        skip_bad=skip_bad,
        skip_flag="--skip-bad",
        validity=validity,
    ) as raster:
        require_transform(raster.dataset, unsigned(path))
        _require_unscaled(raster, path, scale, imagery)
        yield raster


def size_warning(path: str, raster: Raster, ensemble: Ensemble) -> str:
    """Say that a raster's pixels are far from those of the training data; empty if they are not, or nobody knows.

    Raises:
        ExperimentError: Its CRS is not defined where it is.
    """
    here, there = side_of_pixel(raster.dataset, path), ensemble.metres_per_pixel
    if here is None or there is None or 1 / FAR < here / there < FAR:
        return ""
    return (
        f"{path}: {here:.3g} m per pixel, but the model was trained at {there:.3g} m; what it looks for is "
        f"{max(here / there, there / here):.2g} times {'smaller' if here > there else 'larger'} here: resample the "
        f"raster first (gdalwarp -tr)"
    )


def alpha_warning(path: str, raster: Raster) -> str:
    """Say that what a file calls transparency looks like a picture, such as near infrared; empty if it does not."""
    kinds = [one.name for one in raster.dataset.colorinterp]
    if "alpha" not in kinds or raster.validity.ignore_alpha or kinds.index("alpha") + 1 in raster.bands:
        return ""
    height, width = raster.dataset.shape
    top, left = max(0, (height - LOOK) // 2), max(0, (width - LOOK) // 2)
    try:
        values = raster.dataset.read(kinds.index("alpha") + 1, window=Window(left, top, LOOK, LOOK))
    except RasterioError:  # damaged; who reads it block by block says where
        return ""
    if (shades := len(np.unique(values))) <= SHADES:
        return ""
    return (
        f"{path}: band {kinds.index('alpha') + 1} is tagged as alpha, but has {shades} different values in the middle, "
        f"as a picture has; if it is near infrared, --ignore-alpha keeps it from hiding pixels"
    )


def _require_unscaled(raster: Raster, path: str, scale: Scale | None, imagery: Imagery) -> None:
    """Refuse bytes where the model's tiles came from larger values: by their scale nearly all would be black.

    Raises:
        ExperimentError: As said.
    """
    if scale is not None or imagery.scale is None or raster.dtype != "uint8":
        return
    low, high = max(imagery.scale, key=lambda one: one[1])
    if high > MOST:
        raise ExperimentError(
            f"{unsigned(path)}: its bands are uint8, but the model's tiles were made of values from {low:g} to "
            f"{high:g}; take a raster of such values, or say --scale 0,255 if its bytes were scaled like the tiles"
        )
