"""What a source file of ``make`` says of itself, and its values as it holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from sweep.rasters.bands import kinds_of, palette_of, whole_bands
from sweep.rasters.opening import open_raster as open_shared
from sweep.rasters.orientation import orientation_number
from sweep.rasters.raster import Raster
from trainables.errors import DataError
from trainables.wording import counted

DRIVERS = ("GTiff", "PNG", "JPEG", "JP2OpenJPEG", "WEBP", "BMP", "GIF", "HFA", "VRT")
"""GDAL's names of the formats that are read; others may be addresses in disguise."""
KEPT_HEADERS = 2**16
"""Of files that have not changed since; several steps ask for each."""
STRIP_BYTES = 16 * 2**20
"""Of the values that are held at a time where all of a raster is gone through."""


@dataclass(frozen=True, kw_only=True)
class RasterFile:
    """What a raster's header says; ``read`` and ``open`` open the file again.

    Attributes:
        path: The file.
        driver: GDAL's name of the format that the content is of, whatever the file is called.
        height: Rows, upright.
        width: Columns, upright.
        bands: Values per pixel.
        dtype: Name of the values' numpy type, such as ``uint8``.
        names: What the file calls its bands.
        whole: Of each band, whether every pixel holds something, see ``whole_bands``.
        alpha: The last band says how opaque a pixel is.
        lossy: Compressed in a way that blurs values.
        colours: Why three bands of uint8 are no RGB; empty where they are, or where there are others.
        orientation: EXIF's, 1 for upright; ``read`` turns the pixels upright.
        palette: (N, 3) uint8 colours of the values; None for none.
        opaque: No colour of the palette is transparent.
        nodata: The value that is declared to be no data; None for none.
        crs: rasterio's CRS; None for none.
        transform: From columns and rows to the ground; None for none.
    """

    path: Path
    driver: str
    height: int
    width: int
    bands: int
    dtype: str
    names: tuple[str, ...]
    whole: tuple[str, ...]
    alpha: bool = False
    lossy: bool = False
    colours: str = ""
    orientation: int = 1
    palette: NDArray[np.uint8] | None = None
    opaque: bool = True
    nodata: float | None = None
    crs: Any = None
    transform: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels, upright."""
        return self.height, self.width

    @property
    def size(self) -> str:
        """Width and height for errors, and what was done to get them."""
        turned = f" (turned upright, as its orientation {self.orientation} says)" if self.orientation != 1 else ""
        return f"{self.width}x{self.height}{turned}"

    @property
    def words(self) -> str:
        """Bands and depth for errors, such as ``4 bands of uint16 (red, green, blue, alpha)``."""
        return f"{counted(self.bands, 'band')} of {self.dtype} ({', '.join(self.names)})"

    @property
    def small(self) -> bool:
        """Whether ``strips`` gives all its values at once."""
        return self.height * self.width * self.bands * np.dtype(self.dtype).itemsize <= STRIP_BYTES

    @contextmanager
    def open(self) -> Iterator[Raster]:
        """Open it for the duration of the block, to read several parts of its values as the file holds them.

        Raises:
            DataError: Damaged.
        """
        with open_shared(str(self.path), raw=True, drivers=DRIVERS) as raster:
            yield raster

    def read(self, area: Area | None = None) -> NDArray[Any]:
        """Read a part of it, or all, as it is shown: upright, palettes as indices.

        Returns:
            (H, W) values of one band, (H, W, C) of more.

        Raises:
            DataError: Damaged.
        """
        with self.open() as raster:
            return values_of(raster, area or Area.whole(self.shape))

    def strips(self) -> Iterator[NDArray[Any]]:
        """Yield all its values from top to bottom, as ``read`` gives them, in memory that does not grow with it.

        Raises:
            DataError: Damaged.
        """
        with self.open() as raster:
            for area in strips_of(self.shape, self.bands * np.dtype(self.dtype).itemsize, raster):
                yield values_of(raster, area)


@dataclass(frozen=True, kw_only=True)
class OpenedFile(RasterFile):
    """A raster that stays open, so that its values do not cost another opening.

    Attributes:
        raster: It, open.
    """

    raster: Raster

    @contextmanager
    def open(self) -> Iterator[Raster]:
        """Return what is open; it stays so."""
        yield self.raster

    @property
    def header(self) -> RasterFile:
        """What can be kept when it is closed."""
        return RasterFile(**{one.name: getattr(self, one.name) for one in fields(RasterFile)})


def strips_of(shape: tuple[int, int], pixel_bytes: int, raster: Raster) -> Iterator[Area]:
    """Yield areas that cover a raster from top to bottom and hold whole rows of its blocks where these are small."""
    height, width = shape
    block = max(raster.dataset.block_shapes[0])
    rows = max(1, STRIP_BYTES // (width * pixel_bytes))
    rows = max(block, rows // block * block) if block * width * pixel_bytes <= 8 * STRIP_BYTES else rows
    for top in range(0, height, rows):
        yield Area(top=top, left=0, height=min(rows, height - top), width=width)


def values_of(raster: Raster, area: Area) -> NDArray[Any]:
    """Return an area's values: (H, W) of one band, (H, W, C) of more."""
    values, _ = raster.values(*area.spans)
    return values[0] if len(values) == 1 else np.ascontiguousarray(np.moveaxis(values, 0, 2))


def open_raster(path: Path) -> RasterFile:
    """Read a raster's header.

    Raises:
        DataError: Damaged, or of a kind that is not read.
    """
    _require_file(path)
    status = path.stat()
    return _header(path, status.st_size, status.st_mtime_ns)


@contextmanager
def opened_raster(path: Path) -> Iterator[OpenedFile]:
    """Open a raster for the duration of the block, to read its header and then its values.

    Raises:
        DataError: Damaged, or of a kind that is not read.
    """
    _require_file(path)
    with open_shared(str(path), raw=True, drivers=DRIVERS) as raster:
        yield OpenedFile(**_header_of(path, raster), raster=raster)


def _require_file(path: Path) -> None:
    if not path.is_file():  # a pipe would never end
        raise DataError(f"{path}: is not a file; replace it")


def forget_headers() -> None:
    """Read all headers again: files beside a raster, such as world files, may have come or changed."""
    _header.cache_clear()


@lru_cache(maxsize=KEPT_HEADERS)
def _header(path: Path, size: int, changed: int) -> RasterFile:
    """Read the header of a file of so many bytes that was last changed then, in nanoseconds."""
    with open_shared(str(path), raw=True, drivers=DRIVERS) as raster:
        return RasterFile(**_header_of(path, raster))


def _header_of(path: Path, raster: Raster) -> dict[str, Any]:
    """Return the fields of a ``RasterFile``."""
    file = raster.dataset
    if not file.count:
        raise DataError(f"{path}: holds no picture; replace it")
    kinds = [one.name for one in file.colorinterp]
    table = palette_of(file)
    return {
        "path": path,
        "driver": file.driver,
        "height": raster.height,
        "width": raster.width,
        "bands": file.count,
        "dtype": raster.dtype,
        "names": tuple(kinds_of(file)),
        "whole": whole_bands(file),
        "alpha": file.count in (2, 4) and kinds[-1] == "alpha",
        "lossy": _is_lossy(file),
        "colours": _odd_colours(file, kinds),
        "orientation": orientation_number(file) if not raster.georeferenced else 1,
        "palette": None if table is None else table[:, :3],
        "opaque": table is None or bool((table[:, 3] > 0).all()),
        "nodata": None if file.driver in ("PNG", "GIF") else file.nodata,
        "crs": file.crs,
        "transform": None if file.transform.is_identity else file.transform,
    }


def _odd_colours(file: Any, kinds: list[str]) -> str:
    """Say why three bands of bytes are not red, green and blue."""
    if "cyan" in kinds or (file.photometric is not None and file.photometric.name in ("cielab", "icclab", "itulab")):
        return f"its colours are {'cmyk' if 'cyan' in kinds else file.photometric.name}"
    if set(kinds) == {"red", "green", "blue"} and kinds != ["red", "green", "blue"]:
        return f"its bands are {', '.join(kinds)}"
    if file.driver == "PNG" and file.count == 3 and file.nodata is not None:
        return "it names a transparent colour"
    bits = file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "8")
    return f"its values have {bits} bits" if file.count > 1 and file.dtypes[0] == "uint8" and bits != "8" else ""


def _is_lossy(file: Any) -> bool:
    tags: dict[str, str] = file.tags(ns="IMAGE_STRUCTURE")
    name = tags.get("COMPRESSION", "")
    if name.startswith(("WEBP", "JXL", "JPEG2000")) or file.driver in ("WEBP", "JP2OpenJPEG"):
        return not tags.get("COMPRESSION_REVERSIBILITY", "LOSSY").startswith("LOSSLESS")
    return (
        "JPEG" in name or file.driver == "JPEG" or (name.startswith("LERC") and float(tags.get("MAX_Z_ERROR", 0)) > 0)
    )
