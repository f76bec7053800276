"""The formats that ``--labels`` reads, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sweep.patches.labels.shared import LabelNames, Labels, read_labels
from sweep.patches.layouts.sources import SourceRaster
from trainables.errors import DataError
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class LabelFormat:
    """A way to write labelled outlines.

    Attributes:
        name: What messages call it.
        endings: Of its files, in lower case; empty for a folder of files.
        reader: ``module:Class``, called with (path, sources, names), and with the layer if the format has layers; gives
            ``Labels``.
        accepts: Whether a file of such an ending is in it, where several formats have the ending.
        packages: What the reader imports, as ``find_spec`` names it.
        extra: The extra of tilesweep that brings them.
        layers: Whether a file may hold several layers, of which ``--layer`` chooses one.
    """

    name: str
    endings: Sequence[str]
    reader: str
    accepts: Callable[[Path], bool] = lambda path: True
    packages: Sequence[str] = ()
    extra: str = ""
    layers: bool = False

    def fits(self, path: Path) -> bool:
        """Return whether a file or folder is in this format."""
        if path.is_dir() or not self.endings:
            return path.is_dir() and not self.endings
        return path.suffix.lower() in self.endings and self.accepts(path)

    def open(self, path: Path, sources: Mapping[str, SourceRaster], names: LabelNames, layer: str) -> Labels:
        """Read a file; see ``open_labels``."""
        if missing := [package for package in self.packages if find_spec(package) is None]:
            them = "it" if len(missing) == 1 else "them"
            raise DataError(
                f"--labels {path}: needs {', '.join(missing)}; install {them} with: pip install "
                f"'tilesweep[{self.extra}]'"
            )
        module, _, name = self.reader.partition(":")
        more = (layer,) if self.layers else ()
        labels: Labels = getattr(import_module(module), name)(path, sources, names, *more)
        return labels


def _is_geojson(path: Path) -> bool:
    return read_labels(path, dict[str, object], "JSON object").get("type") in ("FeatureCollection", "Feature")


_coco = partial(LabelFormat, packages=("pycocotools",), extra="labels")
_geo = partial(
    LabelFormat,
    reader="sweep.patches.labels.footprints:Footprints",
    packages=("geopandas", "pyogrio", "rasterio", "shapely", "pyproj"),
    extra="geo",
)

FORMATS: Sequence[LabelFormat] = (
    _coco(name="CVAT XML", endings=(".xml",), reader="sweep.patches.labels.cvat:Cvat"),
    _coco(
        name="COCO JSON",
        endings=(".json",),
        accepts=lambda path: not _is_geojson(path),
        reader="sweep.patches.labels.coco:Coco",
    ),
    _coco(name="a folder of LabelMe JSON", endings=(), reader="sweep.patches.labels.labelme:LabelMe"),
    _geo(name="GeoJSON", endings=(".json", ".geojson")),
    _geo(name="GeoPackage", endings=(".gpkg",), layers=True),
)
"""All of them. Listing them loads no reader."""


def open_labels(path: Path, sources: Mapping[str, SourceRaster], task: Task | None, layer: str = "") -> Labels:
    """Open a file or folder of polygons.

    Args:
        path: In one of ``FORMATS``.
        sources: Name to image; every one must have labels, if only an empty list, but for vector files of the ground.
        task: Whose classes label names are; None paints every label as foreground. What nothing covers is the first
            class.
        layer: Which layer of a file that has layers; empty where only one holds areas.

    Raises:
        DataError: In none of the formats, damaged, not of these images, or packages are missing.
    """
    if task and task.remap:
        raise DataError("--task: remap is about values of masks, and --labels has names; leave remap out")
    layered = [one for one in FORMATS if one.layers]
    if layer and (path.is_dir() or not any(path.suffix.lower() in one.endings for one in layered)):
        kinds = " or a ".join(one.name for one in layered)
        raise DataError(f"--layer {layer}: only a {kinds} has layers; leave it out for {path}")
    *others, last = (one.name for one in FORMATS)
    known = f"give {', '.join(others)} or {last}"
    if not path.exists():
        raise DataError(f"--labels {path}: no such file or folder; {known}")
    found = next((one for one in FORMATS if one.fits(path)), None)
    if found is None:
        raise DataError(f"--labels {path}: is of no known kind; {known}")
    return found.open(path, sources, LabelNames(task), layer)
