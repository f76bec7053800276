"""What labelling programs write, in small, and the masks that come of it."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.layouts.opening import open_sources
from sweep.patches.layouts.sources import SourceSet
from sweep.patches.options import Make
from sweep.patches.rasters.area import Area
from trainables.errors import DataError

HEIGHT, WIDTH = 48, 64
ROOF = [[8.0, 8.0], [40.0, 8.0], [40.0, 32.0], [8.0, 32.0]]
POOL = [[32.0, 16.0], [56.0, 16.0], [56.0, 40.0], [32.0, 40.0]]


def boxes(*values: int) -> NDArray[np.uint8]:
    """Paint a roof, then a pool over it."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for value, rows, columns in zip(values, (slice(8, 32), slice(16, 40)), (slice(8, 40), slice(32, 56)), strict=False):
        mask[rows, columns] = value
    return mask


def write_images(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    return folder


def write_json(path: Path, values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


def png_bytes(pixels: NDArray[Any], **more: Any) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", **more)
    return written.getvalue()


PICTURE = base64.b64encode(png_bytes(np.eye(12, 9, dtype=np.uint8) * 255)).decode()
BITMAP = base64.b64encode(zlib.compress(png_bytes(np.eye(12, 9, dtype=np.uint8)))).decode()


def open_folder(folder: Path, **options: Any) -> SourceSet:
    return open_sources(Make(src=folder, dst=folder.parent / "out", **{"classes": "roof,pool"} | options))


def masks_of(found: SourceSet) -> Mapping[str, NDArray[np.uint8]]:
    """Paint each mask whole, and compare with what is painted by parts."""
    shape = (HEIGHT, WIDTH)
    masks = {}
    for name, source in found.sources.items():
        masks[name] = found.truth(source, shape, Area.whole(shape))
        area = Area(top=11, left=13, height=20, width=31)
        assert np.array_equal(found.truth(source, shape, area), masks[name][area.rows, area.columns])
    return masks


def require_refused(said: str, folder: Path, **options: Any) -> None:
    with pytest.raises(DataError) as caught:
        open_folder(folder, **options)
    assert said in str(caught.value)


def flat(points: Sequence[Sequence[float]]) -> list[float]:
    return [value for point in points for value in point]


def coco(*names: str, outlines: Sequence[object] | None = None) -> dict[str, Any]:
    segmentations = outlines or [[flat(ROOF)], [flat(POOL)]]
    return {
        "info": {"year": "2026", "description": "Exported from roboflow.com"},
        "licenses": [{"id": 1, "url": "", "name": "CC BY 4.0"}],
        "categories": [
            {"id": 0, "name": "yards", "supercategory": "none"},
            {"id": 1, "name": "pool", "supercategory": "yards"},
            {"id": 2, "name": "roof", "supercategory": "yards"},
        ],
        "images": [
            {"id": number, "license": 1, "file_name": name, "height": HEIGHT, "width": WIDTH}
            for number, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": 2 * image + number,
                "image_id": image,
                "category_id": 2 - number,
                "bbox": [8, 8, 32, 24],
                "area": 768,
            }
            | {"segmentation": outline, "iscrowd": 0}
            for image in range(len(names))
            for number, outline in enumerate(segmentations)
        ],
    }
