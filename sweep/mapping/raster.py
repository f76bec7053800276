"""A raster of any size, read by windows as the model wants it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.mapping.bands import check_scale, choose_bands, to_bytes
from sweep.mapping.extra import CACHE_BYTES
from trainables.errors import ExperimentError

Span = tuple[int, int]
"""From a first pixel to the one after the last."""


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """A part of a raster.

    Attributes:
        image: (3, H, W) uint8 RGB; what is not valid has the colour that the model takes for nothing.
        valid: (H, W) bool, False where the raster has no data, is transparent, or could not be read.
    """

    image: NDArray[np.uint8]
    valid: NDArray[np.bool_]


@dataclass(kw_only=True)
class Raster:
    """An open raster.

    Attributes:
        path: Its path or address.
        bands: Numbers, from 1, of red, green and blue.
        scale: The values that become 0 and 255; None where they are bytes already.
        fill: The colour of what is not valid.
        skip_bad: What cannot be read counts as not valid, instead of ending the prediction.
        bad: What could not be read, in words; a damaged block once.
    """

    path: str
    dataset: Any
    bands: tuple[int, int, int]
    scale: tuple[float, float] | None
    fill: tuple[int, int, int]
    skip_bad: bool = False
    bad: dict[str, None] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.dataset.height)

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.dataset.width)

    @property
    def georeferenced(self) -> bool:
        """Whether the file says where on earth, or on a plan, its pixels lie."""
        return self.dataset.crs is not None or not self.dataset.transform.is_identity

    def read(self, rows: Span, columns: Span) -> Pixels:
        """Read a part of it.

        Raises:
            ExperimentError: A block is damaged, and ``skip_bad`` is not set.
        """
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        window = Window.from_slices(rows, columns)
        try:
            values, valid = self._values(window)
        except RasterioError:
            values, valid = self._values_by_blocks(rows, columns)
        image = to_bytes(values, self.scale)
        if not valid.all():
            image = np.where(valid, image, np.array(self.fill, dtype=np.uint8)[:, None, None])
        return Pixels(image=np.ascontiguousarray(image), valid=valid)

    def shrunk(self, shape: Span) -> NDArray[np.uint8]:
        """Read all of it as (H, W, 3) uint8 of a smaller or equal size; what cannot be read is black."""
        from rasterio.errors import RasterioError

        try:
            values = self.dataset.read(self.bands, out_shape=(3, *shape))
        except RasterioError:
            values = np.zeros((3, *shape))
        return np.ascontiguousarray(to_bytes(values, self.scale).transpose(1, 2, 0))

    def _values(self, window: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window's (3, H, W) values and which pixels have any."""
        from rasterio.enums import MaskFlags

        values = self.dataset.read(self.bands, window=window)
        flags = [self.dataset.mask_flag_enums[band - 1] for band in self.bands]
        if all(MaskFlags.all_valid in one for one in flags):
            valid = np.ones(values.shape[1:], dtype=bool)
        else:  # black in one band that declares 0 as nodata is a colour; in all of them it is nothing
            valid = (self.dataset.read_masks(self.bands, window=window) > 0).any(axis=0)
        if values.dtype.kind == "f":
            valid &= np.isfinite(values).all(axis=0)
        return values, valid

    def _values_by_blocks(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read what can be read, block by block as the file is laid out."""
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        shape = (rows[1] - rows[0], columns[1] - columns[0])
        values = np.zeros((3, *shape), dtype=np.result_type(*(self.dataset.dtypes[band - 1] for band in self.bands)))
        valid = np.zeros(shape, dtype=bool)
        height, width = self.dataset.block_shapes[self.bands[0] - 1]
        for down, right in itertools.product(_pieces(rows, height), _pieces(columns, width)):
            place = (slice(down[0] - rows[0], down[1] - rows[0]), slice(right[0] - columns[0], right[1] - columns[0]))
            try:
                values[:, *place], valid[place] = self._values(Window.from_slices(down, right))
            except RasterioError as error:
                self._note(down[0] // height, right[0] // width, error)
        return values, valid

    def _note(self, row: int, column: int, error: Exception) -> None:
        """Keep in mind that a block of the file is damaged, or give up."""
        place = f"block in row {row}, column {column}"
        cause = str(error.__cause__ or error)
        if not self.skip_bad:
            height, width = self.dataset.block_shapes[self.bands[0] - 1]
            raise ExperimentError(
                f"{self.path}: {place} (pixels from row {row * height}, column {column * width}, {height} x {width}) "
                f"cannot be read ({cause}); restore the file, or --skip-bad leaves it out"
            ) from error
        self.bad[place] = None


def _pieces(span: Span, size: int) -> Iterator[Span]:
    """Cut a span where blocks of some size end."""
    edges = [span[0], *range((span[0] // size + 1) * size, span[1], size), span[1]]
    return itertools.pairwise(edges)


@contextmanager
def open_raster(
    path: str,
    *,
    bands: Sequence[int] = (),
    scale: tuple[float, float] | None = None,
    fill: tuple[int, int, int] = (0, 0, 0),
    skip_bad: bool = False,
) -> Iterator[Raster]:
    """Open a raster for the duration of the block.

    Args:
        path: A file or an address that GDAL opens.
        bands: Numbers of red, green and blue, from 1; empty guesses.
        scale: The values that become 0 and 255; needed where they are no bytes.
        fill: The colour that a model is shown where there is nothing.
        skip_bad: Damaged blocks count as not valid.

    Raises:
        ExperimentError: It cannot be opened, or its bands do not fit.
    """
    import rasterio
    from rasterio.errors import RasterioError

    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), quiet_gdal():
        try:
            dataset = rasterio.open(path)
        except RasterioError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ExperimentError(f"{path}: is no raster that GDAL can open ({reason}); replace it") from error
        with dataset:
            chosen = choose_bands(path, dataset, bands)
            check_scale(path, dataset, chosen, scale)
            yield Raster(path=path, dataset=dataset, bands=chosen, scale=scale, fill=fill, skip_bad=skip_bad)


@contextmanager
def quiet_gdal() -> Iterator[None]:
    """Keep GDAL's own log lines and the warning about missing georeference off the terminal."""
    import warnings

    from rasterio.errors import NotGeoreferencedWarning

    logger = logging.getLogger("rasterio")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    finally:
        logger.setLevel(before)
