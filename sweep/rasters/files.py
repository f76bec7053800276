"""The files behind a raster: opened, found missing, and what tells that one of them has changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from sweep.rasters.addresses import driver_of_subdataset, file_of_subdataset, is_remote, unsigned, unsigned_in
from trainables.errors import DataError

SHOWN = 3
"""Missing files that an error names."""
MOST_ADDRESSES = 12
"""Of the pictures in a file that an error names."""
PAGES = (
    'python -c "import sys; from PIL import Image, ImageSequence as S; '
    "[page.copy().save(f'{sys.argv[2]}_{n}.png') for n, page in enumerate(S.Iterator(Image.open(sys.argv[1])))]\""
)
"""Saves every picture of a file alone."""


Stamp = dict[str, list[int | str]]
READ_AS = "read as"
ANIMATED = ("GIF", "WEBP", "PNG")
"""GDAL's names of formats that may hold several pictures one after another."""
DRIVERS_BY_ENDING = {".hdf": "HDF4", ".ecw": "ECW", ".sid": "MRSID", ".nc": "NETCDF", ".h5": "HDF5"}
"""Endings of formats whose drivers not every GDAL has."""
NOTES = ".aux.xml"
"""Ending of the file beside a raster in which GDAL keeps statistics, and its place, nodata and colours, too."""
UNCOUNTED = (NOTES, ".ovr")
"""Endings of files whose change alone is none of the raster."""
BESIDE = (".msk", NOTES)
"""Endings of what stands beside a raster, behind its whole name, and decides what it shows."""
ARCHIVE = re.compile(r"(zip|tar|gzip|file)(\+file)?://")
"""How rasterio's addresses of files of this machine begin."""


class UnreadableError(DataError):
    """A raster that GDAL cannot open, or of which files are missing: damaged, not merely unsuitable."""


def open_dataset(path: str, *, fix: str = "replace it", drivers: Sequence[str] = ()) -> Any:
    """Open a raster with rasterio.

    Args:
        path: A file or an address that GDAL opens.
        fix: What a user can do if it does not open.
        drivers: GDAL's names of the formats that are tried; empty for all.

    Raises:
        UnreadableError: It is none.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.io import DatasetReader

    try:
        dataset = DatasetReader(path, driver=list(drivers)) if drivers else rasterio.open(path)
    except RasterioError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        name, reason = unsigned(path), unsigned_in(reason, path)
        if driver := _missing_driver(path):
            raise UnreadableError(
                f"{name}: the GDAL here (rasterio's) has no driver {driver}; convert it with a GDAL that has: "
                f"gdal_translate {quote(name)} scene.tif"
            ) from error
        raise UnreadableError(f"{name}: is no raster that GDAL can open ({reason}); {fix}") from error
    if dataset.driver == "VRT" and not is_remote(path) and not path.lower().endswith(".vrt"):
        dataset.close()
        raise UnreadableError(f"{path}: is a virtual raster, which shows other files; call it .vrt if that is meant")
    return dataset


def _missing_driver(path: str) -> str:
    """Return the driver that an address or a file's ending names and that GDAL does not have; empty where it has it."""
    from rasterio.env import Env

    wanted = driver_of_subdataset(path) or DRIVERS_BY_ENDING.get(Path(path).suffix.lower(), "")
    with Env() as env:
        return wanted if wanted and wanted not in {name.upper() for name in env.drivers()} else ""


def replace_or_skip(skip_flag: str = "--skip-bad") -> str:
    """Return what a user can do about a damaged file, with the flag that leaves it out, if there is one."""
    return f"replace it{f', or {skip_flag} leaves it out' if skip_flag else ''}"


def require_one_picture(path: str, dataset: Any) -> None:
    """Refuse a file of several pictures, of which GDAL would show the first one, or none.

    Args:
        path: Its name in the error.
        dataset: An open rasterio dataset.

    Raises:
        DataError: As said.
    """
    count = max(len(dataset.subdatasets), _frames(dataset))
    if count > 1 or (count and not dataset.count):
        stem = str(Path(path).with_suffix(""))
        if dataset.subdatasets and not dataset.count:
            listed = ", ".join(map(quote, dataset.subdatasets[:MOST_ADDRESSES]))
            more = f" and {count - MOST_ADDRESSES} more" if count > MOST_ADDRESSES else ""
            raise DataError(
                f"{path}: holds {count} pictures; name the one that is meant instead, such as {listed}{more}, or save "
                f"it alone by gdal_translate"
            )
        save = f"{PAGES} {quote(path)} {quote(stem)}" if dataset.count else "gdal_translate saves one of them"
        raise DataError(f"{path}: holds {count} pictures; save the one that is meant alone, such as {save}")


def _frames(dataset: Any) -> int:
    """Count the pictures of an animation, of which GDAL shows the first one."""
    if dataset.driver not in ANIMATED or not Path(dataset.name).is_file():
        return 0
    from PIL import Image

    try:
        with Image.open(dataset.name) as file:
            return int(getattr(file, "n_frames", 1))
    except Exception:  # Pillow's readers raise many kinds on damaged input, which GDAL reports when it is read
        return 1


def made_of(dataset: Any) -> list[str]:
    """List the files that a raster is made of, those that are missing included.

    Returns:
        Its own file, world file, ``.aux.xml``, mask and overviews as GDAL knows them, and the sources of a virtual
        raster with what those are made of in turn where they are virtual, too.
    """
    return list(dict.fromkeys(_made_of(dataset, set())))


def _made_of(dataset: Any, seen: set[str]) -> Iterator[str]:
    for file in dataset.files:
        yield file
        if dataset.driver == "VRT":  # GDAL knows what stands beside a raster, but not beside those that one shows
            yield from (beside for ending in BESIDE if Path(beside := f"{file}{ending}").is_file())
        if dataset.driver == "VRT" and file.lower().endswith(".vrt") and file not in seen:
            seen.add(file)
            if Path(file).is_file() and file != dataset.name:
                try:
                    with open_dataset(file) as source:
                        yield from _made_of(source, seen)
                except UnreadableError:  # reading what it shows fails, and says so
                    continue


def missing_sources(dataset: Any) -> list[str]:
    """List the files of this machine that a virtual raster shows and that are not there."""
    if dataset.driver != "VRT":
        return []
    return [file for file in made_of(dataset) if not is_remote(file) and not Path(file).exists()]


def nested_sources(dataset: Any) -> list[str]:
    """List the virtual rasters that a virtual raster shows."""
    if dataset.driver != "VRT":
        return []
    return [file for file in dataset.files if file.lower().endswith(".vrt") and file != dataset.name]


def require_sources(path: str, dataset: Any, *, skip_bad: bool = False, skip_flag: str = "") -> list[str]:
    """Return the missing sources of a virtual raster, or refuse it.

    Args:
        path: Its name in the error.
        dataset: An open rasterio dataset.
        skip_bad: They may be missing where it shows them itself. GDAL (3.10) says once that those of another virtual
            raster are missing, and shows black from then on.
        skip_flag: The flag that the error advises; empty for none.

    Raises:
        UnreadableError: As said; names the first of them.
    """
    missing, nested = missing_sources(dataset), nested_sources(dataset)
    if not missing or (skip_bad and not nested):
        return missing
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    fix = f"put them back{f', or {skip_flag} leaves their pixels out' if skip_flag else ''}"
    if nested:
        fix = f"put them back, or take the virtual rasters that it shows ({', '.join(nested[:SHOWN])}) instead"
    raise UnreadableError(f"{path}: shows files that are not there: {', '.join(missing[:SHOWN])}{more}; {fix}")


def file_of(path: str) -> Path | None:
    """Return the file of this machine that a path means or is inside; None where there is none.

    Args:
        path: A path, or an address of GDAL such as ``/vsizip/scenes.zip/scene.tif``.
    """
    if (inside := file_of_subdataset(path)) is not None:
        return inside
    inner = ARCHIVE.sub("", path).replace("!", "/") if ARCHIVE.match(path) else path
    while inner.startswith("/vsi") and "/" in inner[1:]:
        inner = inner[1:].partition("/")[2].replace("{", "").replace("}", "")
    candidates = [Path(inner), *Path(inner).parents] if inner != path else [Path(path)]
    return next((one for one in candidates if one.is_file()), None)


def stamp(dataset: Any, address: str) -> Stamp:
    """Return what changes when a raster does: the state of every file that it is made of, and how GDAL reads them.

    Overviews do not count. An ``.aux.xml`` counts by what it says: programs that show a raster write statistics there.

    Args:
        dataset: An open rasterio dataset.
        address: What it is called; all that is known of what is on another machine.

    Returns:
        By absolute path: bytes and nanoseconds of the last change, nothing for what is missing or on another machine;
        and under ``READ_AS`` a digest of its place, nodata, bands and masks. Of a raster with an ``.aux.xml`` that a
        virtual one shows, such a digest is there, too,
        if that file changes it.
    """
    if is_elsewhere(address):
        return {address: []}
    found: Stamp = {}
    for name in made_of(dataset) or [address]:
        if name.lower().endswith(UNCOUNTED):
            if dataset.driver == "VRT" and name.endswith(NOTES) and (read := _noted(name.removesuffix(NOTES))):
                found[str(Path(name).absolute())] = [read]
            continue
        file = file_of(name)
        if file is None:
            found[unsigned(name) if is_remote(name) else str(Path(name).absolute())] = []
        else:
            status = file.stat()
            found[str(file.resolve())] = [status.st_size, status.st_mtime_ns]
    found[READ_AS] = [_digest(dataset)]
    return found


def _noted(path: str) -> str:
    """Return the digest of how GDAL reads a file by its notes; empty where they change nothing, or it is unreadable."""
    import rasterio

    digests = []
    for notes in (True, False):
        try:
            with rasterio.Env(GDAL_PAM_ENABLED=notes), open_dataset(path) as dataset:
                digests.append(_digest(dataset))
        except UnreadableError:  # whoever reads it says so
            digests.append("")
    return digests[0] if digests[0] != digests[1] else ""


def _digest(dataset: Any) -> str:
    crs = dataset.crs.to_wkt() if dataset.crs is not None else ""
    masks = [[flag.name for flag in band] for band in dataset.mask_flag_enums]
    colours = [one.name for one in dataset.colorinterp]
    seen = repr(
        (crs, tuple(dataset.transform), dataset.nodatavals, dataset.dtypes, colours, masks, len(dataset.gcps[0]))
    )
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def is_elsewhere(address: str) -> bool:
    """Whether a raster is on another machine."""
    return is_remote(address) and file_of(address) is None
