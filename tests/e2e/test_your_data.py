"""The pages on one's own data: every block of commands, run as it stands there on made files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.docs.pages import run_block
from trainables.data.tiles import TuningData
from trainables.task import Task

PAGES = {"study": 1, "your-data": 4, "labels": 1}
"""Pages and how many blocks each has."""
LEGEND = ((132, 41, 246), (60, 16, 152), (110, 193, 228), (254, 221, 58), (226, 169, 41), (155, 155, 155), (0, 0, 0))


def _noise(seed: int, height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def _write_dubai(root: Path) -> None:
    """Two parts a scene, with masks in stripes of all colours; those of tile2 and tile4 have palettes."""
    indices = (np.arange(544 * 509) // 400 % len(LEGEND)).reshape(544, 509).astype(np.uint8)
    for scene in (1, 2, 4, 5, 6, 7):
        for kind in ("images", "masks"):
            (root / f"tile{scene}" / kind).mkdir(parents=True)
        for part in (1, 2):
            name = f"image_part_00{part}"
            _noise(10 * scene + part, 544, 509).save(root / f"tile{scene}" / "images" / f"{name}.jpg")
            mask = Image.fromarray(indices, "P")
            mask.putpalette(np.array(LEGEND, np.uint8).ravel().tolist())
            mask = mask if scene in (2, 4) else mask.convert("RGB")
            mask.save(root / f"tile{scene}" / "masks" / f"{name}.png")


def _write_yards(root: Path) -> None:
    """Four georeferenced images, their outlines in CVAT's XML and in a GeoPackage."""
    import geopandas
    import rasterio
    import shapely
    from rasterio.transform import from_origin

    (root / "yards").mkdir()
    images, areas = [], []
    for number in range(1, 5):
        west = 620000 + 1000 * number
        form = {"driver": "GTiff", "height": 256, "width": 256, "count": 3, "dtype": "uint8", "crs": "EPSG:32614"}
        transform = from_origin(west, 3350000, 0.5, 0.5)
        with rasterio.open(root / "yards" / f"yard{number}.tif", "w", transform=transform, **form) as file:
            file.write(np.moveaxis(np.asarray(_noise(number, 256, 256)), 2, 0))
        shapes = '<polygon label="roof" points="20,20;120,20;120,120;20,120"/>'
        shapes += '<polygon label="pool" points="100,100;200,100;200,200"/>'
        images.append(f'<image id="{number}" name="yard{number}.tif" width="256" height="256">{shapes}</image>')
        areas.append(shapely.box(west + 10, 3350000 - 60, west + 60, 3350000 - 10))
    (root / "annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    geopandas.GeoDataFrame({"class": ["roof"] * 4}, geometry=areas, crs="EPSG:32614").to_crs("EPSG:4326").to_file(
        root / "footprints.gpkg"
    )


def _write_pets(root: Path) -> None:
    (root / "annotations" / "trimaps").mkdir(parents=True)
    (root / "images").mkdir()
    for list_name, numbers in (("trainval", range(8)), ("test", range(8, 16))):
        (root / "annotations" / f"{list_name}.txt").write_text("".join(f"pug_{one} 1 2 1\n" for one in numbers))
        for number in numbers:
            trimap = np.full((200, 300), 2, np.uint8)
            trimap[50:150, 90:210], trimap[60:140, 100:200] = 3, 1
            _noise(number, 200, 300).save(root / "images" / f"pug_{number}.jpg")
            Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"pug_{number}.png")


@pytest.mark.slow
def test_every_block_works_as_it_stands_there(tmp_path: Path) -> None:
    _write_dubai(tmp_path / "dubai")
    _write_yards(tmp_path)
    _write_pets(tmp_path / "oxford")
    said = ""
    for page, count in PAGES.items():
        blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL)
        assert len(blocks) == count
        for block in blocks:
            said += run_block(block, tmp_path)
    counts = {
        "roofs": (8, 2),
        "land_use": (8, 2),
        "yard_roofs": (2, 1),
        "yard_classes": (2, 1),
        "yard_footprints": (2, 1),
        "pets": (5, 1),
        "roads": (8, 2),
    }
    read = {name: TuningData.read(tmp_path / name) for name in counts}
    assert {name: (len(data.train), len(data.val)) for name, data in read.items()} == counts
    assert read["roofs"].task == Task() and read["roofs"].name == "dubai-roofs"
    assert read["land_use"].task.classes == ("land", "building", "road", "vegetation", "water")
    assert set(np.unique(read["land_use"].val[0].mask)) == {0, 1, 2, 3, 4, 255}
    assert read["land_use"].task.remap == {}
    assert set(np.unique(read["yard_classes"].train[0].mask)) == {0, 1, 2}
    assert int(read["yard_footprints"].train[0].mask.sum()) == pytest.approx(100 * 100, rel=0.01)
    assert 'class_weights = "' in said and "sound." in said and "scenes: 6 from folders" in said
    assert (tmp_path / "land_use" / "description.svg").exists()
