"""What ``sweep.predict`` wrote down of a map: the image that it was made of, and the experiment whose model made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sweep.rasters.addresses import is_remote
from sweep.records.predictions import RECORD_FILE, read_document
from trainables.errors import ExperimentError, StorageError

ENDING = "_mask"


@dataclass(frozen=True, kw_only=True)
class MapOrigin:
    """Whence a map is.

    Attributes:
        image: What it was made of; empty where that is not known.
        experiment: Whose model made it; likewise.
    """

    image: str = ""
    experiment: str = ""


def origin_of(path: str) -> MapOrigin:
    """Return what is known of a map; nothing where the folder has no record, or one that cannot be read."""
    if is_remote(path):
        return MapOrigin()
    try:
        record = read_document(Path(path).parent / RECORD_FILE)
    except (ExperimentError, StorageError):
        return MapOrigin()
    entry, models = record["inputs"].get(Path(path).stem.removesuffix(ENDING)), record["settings"].get("models")
    if entry is None or not isinstance(models, (list, dict)):
        return MapOrigin()
    image = entry["path"]
    there = is_remote(image) or Path(image).is_file()
    names = {str(one).partition("/")[0] for one in models if "/" in str(one)}
    return MapOrigin(image=image if there else "", experiment=names.pop() if len(names) == 1 else "")
