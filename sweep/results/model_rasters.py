"""Rasters opened as a trained model sees them, and what of them does not fit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from sweep.rasters.addresses import unsigned
from sweep.rasters.collars import collar_share
from sweep.rasters.georeference import require_transform, sides_of_pixel
from sweep.rasters.mosaic import Mosaic
from sweep.rasters.opening import open_raster
from sweep.rasters.pieces import MosaicRaster, as_mosaic
from sweep.rasters.raster import Raster
from sweep.rasters.resampled import Resampled, in_metres
from sweep.rasters.validity import BY_FILE, Validity
from sweep.results.ensemble import Ensemble
from trainables.data.imagery import Imagery, Scale
from trainables.errors import ExperimentError
from trainables.wording import counted

MOST = 255
"""Largest value of a byte."""
LOOK = 256
"""Pixels of the side of the window in which alpha is looked at."""
SHADES = 32
"""Different values of an alpha that is one: it is 0 and 255, and has a few steps along an edge."""
FAR = 1.5
"""Pixels so many times larger or smaller than the training data's are warned about."""
MOST_FILES = 200
"""Files of a mosaic that are looked at for black collars."""


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """How the pixels of files become those that a model sees.

    Attributes:
        mosaic: What the raster shows; None for a file by itself.
        mean: Where files of the mosaic overlap, their mean is seen; else the upper one.
        metres: Per pixel, along both sides; None for those of the file.
    """

    mosaic: Mosaic | None = None
    mean: bool = False
    metres: float | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a prediction, as plain values; empty ones where files are seen as they are."""
        return {"on_top": "mean" if self.mean else None, "resample": self.metres}


AS_IT_IS = Arrangement()


@contextmanager
def open_for_model(
    path: str,
    ensemble: Ensemble,
    *,
    bands: Sequence[int] = (),
    scale: Scale | None = None,
    skip_bad: bool = False,
    validity: Validity = BY_FILE,
    arrangement: Arrangement = AS_IT_IS,
) -> Iterator[Raster]:
    """Open a raster for the duration of the block.

    Args:
        path: A file or an address that GDAL opens.
        ensemble: The models that will look at it.
        bands: Numbers of the bands that they see, from 1; empty for those of their tiles' names.
        scale: The values that become 0 and 255; None for those of their tiles.
        skip_bad: Leave damaged blocks out.
        validity: What of it counts as no data beside what the file says.
        arrangement: How its pixels become those that the models see.

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
        with ExitStack() as stack:
            if arrangement.mosaic:
                raster = stack.enter_context(as_mosaic(raster, arrangement.mosaic, mean=arrangement.mean))
            if arrangement.metres:
                raster = Resampled.at(raster, arrangement.metres, unsigned(path))
            yield raster


def size_warning(path: str, raster: Raster, ensemble: Ensemble, fix: str = "resample the raster first") -> str:
    """Say that a raster's pixels are far from those of the training data; empty if they are not, or nobody knows.

    Args:
        path: What to call it.
        raster: Open.
        ensemble: The models that will look at it.
        fix: What to do about it.

    Raises:
        ExperimentError: Its CRS is not defined where it is.
    """
    sides, there = sides_of_pixel(raster, path), ensemble.metres_per_pixel
    if sides is None:
        return ""
    if there is None:
        if max(sides) / min(sides) < FAR:
            return ""
        return f"{path}: a pixel is {in_metres(sides)} on the ground, so shapes are stretched; {fix}"
    here = max(sides, key=lambda side: abs(np.log(side / there)))
    if 1 / FAR < here / there < FAR:
        return ""
    return (
        f"{path}: {in_metres(sides)} per pixel, but the model was trained at {there:.3g} m; what it looks for is "
        f"{max(here / there, there / here):.2g} times {'smaller' if here > there else 'larger'} here: {fix}"
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


def collar_warning(path: str, raster: Raster) -> str:
    """Say that a raster, or files of a mosaic, have a black collar that is not tagged; empty if they have none."""
    if raster.validity.nodata is not None or raster.palette is not None:
        return ""
    fix = "and no nodata is tagged, so the model sees a picture there; if it is a collar, --nodata 0 leaves it out"
    if not isinstance(raster, MosaicRaster):
        share = collar_share(raster.dataset, raster.bands)
        return f"{path}: {share:.1%} of its pixels are black up to its edge, {fix}" if share else ""
    shares = raster.collars(MOST_FILES)
    if not (black := {name: share for name, share in shares.items() if share}):
        return ""
    worst = max(black, key=lambda name: black[name])
    return (
        f"{path}: {len(black)} of {counted(len(shares), 'file')} that were looked at are black up to their edge, such "
        f"as {worst} by {black[worst]:.1%}, {fix}"
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
