"""The formats that ``--labels`` reads, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from os.path import commonpath
from pathlib import Path
from typing import Any

from sweep.patches.labels.names import LabelNames
from sweep.patches.labels.shapes import LabelledImage
from sweep.patches.labels.shared import DrawnLabels, Labels
from sweep.patches.labels.sniffing import JsonKind, files_of_kind, json_kind
from sweep.patches.labels.vector_files import NO_CHOICE, VectorChoices
from sweep.patches.layouts.sources import SourceRaster
from trainables.errors import DataError


@dataclass(frozen=True, kw_only=True)
class LabelFormat:
    """A way to write labelled outlines.

    Attributes:
        name: What messages call it.
        endings: Of its files, in lower case.
        reader: ``module:function``, called with (path, sources), and with the attribute if it has attributes, which
            gives the images that ``DrawnLabels`` paints; where it is geographic ``module:Class``, called with (path,
            sources, names, choices), which is ``Labels``.
        kind: What the JSON must be, where several formats have that ending.
        packages: What the reader imports, as ``find_spec`` names it.
        extra: The extra of tilesweep that brings them.
        file: Whether it may be a single file.
        folder: Whether it may be a folder of files.
        called: What its files are called, where others have that ending, too.
        attributes: Whether shapes have attributes, of which ``--class-attribute`` chooses the one that names the class.
        geographic: Whether it is in a map's coordinates, not in pixels; ``VectorChoices`` are about it.
    """

    name: str
    endings: Sequence[str]
    reader: str
    kind: JsonKind | None = None
    packages: Sequence[str] = ()
    extra: str = ""
    file: bool = True
    folder: bool = False
    called: str = "*"
    attributes: bool = False
    geographic: bool = False

    def fits(self, path: Path) -> bool:
        """Return whether a file or folder is in this format; a folder is what the first files in it are."""
        if not (self.folder if path.is_dir() else self.file):
            return False
        files = sorted(one for one in path.rglob(self.called) if one.name[0] != ".") if path.is_dir() else [path]
        files = [one for one in files if one.suffix.lower() in self.endings and one.is_file()]
        if self.kind is None or not files:
            return bool(files)
        return bool(files_of_kind(files, self.kind)) if path.is_dir() else json_kind(path) == self.kind

    def load(self, path: Path) -> Callable[..., Any]:
        """Return the reader.

        Raises:
            DataError: Packages are missing.
        """
        require_packages(f"--labels {path}", self.packages, self.extra)
        module, _, name = self.reader.partition(":")
        reader: Callable[..., Any] = getattr(import_module(module), name)
        return reader


def require_packages(what: str, packages: Sequence[str], extra: str) -> None:
    """Refuse what needs packages that are not installed.

    Args:
        what: The flag and its value.
        packages: As ``find_spec`` names them.
        extra: The extras of tilesweep that bring them.

    Raises:
        DataError: Some are missing.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        them = "it" if len(missing) == 1 else "them"
        raise DataError(f"{what}: needs {', '.join(missing)}; install {them} with: pip install 'tilesweep[{extra}]'")


GEO_PACKAGES = ("geopandas", "pyogrio", "shapely", "pyproj")
_drawn = partial(LabelFormat, packages=("pycocotools",), extra="labels")
_json = partial(_drawn, endings=(".json",))
_yolo = partial(_drawn, reader="sweep.patches.labels.yolo:read_yolo")
_geo = partial(
    LabelFormat,
    reader="sweep.patches.labels.footprints:Footprints",
    packages=GEO_PACKAGES,
    extra="geo",
    geographic=True,
)

FORMATS: Sequence[LabelFormat] = (
    _drawn(name="CVAT XML", endings=(".xml",), reader="sweep.patches.labels.cvat:read_cvat"),
    _json(name="COCO JSON", kind="coco", folder=True, reader="sweep.patches.labels.coco:read_coco"),
    _json(
        name="LabelMe JSON", kind="labelme", file=False, folder=True, reader="sweep.patches.labels.labelme:read_labelme"
    ),
    _json(
        name="Label Studio JSON",
        kind="label studio",
        folder=True,
        reader="sweep.patches.labels.label_studio:read_label_studio",
    ),
    _drawn(
        name="a folder of Label Studio PNG",
        endings=(".png",),
        file=False,
        folder=True,
        called="task-*-annotation-*",
        reader="sweep.patches.labels.label_studio:refuse_brush_pictures",
    ),
    _json(name="VIA JSON", kind="via", attributes=True, reader="sweep.patches.labels.via:read_via"),
    _json(
        name="a folder of Supervisely JSON",
        kind="supervisely",
        file=False,
        folder=True,
        reader="sweep.patches.labels.supervisely:read_supervisely",
    ),
    _json(name="Datumaro JSON", kind="datumaro", folder=True, reader="sweep.patches.labels.datumaro:read_datumaro"),
    _yolo(name="a folder of Ultralytics YOLO", endings=(".yaml", ".yml", ".txt"), file=False, folder=True),
    _yolo(name="its data.yaml", endings=(".yaml", ".yml")),
    _json(
        name="a folder of xView2 (xBD) JSON",
        kind="xview2",
        file=False,
        folder=True,
        reader="sweep.patches.labels.xview2:read_xview2",
        packages=("pycocotools", "shapely"),
        extra="labels,geo",
    ),
    _geo(name="GeoJSON", endings=(".json", ".geojson"), kind="geojson"),
    _geo(
        name="a folder of GeoJSON",
        endings=(".geojson",),
        kind="geojson",
        file=False,
        folder=True,
        reader="sweep.patches.labels.footprints:FootprintsByImage",
    ),
    _geo(name="GeoPackage", endings=(".gpkg",)),
    _geo(name="shapefile", endings=(".shp",)),
    _geo(name="FlatGeobuf", endings=(".fgb",)),
    _geo(name="GeoParquet", endings=(".parquet", ".geoparquet")),
)
"""All of them. Listing them loads no reader."""


def open_labels(sources: Mapping[str, SourceRaster], names: LabelNames, choices: VectorChoices = NO_CHOICE) -> Labels:
    """Open the labels of images.

    Args:
        sources: Name to image, whose ``mask`` is the file or folder with its labels, in one of ``FORMATS``; every one
            must have labels, if only an empty list, but for vector files of the ground.
        names: What a person says of the labels' names. What nothing covers is the first class.
        choices: What was chosen of a vector file.

    Raises:
        DataError: In none of the formats, damaged, not of these images, or packages are missing.
    """
    by_path: dict[Path, dict[str, SourceRaster]] = {}
    for name, source in sources.items():
        by_path.setdefault(source.mask, {})[name] = source
    formats = {path: _format(path, choices) for path in by_path}
    if ground := [path for path, one in formats.items() if one.geographic]:
        if len(by_path) > 1:
            raise DataError(f"--labels {ground[0]}: is not the only file with labels; put the areas of all in one file")
        found = formats[ground[0]]
        labels: Labels = found.load(ground[0])(ground[0], sources, names, choices)
        return labels
    images: dict[str, LabelledImage] = {}
    faults: list[str] = []
    for path, mine in by_path.items():
        try:
            more = (choices.class_attribute,) if formats[path].attributes else ()
            images |= formats[path].load(path)(path, mine, *more)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return DrawnLabels(Path(commonpath(by_path)), images, names)


def _format(path: Path, choices: VectorChoices) -> LabelFormat:
    names = {one.name for one in FORMATS}
    *others, last = (one.name for one in FORMATS if one.name.removeprefix("a folder of ") not in names - {one.name})
    known = f"give {', '.join(others)} or {last}"
    if not path.exists():
        raise DataError(f"--labels {path}: no such file or folder; {known}")
    found = next((one for one in FORMATS if one.fits(path)), None)
    if found is None:
        raise DataError(f"--labels {path}: is of no known kind; {known}")
    left = replace(choices, class_attribute="") if found.attributes else choices
    if not found.geographic and (chosen := left.flag):
        raise DataError(f"{chosen}: is about files of a GIS, and {path} is {found.name}; leave it out")
    return found
