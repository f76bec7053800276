"""GDAL's settings for reading."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

CACHE_BYTES = 256 * 2**20
"""GDAL's cache of decoded blocks; its own default is a twentieth of the memory. In bytes: rasterio, unlike GDAL's own
programs, does not take small numbers for megabytes."""


@contextmanager
def gdal() -> Iterator[None]:
    """Set GDAL up for reading: a bounded cache, faults as errors, failed requests repeated, nothing on the terminal."""
    import rasterio

    options = {
        "GDAL_CACHEMAX": CACHE_BYTES,
        "GDAL_ERROR_ON_LIBJPEG_WARNING": True,  # a truncated JPEG block would be grey pixels and a warning
        "GTIFF_IGNORE_READ_ERRORS": False,
        "GDAL_DISABLE_READDIR_ON_OPEN": True,  # a folder of 100,000 files would be listed for each of them
    }
    for name, value in (("GDAL_HTTP_MAX_RETRY", 3), ("GDAL_HTTP_RETRY_DELAY", 1)):
        if name not in os.environ:
            options[name] = value
    with nullcontext() if _are_set(options) else rasterio.Env(**options), quiet_gdal():
        yield


def in_thread() -> AbstractContextManager[object]:
    """Keep GDAL off the terminal in this thread, which may have no ``gdal`` of its own; costs nothing where it has."""
    import rasterio
    from rasterio.env import hasenv

    return nullcontext() if hasenv() else rasterio.Env()


def _are_set(wanted: Mapping[str, object]) -> bool:
    """Whether GDAL is set up in this way already; to do it again and back costs as much as to open a small file."""
    from rasterio.env import getenv, hasenv

    return bool(hasenv()) and wanted.items() <= getenv().items()


@contextmanager
def quiet_gdal() -> Iterator[None]:
    """Keep GDAL's own log lines and the warning about missing georeference off the terminal."""
    from rasterio.errors import NotGeoreferencedWarning

    logger = logging.getLogger("rasterio")
    before = logger.level
    if before != logging.CRITICAL:  # setting a level empties the caches of all loggers
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    finally:
        if before != logging.CRITICAL:
            logger.setLevel(before)
