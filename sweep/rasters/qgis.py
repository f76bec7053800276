"""Styles as QGIS reads them: ``.qml`` beside a layer, and the table ``layer_styles`` of a GeoPackage.

QGIS takes a style by itself from a file of the layer's name that ends in ``.qml``, and from the row of ``layer_styles``
that is marked as the default. The labels in it are the legend. Tried with QGIS 3.22.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from trainables.task import Colour, Task

HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
VERSION = "3.22"
FILLED = 102
"""Opacity of a polygon's inside, of 255: what is below is seen."""
OUTLINE = "0.4"
"""Millimetres."""
RAMPS = {
    "probability": ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"),
    "uncertainty": ("#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf"),
}
"""Colours of 0, 0.25, 0.5, 0.75 and 1: matplotlib's viridis and magma, which people who mix up colours see, too."""
STYLES_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""


def mask_style(task: Task) -> str:
    """Return the style of a class map: each class in its colour; the background of a binary map is not drawn."""
    root, pipe = _root(), Element("pipe")
    root.append(pipe)
    renderer = SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", alphaBand="-1", opacity="1", nodataColor=""
    )
    SubElement(renderer, "rasterTransparency")
    palette = SubElement(renderer, "colorPalette")
    for value, (name, colour) in enumerate(zip(task.classes, task.shown_colours, strict=True)):
        alpha = "0" if task.binary and not value else "255"
        SubElement(palette, "paletteEntry", value=str(value), color=_hex(colour), alpha=alpha, label=name)
    return _text(root)


def share_style(layer: str) -> str:
    """Return the style of a raster of shares from 0 to 1, whose legend has five steps.

    Its bytes are 250ths, and QGIS applies the band's scale before it looks at a style.

    Args:
        layer: ``probability`` or ``uncertainty``.
    """
    root, pipe = _root(), Element("pipe")
    root.append(pipe)
    ends = {"classificationMin": "0", "classificationMax": "1"}
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        {"type": "singlebandpseudocolor", "band": "1", "alphaBand": "-1", "opacity": "1", "nodataColor": "", **ends},
    )
    SubElement(renderer, "rasterTransparency")
    ramp = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        {"colorRampType": "INTERPOLATED", "classificationMode": "1", "clip": "0"},
        minimumValue="0",
        maximumValue="1",
    )
    colours = RAMPS[layer]
    for number, colour in enumerate(colours):
        value = f"{number / (len(colours) - 1):g}"
        SubElement(ramp, "item", value=value, label=value, color=colour, alpha="255")
    return _text(root)


def polygon_style(task: Task) -> str:
    """Return the style of polygons: outlined and tinted in the colour of their class, which ``class`` names."""
    root = _root()
    if task.binary:
        renderer = SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0", forceraster="0")
        shown = {"0": task.shown_colours[1]}
    else:
        renderer = SubElement(
            root, "renderer-v2", type="categorizedSymbol", attr="class", symbollevels="0", forceraster="0"
        )
        categories = SubElement(renderer, "categories")
        for number, name in enumerate(task.classes):
            SubElement(categories, "category", type="string", value=name, label=name, symbol=str(number), render="true")
        shown = {str(number): colour for number, colour in enumerate(task.shown_colours)}
    symbols = SubElement(renderer, "symbols")
    for name, colour in shown.items():
        _symbol(symbols, name, colour)
    return _text(root)


def _symbol(symbols: Element, name: str, colour: Colour) -> None:
    symbol = SubElement(symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    layer = SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"})
    rgb = ",".join(map(str, colour))
    options = SubElement(layer, "Option", type="Map")
    for key, value in {
        "color": f"{rgb},{FILLED}",
        "style": "solid",
        "outline_color": f"{rgb},255",
        "outline_style": "solid",
        "outline_width": OUTLINE,
        "outline_width_unit": "MM",
        "joinstyle": "bevel",
    }.items():
        SubElement(options, "Option", type="QString", name=key, value=value)


def add_style(path: Path, layer: str, geometry: str, style: str) -> None:
    """Make a style the default of a layer in a GeoPackage that has none yet.

    Args:
        path: The file.
        layer: The table.
        geometry: Its column of geometries.
        style: The text of a ``.qml``.

    Raises:
        OSError: It cannot be written.
    """
    try:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(STYLES_TABLE)
            database.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description) "
                "VALUES ('layer_styles', 'attributes', 'layer_styles', '')"
            )
            database.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
                "styleName, styleQML, styleSLD, useAsDefault, description, owner) "
                "VALUES ('', '', ?, ?, 'classes', ?, '', 1, 'the classes of the model, by tilesweep', '')",
                (layer, geometry, style),
            )
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def _root() -> Element:
    return Element("qgis", version=VERSION, styleCategories="Symbology")


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _text(root: Element) -> str:
    indent(root)
    return f"{HEAD}{tostring(root, encoding='unicode')}\n"
