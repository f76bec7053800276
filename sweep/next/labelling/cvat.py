"""Pre-labels as CVAT uploads them: "CVAT for images 1.1", one file for all tiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from sweep.next.labelling.outlines import PreLabel

Labelled = tuple[str, tuple[int, int], Sequence[PreLabel]]
"""An image's name, its height and width in pixels, and what is drawn on it."""


def cvat_xml(images: Iterable[Labelled]) -> bytes:
    """Return the file of all tiles."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    for number, (name, (height, width), labels) in enumerate(images):
        image = ElementTree.SubElement(root, "image", id=str(number), name=name, width=str(width), height=str(height))
        for order, one in enumerate(labels):
            points = ";".join(f"{x:.1f},{y:.1f}" for x, y in one.points.tolist())
            ElementTree.SubElement(
                image, "polygon", label=one.label, source="auto", occluded="0", points=points, z_order=str(order)
            )
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
