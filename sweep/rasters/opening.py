"""How a raster is opened: what of it is read, in which colours, which way up, and what of it is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sweep.rasters.addresses import unsigned
from sweep.rasters.bands import check_scale, choose_bands, kinds_of, palette_of
from sweep.rasters.damage import Damage
from sweep.rasters.files import open_dataset, replace_or_skip, require_one_picture, require_sources
from sweep.rasters.gdal import gdal
from sweep.rasters.missing import missing_areas
from sweep.rasters.orientation import orientation_of
from sweep.rasters.raster import Raster
from sweep.rasters.validity import BY_FILE, Validity
from trainables.data.imagery import COLOURS, Scale

_Value = TypeVar("_Value")


@contextmanager
def open_raster(
    path: str,
    *,
    bands: Sequence[int] = (),
    wanted: Sequence[str] = COLOURS,
    scale: Sequence[Scale] | None = None,
    fill: Sequence[int] = (0,),
    skip_bad: bool = False,
    skip_flag: str = "",
    raw: bool = False,
    drivers: Sequence[str] = (),
    validity: Validity = BY_FILE,
) -> Iterator[Raster]:
    """Open a raster for the duration of the block.

    Args:
        path: A file or an address that GDAL opens.
        bands: Numbers of the bands that are wanted, from 1; empty guesses.
        wanted: What they are called.
        scale: The values that become 0 and 255, for each of them or one for all; needed where they are no bytes.
        fill: The colour that a model is shown where there is nothing, for each band or one for all.
        skip_bad: Damaged blocks, and missing sources of a virtual raster, count as not valid.
        skip_flag: The flag that errors advise, which sets ``skip_bad``.
        raw: Whether all its bands are read as they are: whatever they hold, and a palette's indices.
        drivers: GDAL's names of the formats that are opened; empty for all.
        validity: What of it counts as no data beside what the file says.

    Raises:
        UnreadableError: It cannot be opened, or files that it shows are missing.
        DataError: Its bands do not fit, or it holds several pictures.
    """
    with gdal():
        dataset = open_dataset(path, fix=replace_or_skip(skip_flag), drivers=drivers)
        name = unsigned(path)
        try:
            require_one_picture(name, dataset)
            missing = require_sources(name, dataset, skip_bad=skip_bad, skip_flag=skip_flag)
            chosen = tuple(dataset.indexes) if raw else choose_bands(name, kinds_of(dataset), bands, wanted)
            if not raw:
                check_scale(name, dataset, chosen, scale)
            raster = Raster(
                path=path,
                dataset=dataset,
                bands=chosen,
                scale=_for_each(scale, chosen),
                fill=_for_each(fill, chosen) or (),
                damage=Damage(
                    path=path,
                    skip_bad=skip_bad,
                    skip_flag=skip_flag,
                    found={f"missing file {file}": None for file in missing},
                    missing=missing_areas(dataset, missing),
                ),
                palette=None if bands or raw else palette_of(dataset),
                orientation=orientation_of(dataset),
                validity=validity,
                area=validity.area.on(dataset, name) if validity.area else None,
            )
        except BaseException:
            dataset.close()
            raise
        try:
            yield raster
        finally:
            raster.dataset.close()


def _for_each(values: Sequence[_Value] | None, bands: Sequence[int]) -> tuple[_Value, ...] | None:
    if values is None:
        return None
    return tuple(values) * len(bands) if len(values) == 1 else tuple(values)
