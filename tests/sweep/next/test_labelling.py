"""Pre-labels: painted again as a labelling program exports them, they give the mask that the model predicted."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.next.labelling.cvat import cvat_xml
from sweep.next.labelling.labelme import labelme_json
from sweep.next.labelling.outlines import MOST_REGIONS, outline_regions
from sweep.patches.labels.formats import open_labels
from sweep.patches.labels.names import LabelNames
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from sweep.records.outputs import is_sealed
from trainables.task import Task

CLASSES = ("ground", "roof", "tree")
SHAPE = (128, 160)


def rings() -> NDArray[np.uint8]:
    """A roof with a yard, in which a tree stands, and a roof that reaches over the edge."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:90, 20:100] = 1
    mask[30:70, 40:80] = 0
    cv2.circle(mask, (60, 50), 12, 2, -1)
    mask[60:, 120:] = 1
    return mask


def painted(path: Path, image: Path) -> NDArray[np.uint8]:
    sources = {"a": SourceRaster(name="a", image=image, mask=path)}
    labels = open_labels(sources, LabelNames(task=Task(kind="multiclass", classes=CLASSES)))
    return labels.rasterise(sources["a"], SHAPE, Area.whole(SHAPE))


@pytest.mark.parametrize("kind", ["labelme", "cvat"])
def test_what_is_written_paints_the_mask_again(tmp_path: Path, kind: str) -> None:
    mask = rings()
    labels = outline_regions(mask, CLASSES)
    image = tmp_path / "a.png"
    Image.new("RGB", SHAPE[::-1]).save(image)
    if kind == "labelme":
        path = tmp_path
        (tmp_path / "a.json").write_bytes(labelme_json("a.png", SHAPE, labels))
    else:
        path = tmp_path / "annotations.xml"
        path.write_bytes(cvat_xml([("a.png", SHAPE, labels)]))
    found = painted(path, image)
    assert (found != mask).mean() < 0.01
    assert found[50, 60] == 2 and found[35, 45] == 0 and found[100, 150] == 1


def test_a_labelme_file_is_known_as_untouched_until_it_is_saved_again() -> None:
    content = labelme_json("a.png", SHAPE, outline_regions(rings(), CLASSES))
    assert is_sealed(content, ".json")
    values = json.loads(content)
    assert values["imagePath"] == "a.png" and (values["imageHeight"], values["imageWidth"]) == SHAPE
    assert {one["label"] for one in values["shapes"]} == set(CLASSES)
    values["shapes"].pop()
    assert not is_sealed(json.dumps(values, indent=2).encode(), ".json")


def test_specks_are_left_out_and_a_noisy_mask_keeps_its_largest_regions() -> None:
    assert outline_regions(np.eye(64, dtype=np.uint8), CLASSES) == []
    noise = np.random.default_rng(0).integers(0, 2, (40, 40), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    found = outline_regions(noise, CLASSES)
    assert 0 < len(found) <= MOST_REGIONS


def test_an_empty_mask_has_no_outline() -> None:
    assert outline_regions(np.zeros(SHAPE, np.uint8), CLASSES) == []
