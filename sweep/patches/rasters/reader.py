"""One reader for the source rasters of ``make``: TIFF by GDAL, PNG and JPEG by Pillow, whatever the file is called."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.data.pictures import (
    TIFF,
    Header,
    NoPictureError,
    decode,
    read_header,
    turn_upright,
)
from trainables.data.tiffs import tiff_orientation
from trainables.errors import DataError

CACHE_BYTES = 64 * 2**20
"""GDAL's cache of decoded blocks."""
GDAL = {
    "GDAL_CACHEMAX": CACHE_BYTES,
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE",  # a truncated JPEG block would be grey pixels and a warning
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # a folder of 100,000 files would be listed for each of them
}
THUMBNAIL = 1024
CONVERT = "python -c \"import sys; from PIL import Image; Image.open(sys.argv[1]).convert('RGB').save(sys.argv[2])\""
Kind = Literal["TIFF", "PNG", "JPEG"]


@dataclass(frozen=True, kw_only=True)
class RasterFile:
    """What a raster's header says; ``read`` opens the file again.

    Attributes:
        path: The file.
        kind: What the content is.
        height: Rows, upright.
        width: Columns, upright.
        bands: Values a pixel.
        dtype: Name of the values' numpy type, such as ``uint8``.
        words: Bands and depth for errors, such as ``16-bit RGB``.
        alpha: The last band says how opaque a pixel is.
        lossy: Compressed in a way that blurs values.
        colours: Why three bands of uint8 are no RGB; empty where they are, or where there are others.
        orientation: EXIF's, 1 for upright; ``read`` turns the pixels upright.
        palette: (256, 3) uint8 colours of the values; None for none.
        nodata: The value that is declared to be no data; None for none.
        crs: rasterio's CRS; None for none.
        transform: From columns and rows to the ground; None for none.
    """

    path: Path
    kind: Kind
    height: int
    width: int
    bands: int
    dtype: str
    words: str
    alpha: bool = False
    lossy: bool = False
    colours: str = ""
    orientation: int = 1
    palette: NDArray[np.uint8] | None = None
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

    def read(self, rows: slice = slice(None), columns: slice = slice(None)) -> NDArray[Any]:
        """Read a part of it as it is shown: upright, palettes as indices.

        Of a TIFF that is stored upright only the blocks that the part touches are read.

        Returns:
            (H, W) values of one band, (H, W, C) of more.

        Raises:
            DataError: Damaged.
        """
        with _damage(self.path):
            if self.kind == "TIFF" and self.orientation == 1:
                return self._read_tiff(rows, columns)
            pixels = self._read_tiff(slice(None), slice(None)) if self.kind == "TIFF" else self._read_picture()
            return np.ascontiguousarray(turn_upright(pixels, self.orientation)[rows, columns])

    def _read_picture(self) -> NDArray[Any]:
        with self.path.open("rb") as file:
            header = read_header(file)
            file.seek(0)
            pixels = np.asarray(decode(file, header))
        return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels

    def _read_tiff(self, rows: slice, columns: slice) -> NDArray[Any]:
        from rasterio.windows import Window

        with open_tiff(self.path) as file:
            top, bottom, _ = rows.indices(file.height)
            left, right, _ = columns.indices(file.width)
            pixels = np.empty((bottom - top, right - left, file.count), np.dtype(file.dtypes[0]))
            file.read(out=np.moveaxis(pixels, 2, 0), window=Window(left, top, right - left, bottom - top))
        return pixels[..., 0] if self.bands == 1 else pixels


def open_raster(path: Path) -> RasterFile:
    """Read a raster's header.

    Raises:
        DataError: Damaged, or of a kind that is not read.
    """
    if not path.is_file():  # a pipe would never end
        raise DataError(f"{path}: is not a file; replace it")
    with _damage(path):
        with path.open("rb") as file:
            start = file.read(12)
            if not start.startswith(TIFF):
                file.seek(0)
                return _picture(path, read_header(file))
        return _tiff(path)


def open_image(path: Path) -> RasterFile:
    """Read the header of an image, whose pixels are 8-bit RGB.

    Raises:
        DataError: Damaged, or of other bands or another depth.
    """
    raster = open_raster(path)
    if (raster.bands, raster.dtype, raster.colours) == (3, "uint8", "") and raster.palette is None:
        return raster
    why = raster.colours or f"{raster.bands} band(s) of {raster.dtype}, not 3 of uint8"
    raise DataError(f"{path}: is no 8-bit RGB ({why}); {_conversion(raster)}")


def _conversion(raster: RasterFile) -> str:
    """Return what makes an 8-bit RGB image of a raster, as a command where one does."""
    path = shlex.quote(str(raster.path))
    if raster.dtype != "uint8":
        return (
            f"scale it, as all others, such as rio convert --dtype uint8 --scale-ratio {_ratio(raster)} {path} NEW.tif"
        )
    if raster.kind != "TIFF":
        command = CONVERT.replace("'RGB'", "'RGBA').convert('RGB'") if raster.colours else CONVERT
        return f"convert it, such as {command} {path} NEW.png"
    if raster.bands > 3 and raster.transform is not None:
        return f"take red, green and blue, such as rio stack --bidx 1,2,3 {path} -o NEW.tif"
    return "save red, green and blue as 8 bits each"


def _ratio(raster: RasterFile) -> str:
    """Return what makes 255 of a raster's largest value, which is looked for among a million pixels or fewer."""
    import rasterio

    with _damage(raster.path), rasterio.Env(**GDAL), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(raster.path.absolute()) as file:
            shape = (file.count, min(file.height, THUMBNAIL), min(file.width, THUMBNAIL))
            largest = float(np.nanmax(file.read(out_shape=shape)))
    return f"{255 / largest:.4g}" if np.isfinite(largest) and largest > 0 else "RATIO"


@contextmanager
def open_tiff(path: Path) -> Iterator[Any]:
    """Open a TIFF by rasterio, without its warnings; other formats are refused, VRT and its links to files among them.

    Raises:
        RasterioError: Damaged.
    """
    import rasterio

    with rasterio.Env(**GDAL), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path.absolute(), driver="GTiff") as file:
            yield file


def _picture(path: Path, header: Header) -> RasterFile:
    upright = (header.height, header.width)
    height, width = upright[::-1] if header.orientation >= 5 else upright
    return RasterFile(
        path=path,
        kind=header.kind,
        height=height,
        width=width,
        bands=header.bands,
        dtype="uint16" if header.bits > 8 else "uint8",
        words=header.words,
        alpha=header.mode in ("LA", "RGBA"),
        lossy=header.kind == "JPEG",
        colours="it names a transparent colour" if header.transparent and header.mode == "RGB" else "",
        orientation=header.orientation,
        palette=_png_palette(path) if header.mode == "P" else None,
    )


def _png_palette(path: Path) -> NDArray[np.uint8]:
    from PIL import PngImagePlugin

    with path.open("rb") as file:
        raw = PngImagePlugin.PngImageFile(file).getpalette("RGB") or []
    table = np.zeros(256 * 3, np.uint8)
    table[: len(raw)] = raw
    return table.reshape(256, 3)


def _tiff(path: Path) -> RasterFile:
    with path.open("rb") as stored:
        orientation = tiff_orientation(stored)
    with open_tiff(path) as file:
        if len(file.subdatasets) > 1:
            raise DataError(f"{path}: holds {len(file.subdatasets)} pictures; save the one that is meant alone")
        crs, transform = file.crs, None if file.transform.is_identity else file.transform
        if orientation != 1 and (crs or transform):
            raise DataError(
                f"{path}: is georeferenced and has orientation {orientation}, so its place is not clear; rewrite it "
                f"without that tag, such as rio convert {path.name} upright_{path.name}"
            )
        kinds = [one.name for one in file.colorinterp]
        height, width = (file.width, file.height) if orientation >= 5 else (file.height, file.width)
        return RasterFile(
            path=path,
            kind="TIFF",
            height=height,
            width=width,
            bands=file.count,
            dtype=str(np.result_type(*file.dtypes)),
            words=f"{file.count} band(s) of {file.dtypes[0]}",
            alpha=file.count in (2, 4) and kinds[-1] == "alpha",
            lossy=_is_lossy(file),
            colours=_odd_colours(file, kinds),
            orientation=orientation,
            palette=_colormap(file) if kinds[0] == "palette" else None,
            nodata=file.nodata,
            crs=crs,
            transform=transform,
        )


def _odd_colours(file: Any, kinds: list[str]) -> str:
    """Say why three bands of bytes are not red, green and blue."""
    if file.photometric is not None and file.photometric.name in ("cielab", "icclab", "itulab", "cmyk"):
        return f"its colours are {file.photometric.name}"
    if set(kinds) == {"red", "green", "blue"} and kinds != ["red", "green", "blue"]:
        return f"its bands are {', '.join(kinds)}"
    bits = file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "8")
    return f"its values have {bits} bits" if file.dtypes[0] == "uint8" and bits != "8" else ""


def _is_lossy(file: Any) -> bool:
    tags: dict[str, str] = file.tags(ns="IMAGE_STRUCTURE")
    name = tags.get("COMPRESSION", "")
    if name.startswith(("WEBP", "JXL")):
        return tags.get("COMPRESSION_REVERSIBILITY", "LOSSLESS") != "LOSSLESS"
    return "JPEG" in name or (name.startswith("LERC") and float(tags.get("MAX_Z_ERROR", 0)) > 0)


def _colormap(file: Any) -> NDArray[np.uint8]:
    table = np.zeros((256, 3), np.uint8)
    for value, colour in file.colormap(1).items():
        if value < 256:
            table[value] = colour[:3]
    return table


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn what decoders raise into one line that names the file."""
    try:
        yield
    except DataError:
        raise
    except NoPictureError as error:
        what = str(error) or "is no raster"
        raise DataError(f"{path}: {what}, and only TIFF, PNG and JPEG are read; save it as one of them") from error
    except Exception as error:  # decoders raise many kinds on damaged input
        reason = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
        raise DataError(f"{path}: damaged ({reason}); replace it") from error
