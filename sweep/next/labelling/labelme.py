"""Files of LabelMe, which X-AnyLabeling reads, too: a JSON beside each tile, sealed, so that a touched one is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sweep.next.labelling.outlines import PreLabel
from sweep.records.outputs import sealed

VERSION = "5.5.0"
"""Of LabelMe, whose files these are."""


def labelme_json(image: str, shape: tuple[int, int], labels: Sequence[PreLabel]) -> bytes:
    """Return the file of a tile.

    Args:
        image: Name of the tile's image, which is in the same folder.
        shape: Height and width in pixels.
        labels: What is drawn to begin with.
    """
    values: dict[str, Any] = {
        "version": VERSION,
        "flags": {},
        "shapes": [
            {
                "label": one.label,
                "points": one.points.round(1).tolist(),
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for one in labels
        ],
        "imagePath": image,
        "imageData": None,
        "imageHeight": shape[0],
        "imageWidth": shape[1],
    }
    return sealed(json.dumps(values).encode(), ".json")
