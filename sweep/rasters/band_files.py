"""Bands in files of their own, as Sentinel-2 and Landsat come: found in a folder by name, seen as one raster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from sweep.rasters.addresses import is_remote
from sweep.rasters.files import open_dataset
from sweep.rasters.gdal import gdal
from sweep.rasters.inputs import ENDINGS
from sweep.rasters.mosaic import TYPES, warp_onto
from sweep.rasters.products import finest, rasters_below
from trainables.errors import DataError, ExperimentError
from trainables.wording import counted

SHOWN = 4
"""Files of one name that an error lists."""
LISTED = 16
"""Names that an error lists where none fits: of all bands of a product."""


def find_band_files(place: Path, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the files of bands below a folder, or the subdatasets of a file that holds several.

    Of a Sentinel-2 product, masks and previews do not count, and of its resolutions the finest that has all bands does.

    Args:
        place: Such as a ``.SAFE``, or a NetCDF file.
        patterns: One per band: a word between other signs of the name, such as ``B04``, or a glob pattern.

    Raises:
        ExperimentError: There is no such place, or not exactly one file has a name; all faults at once.
    """
    names = _names(place)
    found: list[str] = []
    faults = []
    if alike := finest(names, [partial(_matches, pattern=pattern) for pattern in patterns]):
        return tuple(names[name] for name in alike)
    for pattern in patterns:
        matching = [name for name in names if _matches(name, pattern)]
        if len(matching) == 1:
            found.append(names[matching[0]])
        elif matching:
            alone = Path(matching[0]).stem if place.is_dir() else matching[0]
            shown = ", ".join(matching[:SHOWN])
            faults.append(
                f"--band-files {pattern}: {place} has {len(matching)} of that name ({shown}); say a pattern that one "
                f"alone has, such as '*{alone}*'"
            )
        else:
            shown = ", ".join(dict.fromkeys(Path(name).name for name in list(names)[:LISTED])) or "no raster"
            faults.append(f"--band-files {pattern}: nothing of that name is in {place}, which holds {shown}")
    if faults:
        raise ExperimentError(faults)
    return tuple(found)


def _names(place: Path) -> dict[str, str]:
    """Return what is in a folder or a file: name within it -> path or address."""
    if place.is_file():
        with gdal(), open_dataset(str(place)) as dataset:
            return {address.rpartition(":")[2].strip("/"): address for address in dataset.subdatasets}
    if not place.is_dir():
        raise ExperimentError(f"{place}: no such folder; with --band-files, name the folder that holds the bands")
    return {str(path.relative_to(place)): str(path) for path in rasters_below(place, ENDINGS)}


def _matches(name: str, pattern: str) -> bool:
    if has_magic(pattern):
        return fnmatch(Path(name).name, pattern) or fnmatch(name, pattern)
    word = rf"(?<![A-Za-z0-9]){re.escape(pattern)}(?![A-Za-z0-9])"
    return bool(re.search(word, Path(name).stem, re.IGNORECASE))


def stacked(files: Sequence[str], names: Sequence[str], *, ignore_alpha: bool = False) -> str:
    """Return files of one band each as one virtual raster: XML that names them by absolute path.

    Where files have masks or transparency, the raster has a mask: a pixel holds something where one of them says so,
    as with nodata, which is nothing only where it is so in every band. A file that says nothing of its pixels does not
    count for it.

    Args:
        files: One per band, which may have alpha beside it.
        names: Of the bands.
        ignore_alpha: Transparent pixels count as any others.

    Raises:
        DataError: Their number is not that of the names, one holds several bands, or they are not on one grid.
    """
    if len(files) != len(names):
        raise DataError(
            f"--band-files: names {counted(len(files), 'file')}, and the model sees {', '.join(names)}; name one for "
            f"each, in this order"
        )
    from rasterio.enums import MaskFlags

    with gdal():
        bands: list[str] = []
        masks: list[str] = []
        masked = False
        faults: list[str] = []
        first: Any = None
        for path, name in zip(files, names, strict=True):
            with open_dataset(path) as dataset:
                grid = dataset.shape, dataset.crs, dataset.transform
                if first is None:
                    first = path, dataset.crs, dataset.transform, dataset.shape
                    head = _head(dataset)
                kinds = [kind.name for kind in dataset.colorinterp]
                flags = [] if ignore_alpha and "alpha" in kinds else dataset.mask_flag_enums[0]
                if len(kinds) - kinds.count("alpha") != 1 or kinds[0] == "alpha":
                    faults.append(f"{path}: holds {dataset.count} bands; name files of one band each, or use --bands")
                elif not _same_grid(grid, (first[3], first[1], first[2])):
                    crs = first[1].to_wkt() if first[1] is not None else ""
                    faults.append(
                        f"{path}: is not on the grid of {first[0]}; bring it there, or take a file of that resolution: "
                        f"{warp_onto(crs, first[2], path)}"
                    )
                elif dataset.dtypes[0] not in TYPES:
                    faults.append(f"{path}: holds {dataset.dtypes[0]} values; convert it first: gdal_translate -ot")
                else:
                    bands.append(_band(path, name, dataset, len(bands) + 1))
                    masks += [] if not flags or MaskFlags.all_valid in flags else [_mask(path, dataset)]
                    masked = masked or MaskFlags.per_dataset in flags
    if faults:
        raise DataError(faults)
    mask = ['<MaskBand><VRTRasterBand dataType="Byte">', *masks, "</VRTRasterBand></MaskBand>"] if masked else []
    return "\n".join([*head, *bands, *mask, "</VRTDataset>", ""])


def _same_grid(one: tuple[Any, Any, Any], other: tuple[Any, Any, Any]) -> bool:
    close = np.allclose(tuple(one[2]), tuple(other[2]), rtol=1e-9, atol=1e-6 * abs(other[2].a))
    return bool(one[0] == other[0] and one[1] == other[1] and close)


def _head(dataset: Any) -> list[str]:
    lines = [f'<VRTDataset rasterXSize="{dataset.width}" rasterYSize="{dataset.height}">']
    if dataset.crs is not None:
        lines.append(f"<SRS>{escape(dataset.crs.to_wkt())}</SRS>")
    if not dataset.transform.is_identity:
        lines.append(f"<GeoTransform>{', '.join(map(repr, dataset.transform.to_gdal()))}</GeoTransform>")
    return lines


def _band(path: str, name: str, dataset: Any, number: int) -> str:
    nodata = "" if dataset.nodata is None else f"<NoDataValue>{dataset.nodata!r}</NoDataValue>"
    return (
        f'<VRTRasterBand dataType="{TYPES[dataset.dtypes[0]]}" band="{number}"><Description>{escape(name)}'
        f"</Description>{nodata}<SimpleSource>{_source(path, dataset, '1')}</SimpleSource></VRTRasterBand>"
    )


def _mask(path: str, dataset: Any) -> str:
    """Return a source of the mask, which leaves what is there where this file holds nothing."""
    return f"<ComplexSource>{_source(path, dataset, 'mask,1')}<UseMaskBand>true</UseMaskBand></ComplexSource>"


def _source(path: str, dataset: Any, band: str) -> str:
    size = f'xOff="0" yOff="0" xSize="{dataset.width}" ySize="{dataset.height}"'
    source = path if is_remote(path) else str(Path(path).resolve())
    return (
        f'<SourceFilename relativeToVRT="0">{escape(source)}</SourceFilename><SourceBand>{band}</SourceBand>'
        f"<SrcRect {size}/><DstRect {size}/>"
    )
