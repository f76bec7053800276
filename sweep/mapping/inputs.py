"""What ``sweep.predict`` is to predict: files, folders, globs and addresses, each with a name for its results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from trainables.data.tiles import natural_order
from trainables.errors import ExperimentError

ENDINGS = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg")
"""What is taken from a folder; a file named by itself may be anything that GDAL opens."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """A raster to predict.

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


def is_remote(path: str) -> bool:
    """Whether a path is an address for GDAL rather than a file."""
    return "://" in path or path.startswith("/vsi")


def find_inputs(inputs: Iterable[str], out: Path) -> list[Input]:
    """List the rasters that the user named.

    Args:
        inputs: Files, folders, globs, addresses.
        out: Where results will lie; outside every folder that is read.

    Raises:
        ExperimentError: Something is missing or empty, two rasters have one name, or results would become inputs.
    """
    paths: list[str] = []
    for one in inputs:
        paths += [one] if is_remote(one) else _files(one, out)
    if not paths:
        raise ExperimentError("INPUT: name an image, a folder, a glob or a GeoTIFF")
    found: dict[str, Input] = {}
    for path in dict.fromkeys(paths):
        name = Path(path).stem
        if name in found:
            raise ExperimentError(
                f"{path}: its results would be called like those of {found[name].path}; predict it into another --out"
            )
        found[name] = Input(path=path, name=name)
    return list(found.values())


def _files(text: str, out: Path) -> list[str]:
    path = Path(text)
    if path.is_dir():
        if out.resolve().is_relative_to(path.resolve()):
            raise ExperimentError(
                f"--out {out}: lies inside the input folder {path}, where results would be read as inputs; "
                f"choose a folder outside"
            )
        names = sorted((one.name for one in path.iterdir() if one.suffix.lower() in ENDINGS), key=natural_order)
        if not names:
            raise ExperimentError(f"{path}: holds no image ({', '.join(ENDINGS)}); name another folder")
        return [str(path / name) for name in names]
    if has_magic(text) and not path.exists():
        found = glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matches = sorted((one for one in found if Path(one).is_file()), key=natural_order)
        if not matches:
            raise ExperimentError(f"{text}: matches no file; mend the pattern")
        return matches
    if not path.exists():
        raise ExperimentError(f"{path}: no such file or folder; mend the path")
    return [text]
