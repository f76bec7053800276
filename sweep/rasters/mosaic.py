"""Several rasters on one grid as one: where each is, what is missing between them, and a virtual raster of them all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np

from sweep.rasters.addresses import is_remote, unsigned
from sweep.rasters.bands import choose_bands, kinds_of, palette_of
from sweep.rasters.files import UnreadableError, open_dataset, replace_or_skip, require_one_picture
from sweep.rasters.gdal import gdal
from sweep.rasters.orientation import UPRIGHT, orientation_of
from trainables.data.imagery import COLOURS
from trainables.errors import DataError
from trainables.wording import counted

ALIGNED = 0.01
"""Pixels by which a raster may be off the common grid: corners are stored as rounded decimals."""
MOST_CELLS = 10_000_000
"""Of a grid that is searched for missing files."""
MOST_LISTED = 20
TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}
"""numpy's -> GDAL's names."""
COLOUR_NAMES = {"red": "Red", "green": "Green", "blue": "Blue"}
OnTop = Literal["last", "first", "mean"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A raster of a mosaic.

    Attributes:
        path: Its file or address.
        left: Its first column in the mosaic.
        top: Its first row.
        width: Pixels.
        height: Pixels.
        bands: The numbers, from 1, of the bands that are taken; of a palette, 1 for each of its colours.
        palette: Whether its values are indices of colours.
        masked: Whether some of its pixels may hold nothing.
    """

    path: str
    left: int
    top: int
    width: int
    height: int
    bands: tuple[int, ...]
    palette: bool
    masked: bool


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """Rasters on one grid.

    Attributes:
        crs: As WKT; empty where they have none but a transform.
        transform: Of the mosaic, affine.
        width: Pixels.
        height: Pixels.
        names: Of the bands.
        dtype: numpy's name of their type.
        sources: The rasters; a later one covers those before it.
        missing: The cells of a regular grid of equal files that have none, in words.
        skipped: What could not be opened and was left out, in words.
    """

    crs: str
    transform: Any
    width: int
    height: int
    names: tuple[str, ...]
    dtype: str
    sources: tuple[Source, ...]
    missing: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        paths: Sequence[str],
        wanted: Sequence[str],
        bands: Sequence[int] = (),
        on_top: OnTop = "last",
        *,
        ignore_alpha: bool = False,
        skip_bad: bool = False,
    ) -> Mosaic:
        """Put rasters side by side; only their headers are read.

        Args:
            paths: Files, or addresses that GDAL opens.
            wanted: Names of the bands that are needed.
            bands: Their numbers in each raster, from 1; empty finds them by name in each.
            on_top: Which of two rasters that overlap is seen; for a mean, the virtual raster shows the last one.
            ignore_alpha: Transparent pixels count as any others.
            skip_bad: Leave out files that are no raster.

        Raises:
            DataError: They are not on one grid, or bands do not fit; every raster that does not is listed.
        """
        with gdal():
            return _Assembly(wanted, bands, ignore_alpha=ignore_alpha, skip_bad=skip_bad).mosaic(paths, on_top)

    def to_vrt(self) -> str:
        """Return it as a GDAL virtual raster: XML that names the files by absolute path."""
        lines = [f'<VRTDataset rasterXSize="{self.width}" rasterYSize="{self.height}">']
        if self.crs:
            lines.append(f"<SRS>{escape(self.crs)}</SRS>")
        lines.append(f"<GeoTransform>{', '.join(map(repr, self.transform.to_gdal()))}</GeoTransform>")
        for number, name in enumerate(self.names):
            lines.append(f'<VRTRasterBand dataType="{TYPES[self.dtype]}" band="{number + 1}">')
            lines.append(f"<Description>{escape(name)}</Description>")
            if name in COLOUR_NAMES:
                lines.append(f"<ColorInterp>{COLOUR_NAMES[name]}</ColorInterp>")
            lines += [_source(one, number) for one in self.sources]
            lines.append("</VRTRasterBand>")
        lines.append('<MaskBand><VRTRasterBand dataType="Byte">')
        lines += [_mask(one) for one in self.sources]
        return "\n".join([*lines, "</VRTRasterBand></MaskBand></VRTDataset>", ""])


class _Assembly:
    """Looks at rasters one by one, and collects what does not fit."""

    def __init__(self, wanted: Sequence[str], bands: Sequence[int], *, ignore_alpha: bool, skip_bad: bool) -> None:
        self._wanted, self._bands = wanted, bands
        self._ignore_alpha, self._skip_bad = ignore_alpha, skip_bad
        self._faults: list[str] = []
        self._skipped: list[str] = []
        self._first: Any = None

    def mosaic(self, paths: Sequence[str], on_top: OnTop) -> Mosaic:
        found = [one for path in paths if (one := self._look(path))]
        if self._faults or not found:
            raise DataError(self._faults or self._skipped or ["--mosaic: there is no raster to put together"])
        _, transform, crs, dtype = self._first
        left, top = min(one.left for one in found), min(one.top for one in found)
        placed = tuple(
            Source(**{**vars(one), "left": one.left - left, "top": one.top - top})
            for one in (reversed(found) if on_top == "first" else found)
        )
        moved = transform @ type(transform).translation(left, top)
        return Mosaic(
            crs=crs,
            transform=moved,
            width=max(one.left + one.width for one in placed),
            height=max(one.top + one.height for one in placed),
            names=tuple(self._wanted),
            dtype=dtype,
            sources=placed,
            missing=_missing(placed, moved),
            skipped=tuple(self._skipped),
        )

    def _look(self, path: str) -> Source | None:
        try:
            if is_remote(path) and unsigned(path) != path:
                raise DataError(
                    f"{unsigned(path)}: a mosaic is a file that names its sources, and this address is signed; "
                    f"download the raster first"
                )
            with open_dataset(path, fix=replace_or_skip()) as dataset:
                require_one_picture(path, dataset)
                return self._place(path, dataset)
        except DataError as error:
            skip = self._skip_bad and isinstance(error, UnreadableError)
            (self._skipped if skip else self._faults).extend(error.faults)
            return None

    def _place(self, path: str, dataset: Any) -> Source:
        """Return where a raster is on the grid of the first one.

        Raises:
            DataError: It is not on it.
        """
        transform, crs = dataset.transform, dataset.crs.to_wkt() if dataset.crs is not None else ""
        if not crs and transform.is_identity:
            raise DataError(f"{path}: has no place on earth, so --mosaic cannot tell where it belongs; leave it out")
        if orientation_of(dataset) != UPRIGHT:
            raise DataError(f"{path}: is stored turned; turn it first: gdal_translate {quote(path)} upright.tif")
        palette = tuple(self._wanted) == COLOURS and not self._bands and palette_of(dataset) is not None
        bands = (1, 1, 1) if palette else choose_bands(path, kinds_of(dataset), self._bands, self._wanted)
        dtype = str(np.result_type(*(dataset.dtypes[band - 1] for band in bands)))
        if dtype not in TYPES:
            raise DataError(f"{path}: holds {dtype} values; convert it first: gdal_translate -ot Float32")
        if self._first is None:
            self._first = path, transform, crs, dtype
        first, grid, first_crs, first_type = self._first
        if crs != first_crs and not _same_crs(crs, first_crs):
            raise DataError(
                f"{path}: has the CRS {_name(crs)}, but {first} has {_name(first_crs)}; bring it onto the same grid: "
                f"{warp_onto(first_crs, grid, path)}"
            )
        if dtype != first_type:
            raise DataError(f"{path}: holds {dtype}, but {first} {first_type}; convert one of them: gdal_translate -ot")
        relative = ~grid @ transform
        corner = relative @ (0.0, 0.0)
        end = relative @ (float(dataset.width), float(dataset.height))
        left, top = map(round, corner)
        off = [corner[0] - left, corner[1] - top, end[0] - left - dataset.width, end[1] - top - dataset.height]
        if max(map(abs, off)) > ALIGNED or max(abs(relative.b), abs(relative.d)) > 1e-9:
            raise DataError(
                f"{path}: is not on the grid of {first} (pixels of {_size(transform)} instead of {_size(grid)}, or "
                f"between its pixels); bring it onto the same grid: {warp_onto(first_crs, grid, path)}"
            )
        from rasterio.enums import MaskFlags

        flags = [dataset.mask_flag_enums[band - 1] for band in bands]
        alpha = all(MaskFlags.alpha in one for one in flags)
        whole = (alpha and self._ignore_alpha) or all(MaskFlags.all_valid in one for one in flags)
        return Source(
            path=path,
            left=left,
            top=top,
            width=int(dataset.width),
            height=int(dataset.height),
            bands=bands,
            palette=palette,
            masked=not whole,
        )


def _missing(sources: Sequence[Source], transform: Any) -> tuple[str, ...]:
    """Return the empty cells between rasters of one size that are on a regular grid; none where they are not."""
    sizes = {(one.width, one.height) for one in sources}
    if len(sizes) > 1 or len(sources) < 2:
        return ()
    width, height = next(iter(sizes))
    if any(one.left % width or one.top % height for one in sources):
        return ()
    taken = {(one.top // height, one.left // width) for one in sources}
    rows, columns = (max(place[axis] for place in taken) + 1 for axis in (0, 1))
    if rows * columns > MOST_CELLS:
        return ()
    return tuple(
        "row {}, column {}, from ({:.10g}, {:.10g})".format(
            row + 1, column + 1, *(transform @ (column * width, row * height))
        )
        for row, column in itertools.product(range(rows), range(columns))
        if (row, column) not in taken
    )


def missing_in_words(mosaic: Mosaic) -> str:
    """Say which cells of the grid have no file; empty where none is missing."""
    if not mosaic.missing:
        return ""
    listed = "; ".join(mosaic.missing[:MOST_LISTED])
    more = f"; and {len(mosaic.missing) - MOST_LISTED:,} more" if len(mosaic.missing) > MOST_LISTED else ""
    total = len(mosaic.missing) + len({(one.top, one.left) for one in mosaic.sources})
    return f"{counted(len(mosaic.missing), 'cell')} of the grid of {total:,} without a file: {listed}{more}"


def _same_crs(one: str, other: str) -> bool:
    from pyproj import CRS

    return bool(one and other and CRS.from_wkt(one) == CRS.from_wkt(other))


def _name(crs: str) -> str:
    from pyproj import CRS

    return str(CRS.from_wkt(crs).name) if crs else "none"


def _size(transform: Any) -> str:
    across, down = np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e)
    return f"{across:.9g} x {down:.9g}"


def warp_onto(crs: str, grid: Any, path: str) -> str:
    """Return the command that brings a raster onto a grid.

    Args:
        crs: Of the grid, as WKT; empty for none.
        grid: Its transform, affine.
        path: The raster.
    """
    from pyproj import CRS

    authority = CRS.from_wkt(crs).to_authority() if crs else None
    target = f" -t_srs {':'.join(authority)}" if authority else ""
    across, down = np.hypot(grid.a, grid.d), np.hypot(grid.b, grid.e)
    steps = (grid.c / across, grid.f / down)
    aligned = " -tap" if all(abs(one - round(one)) < ALIGNED for one in steps) else ""
    output = str(Path(path).with_name(f"{Path(path).stem}_warped.tif"))
    return f"gdalwarp{target} -tr {across:.15g} {down:.15g}{aligned} {quote(path)} {quote(output)}"


def _place_of(one: Source) -> str:
    size = f'xSize="{one.width}" ySize="{one.height}"'
    return f'<SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="{one.left}" yOff="{one.top}" {size}/>'


def _file_of(one: Source) -> str:
    path = one.path if is_remote(one.path) else str(Path(one.path).resolve())
    return f'<SourceFilename relativeToVRT="0">{escape(path)}</SourceFilename>'


def _source(one: Source, number: int) -> str:
    kind = "ComplexSource" if one.palette or one.masked else "SimpleSource"
    more = f"<ColorTableComponent>{number + 1}</ColorTableComponent>" if one.palette else ""
    more += "<UseMaskBand>true</UseMaskBand>" if one.masked else ""
    return f"<{kind}>{_file_of(one)}<SourceBand>{one.bands[number]}</SourceBand>{_place_of(one)}{more}</{kind}>"


def _mask(one: Source) -> str:
    """Return the source of the mask: 255 where it holds something; nothing there leaves what is below it."""
    if one.masked:
        band, more = f"mask,{one.bands[0]}", "<UseMaskBand>true</UseMaskBand>"
    else:  # every value becomes 255, whatever the file says of transparency
        band, more = str(one.bands[0]), "<ScaleOffset>255</ScaleOffset><ScaleRatio>0</ScaleRatio>"
    return f"<ComplexSource>{_file_of(one)}<SourceBand>{band}</SourceBand>{_place_of(one)}{more}</ComplexSource>"
