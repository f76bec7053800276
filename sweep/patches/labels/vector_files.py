"""Reads the areas of a vector file: which layer, which attribute, sound polygons in two dimensions."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.patches.labels.shared import EMPTY
from trainables.errors import DataError, nearest
from trainables.escaping import visible

logger = logging.getLogger(__name__)

ANY_GEOMETRY = ("Unknown", "Geometry", "GeometryCollection", "Surface", "MultiSurface")
"""Kinds of layers that may hold areas without saying so."""
AREAS = ("Polygon", "MultiPolygon")
PARQUET = (".parquet", ".geoparquet")
CLASS_COLUMN = "class"
"""The attribute that names an area's class where ``--class-attribute`` names none."""
SAMPLED = 1_000
"""Features whose attributes are looked at for examples."""
EXAMPLES, LISTED, LONGEST = 3, 12, 24
"""Examples of an attribute, attributes of a file, and letters of an example that an error shows."""


@dataclass(frozen=True, kw_only=True)
class VectorChoices:
    """What a person chose of vector files.

    Attributes:
        layer: Which layer of a file with several; empty where only one holds areas.
        class_attribute: Which attribute names an area's class; empty for ``class``, or the only one that there is.
        crs: The coordinate reference system of rasters and vector files that name none; empty for none.
    """

    layer: str = ""
    class_attribute: str = ""
    crs: str = ""

    @property
    def flag(self) -> str:
        """The first flag that chooses something, with its value; empty for none."""
        flags = {"layer": self.layer, "class-attribute": self.class_attribute, "crs": self.crs}
        return next((f"--{flag} {value}" for flag, value in flags.items() if value), "")


NO_CHOICE = VectorChoices()


@dataclass(frozen=True, kw_only=True)
class VectorFile:
    """A layer of a vector file.

    Attributes:
        path: The file.
        layer: Its name; None for the only one.
        attributes: The names of its attributes.
    """

    path: Path
    layer: str | None
    attributes: Sequence[str]

    def read(self, attributes: Sequence[str] = (), *, geometry: bool = True, most: int | None = None) -> Any:
        """Read features into a (Geo)DataFrame.

        Args:
            attributes: Which of them.
            geometry: Also read the geometries.
            most: At most so many features; None for all.
        """
        with _damage(self.path):
            import geopandas
            import pyogrio

            if self.path.suffix.lower() in PARQUET:
                table = geopandas.read_parquet(self.path).iloc[:most]
                if table.geometry.name != "geometry":
                    table = table.rename_geometry("geometry")
                return table[[*attributes, *(["geometry"] if geometry else [])]]
            return pyogrio.read_dataframe(
                self.path, layer=self.layer, columns=list(attributes), read_geometry=geometry, max_features=most
            )

    def class_attribute(self, chosen: str) -> str:
        """Return which attribute names the classes; nothing is guessed where there are several.

        Raises:
            DataError: It has none of that name, or several and none was chosen.
        """
        if chosen and chosen not in self.attributes:
            raise DataError(f"--class-attribute {chosen}: is no attribute of {self.path}; {self._described()}")
        if chosen:
            return chosen
        if CLASS_COLUMN in self.attributes:
            return CLASS_COLUMN
        if len(self.attributes) == 1:
            logger.warning("%s: classes are read from %r, its only attribute", self.path, self.attributes[0])
            return self.attributes[0]
        if not self.attributes:
            raise DataError(f"{self.path}: has no attribute that names each area's class; add one called 'class'")
        raise DataError(
            f"{self.path}: has no attribute 'class'; say which one names each area's class with --class-attribute: "
            f"{self._described()}"
        )

    def _described(self) -> str:
        """List the attributes, with examples of their values."""
        if not self.attributes:
            return "it has none"
        table = self.read(self.attributes, geometry=False, most=SAMPLED)
        shown = []
        for name in self.attributes[:LISTED]:
            examples = [visible(written(value))[:LONGEST] for value in table[name].dropna().unique()[:EXAMPLES]]
            shown.append(f"{visible(name)} ({', '.join(examples) or 'empty'})")
        more = len(self.attributes) - LISTED
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def written(value: Any) -> str:
    """Return an attribute's value as text; a whole number that is stored with decimals is shown without."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def open_vector(path: Path, layer: str = "", flag: str = "--layer") -> VectorFile:
    """Open the layer of a file that holds areas.

    Args:
        path: The file.
        layer: Its name; empty where only one holds areas.
        flag: What chooses one, for errors.

    Raises:
        DataError: Damaged; no such layer; or several hold areas and none was chosen.
    """
    with _damage(path):
        import pyarrow.parquet
        import pyogrio

        if path.suffix.lower() in PARQUET:
            schema = pyarrow.parquet.read_schema(path)
            geometries = json.loads((schema.metadata or {}).get(b"geo", b"{}")).get("columns", {})
            if not geometries:
                raise DataError(f"{path}: is no GeoParquet, as it names no column of geometries; export it as one")
            return VectorFile(path=path, layer=None, attributes=[one for one in schema.names if one not in geometries])
        kinds: Mapping[str, Any] = {str(name): kind for name, kind in pyogrio.list_layers(path)}
        places = {name: kind for name, kind in kinds.items() if kind is not None}  # QGIS keeps styles in tables
        areas = [name for name, kind in places.items() if "Polygon" in kind or kind in ANY_GEOMETRY] or list(places)
        if layer and layer not in places:
            raise DataError(f"{flag} {layer}: is no layer with geometries of {path}; {nearest(layer, places)}")
        if not layer and len(areas) > 1:
            counted = ", ".join(f"{name} ({_features(path, name)} features)" for name in areas)
            raise DataError(f"{path}: holds areas in {len(areas)} layers; choose one with {flag}: {counted}")
        if not (layer or areas):
            raise DataError(f"{path}: holds no layer with geometries; export the areas as polygons")
        chosen = layer or areas[0]
        return VectorFile(path=path, layer=chosen, attributes=list(pyogrio.read_info(path, layer=chosen)["fields"]))


def _features(path: Path, layer: str) -> str:
    import pyogrio

    return f"{pyogrio.read_info(path, layer=layer, force_feature_count=True)['features']:,}"


def read_areas(file: VectorFile, attributes: Sequence[str] = (), crs: str = "") -> Any:
    """Read the areas of a layer, and repair those whose outline crosses itself.

    Args:
        file: The layer.
        attributes: Which attributes come along.
        crs: Taken where the file names none.

    Returns:
        A GeoDataFrame of valid polygons in two dimensions, in the order of the file, with ``geometry`` and the
        attributes; empty where the file is.

    Raises:
        DataError: It names no coordinate reference system, or holds something else than areas.
    """
    import shapely

    path = file.path
    table = file.read(attributes)
    if "geometry" not in table:
        raise DataError(f"{path}: holds no geometries; export the areas as polygons")
    there = table[table.geometry.notna() & ~table.geometry.is_empty]
    if len(there) < len(table):
        logger.warning(
            "%s: %d of its %d features have no geometry and are left out", path, len(table) - len(there), len(table)
        )
    if others := sorted(set(there.geom_type) - set(AREAS)):
        raise DataError(f"{path}: holds {', '.join(others)}; export the areas as polygons")
    if there.crs is None and len(there):
        if not crs:
            raise DataError(f"{path}: names no coordinate reference system; export it with one, or say it with --crs")
        there = there.set_crs(parse_crs(crs))
    shapes = shapely.force_2d(there.geometry.to_numpy())
    if len(crossed := (~shapely.is_valid(shapes)).nonzero()[0]):
        shapes[crossed] = shapely.make_valid(shapes[crossed], method="structure", keep_collapsed=False)
        logger.warning(
            "%s: %d of its %d areas have an outline that crosses itself and were repaired (features %s%s)",
            path,
            len(crossed),
            len(there),
            ", ".join(str(number + 1) for number in there.index[crossed[:5]]),
            ", ..." if len(crossed) > 5 else "",
        )
    there = there.set_geometry(shapes, crs=there.crs)
    return there[~there.geometry.is_empty]


def parse_crs(text: str) -> Any:
    """Parse ``--crs``.

    Raises:
        DataError: No coordinate reference system is called so.
    """
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        return pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise DataError(
            f"--crs {visible(text[:60])}: is no coordinate reference system; give one such as EPSG:32614"
        ) from error


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn what GDAL and its bindings raise into one line that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except Exception as error:  # they raise many kinds on damaged input
        reason = " ".join(str(error).split("; It might help")[0].replace(f"'{path}' ", "").split())
        said = EMPTY if path.is_file() and not path.stat().st_size else reason or type(error).__name__
        raise DataError(f"{path}: not readable as a vector file ({said}); export it again") from error
