"""``predictions.json``: which maps ``sweep.predict`` made, of what and with which models."""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError, StorageError

RECORD_FILE = "predictions.json"
FORMAT = 1
RESULTS = (
    "_mask.tif",
    "_mask.qml",
    "_mask.png",
    "_overlay.jpg",
    "_probability.tif",
    "_probability.qml",
    "_uncertainty.tif",
    "_uncertainty.qml",
    "_probability.png",
    "_polygons.gpkg",
    "_polygons.geojson",
    "_polygons.qml",
)
"""How the names of results end, behind their raster's."""


@with_config(ConfigDict(extra="allow"))  # the facts, which are for people
class FinishedRaster(TypedDict):
    """A finished raster in the record."""

    path: str
    stamp: NotRequired[object]
    files: list[str]
    bad: NotRequired[list[str]]


class Document(TypedDict):
    """The record as it is read."""

    format: int
    settings: dict[str, object]
    inputs: dict[str, FinishedRaster]


def read_document(path: Path) -> Document:
    """Read a record.

    Raises:
        ExperimentError: It is damaged, or of a newer version.
        StorageError: It cannot be read.
    """
    try:
        data = read_bounded(path)
        found = parse_json(data, dict[str, object]).get("format")
        if isinstance(found, int) and found > FORMAT:
            raise ExperimentError(f"{path}: written by a newer tilesweep; update tilesweep")
        document = parse_json(data, Document)
        for name, entry in document["inputs"].items():
            if odd := [file for file in entry["files"] if not _is_result(name, file)]:
                raise DamagedError(f"lists {odd[0]!r:.60}, which is no result of {name!r:.60}")
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error
    except DamagedError as error:
        raise ExperimentError(f"{path}: damaged ({error}); delete it, or choose another --out") from error
    return document


def _is_result(name: str, file: str) -> bool:
    """Whether a raster's results have such a name: what a record lists is deleted when it is replaced."""
    return Path(file).name == file and file in {f"{name}{ending}" for ending in RESULTS}
