"""Rasters that a user names: files, folders, globs and addresses, each with a name for its results."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from sweep.rasters.addresses import file_of_subdataset, is_remote, is_subdataset, split_address, unsigned
from sweep.rasters.products import require_images
from trainables.data.tiles import natural_order, same_name
from trainables.errors import ExperimentError

ENDINGS = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg")
"""What is taken from a folder; a file named by itself may be anything that GDAL opens."""
MAX_NAME = 120
"""Letters of the name of a subdataset's results."""
MAX_QUERY = 60
"""Letters of an address's query in the name of its results."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """A raster that was named.

    Attributes:
        path: A file, or an address that GDAL opens (``https://``, ``s3://``, ``/vsi...``).
        name: What its results are called after: the file's name without its ending.
    """

    path: str
    name: str

    @property
    def is_remote(self) -> bool:
        """Whether it is no file of this machine."""
        return is_remote(self.path)

    @property
    def identity(self) -> str:
        """What it is known by: its absolute path, or its address without what signs it."""
        return unsigned(self.path) if self.is_remote else str(Path(self.path).resolve())


def find_inputs(inputs: Iterable[str], out: Path, *, band_flag: str = "") -> list[Input]:
    """List the rasters that the user named; those that share a name are called after their folders, too.

    Args:
        inputs: Files, folders, globs and addresses.
        out: Folder of the results.
        band_flag: See ``list_inputs``.

    Raises:
        ExperimentError: Something is missing or empty, two rasters have one name, or results would become inputs.
    """
    paths = list_inputs(inputs, out, band_flag=band_flag)
    counts = Counter(map(result_name, paths))
    found: dict[str, Input] = {}
    for path in paths:
        name = result_name(path)
        if counts[name] > 1 and not is_remote(path):
            name = f"{same_name(Path(path).resolve().parent.name)}-{name}"
        if name in found:
            raise ExperimentError(
                f"{unsigned(path)}: its results would be called like those of {unsigned(found[name].path)}; predict it "
                f"into another --out"
            )
        found[name] = Input(path=path, name=name)
    return list(found.values())


def list_inputs(inputs: Iterable[str], out: Path, *, band_flag: str = "") -> list[str]:
    """Return the paths and addresses of all rasters that the user named, each once.

    Args:
        inputs: Files, folders, globs and addresses.
        out: Folder of the results.
        band_flag: The command's flag that names bands in files of their own; empty where it has none.

    Raises:
        ExperimentError: Something is missing or empty, or results would become inputs.
    """
    paths: list[str] = []
    for one in inputs:
        paths += [one] if is_remote(one) else _files(one, out, band_flag)
    if not paths:
        raise ExperimentError("INPUT: name an image, a folder, a glob or a GeoTIFF")
    return list(dict.fromkeys(paths))


def result_name(path: str) -> str:
    """Return what the results of a raster are called after, in Unicode's composed form (NFC).

    Args:
        path: A file or an address. The query of an address such as ``https://host/download.php?id=1`` is part of the
            name, unless a raster's ending stands before it.
    """
    if not is_remote(path):
        return same_name(Path(path).stem)
    if is_subdataset(path):
        file = file_of_subdataset(path)
        within = path.replace(str(file), "").partition(":")[2] if file else path
        return same_name("-".join([*([file.stem] if file else []), *re.findall(r"[\w.]+", within)])[:MAX_NAME])
    place, query = split_address(unsigned(path))
    last = Path(place.rstrip("/"))
    name = last.stem
    if query and last.suffix.lower() not in ENDINGS:
        name += "-" + re.sub(r"[^\w.]+", "-", query)[:MAX_QUERY].strip("-")
    return same_name(name) or "raster"


def hidden_files(inputs: Iterable[str]) -> dict[str, int]:
    """Return how many rasters of each named folder are not read as their names begin with a dot.

    Such are the ``._scene.tif`` that macOS writes beside each file on disks of other systems.
    """
    counts = {
        one: sum(_is_raster(path) and _is_hidden(path) for path in Path(one).iterdir())
        for one in inputs
        if not is_remote(one) and Path(one).is_dir()
    }
    return {folder: count for folder, count in counts.items() if count}


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _files(text: str, out: Path, band_flag: str) -> list[str]:
    path = Path(text)
    if path.is_dir():
        if out.resolve().is_relative_to(path.resolve()):
            raise ExperimentError(
                f"--out {out}: is inside the input folder {path}, where results would be read as inputs; "
                f"choose a folder outside"
            )
        names = sorted(
            (one.name for one in path.iterdir() if _is_raster(one) and not _is_hidden(one)), key=natural_order
        )
        if not names:
            require_images(path, ENDINGS, band_flag)
        return [str(path / name) for name in names]
    if has_magic(text) and not path.exists():
        found = glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matches = sorted((one for one in found if Path(one).is_file()), key=natural_order)
        if not matches:
            raise ExperimentError(f"{text}: matches no file; correct the pattern")
        return matches
    if not path.exists():
        raise ExperimentError(f"{path}: no such file or folder; correct the path")
    return [text]
