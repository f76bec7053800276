"""Vector files over georeferenced images, through the command: layers, attributes, repairs, extents, no data."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin

from tests.sweep.patches.test_patches import _refused, _run, _split_file
from trainables.data.tiles import TuningData

SIDE = 64
TASK = {"kind": "multiclass", "classes": ["ground", "roof", "pool"]}
ROOF, POOL = shapely.box(8, 8, 40, 40), shapely.box(20, 20, 60, 60)
SHAPES = {"roof": ROOF, "pool": POOL}
EAST, NORTH, METRES = 620000, 3350000, 0.5


def at(image: int, shape: Any) -> Any:
    """Put a shape, which is in pixels, at its place on an image."""
    return shapely.transform(shape, lambda points: points * (METRES, -METRES) + (EAST + 100 * image, NORTH))


def inside(shape: Any, side: int = SIDE) -> NDArray[np.bool_]:
    """Return which pixels' centres a shape in pixels holds, by a point-in-polygon test."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    return np.asarray(shapely.contains_xy(shape, columns, rows))


def expected(roof: int = 1, pool: int = 2) -> NDArray[np.uint8]:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[inside(ROOF)] = roof
    mask[inside(POOL)] = pool
    return mask


def write_image(path: Path, number: int, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8", "crs": "EPSG:32614"}
    form |= {"transform": from_origin(EAST + 100 * number, NORTH, METRES, METRES), **more}
    noise = np.random.default_rng(number).integers(1, 256, (form["count"], SIDE, SIDE), dtype=np.uint8)
    with rasterio.open(path, "w", **form) as file:
        file.write(noise)
    return path


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """Three GeoTIFFs of 64 pixels of half a metre, side by side in UTM zone 14."""
    for number, name in enumerate("abc"):
        write_image(tmp_path / "data" / "imgs" / f"{name}.tif", number)
    return tmp_path


def footprints(
    path: Path, *, crs: str = "EPSG:4326", shapes: dict[str, Any] = SHAPES, column: str = "class", **more: Any
) -> Path:
    """Write shapes at their place on each image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    placed = [at(image, shape) for image in range(3) for shape in shapes.values()]
    values = {column: [*shapes] * 3} | {name: list(found) * 3 for name, found in more.items()}
    table = geopandas.GeoDataFrame(values, geometry=placed, crs="EPSG:32614").to_crs(crs)
    if path.suffix == ".parquet":
        table.rename_geometry("geom").to_parquet(path)
    else:  # with an index FlatGeobuf orders areas by place, and which paints over which changes
        table.to_file(path, **({"SPATIAL_INDEX": "NO"} if path.suffix == ".fgb" else {}))
    return path


def make(root: Path, labels: Path, *flags: object, task: object = None) -> tuple[object, ...]:
    split = _split_file(root / "split.toml", train=["a"], val=["b"], test=["c"])
    words = ["make", "--src", root / "data", "--dst", root / "out", "--split", split, "--size", SIDE, "--force"]
    if task is not None:
        (root / "task.json").write_text(json.dumps(task))
        words += ["--task", root / "task.json"]
    return (*words, "--labels", labels, *flags)


def mask_of(root: Path, split: str = "val") -> NDArray[np.uint8]:
    data = TuningData.read(root / "out")
    return (data.val if split == "val" else data.train)[0].mask


@pytest.mark.parametrize("name", ["f.geojson", "f.gpkg", "f.json", "f.shp", "f.fgb", "f.parquet"])
@pytest.mark.parametrize("task", [None, TASK])
def test_footprints_of_every_format_are_reprojected_onto_the_images(name: str, task: object, ground: Path) -> None:
    labels = footprints(ground / ("f.geojson" if name == "f.json" else name)).rename(ground / name)
    assert _run(*make(ground, labels, task=task)) == 0
    wanted = expected() if task else expected(1, 1)
    # Seven decimals of a degree are a centimetre, a fiftieth of a pixel.
    assert (mask_of(ground) != wanted).mean() < 0.005


def test_holes_parts_and_heights_are_painted_to_the_pixel(ground: Path) -> None:
    ring = shapely.Polygon([(3.2, 4.1), (50.7, 9.3), (44.4, 55.5), (9.9, 40.0)], [[(20, 20), (31, 22), (25.3, 33)]])
    parts = shapely.MultiPolygon([ring, shapely.box(52.3, 40.2, 61.9, 60.4)])
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614", shapes={"roof": shapely.force_3d(parts, 12.0)})
    assert _run(*make(ground, labels)) == 0
    assert np.array_equal(mask_of(ground), inside(parts).astype(np.uint8))


def test_an_outline_that_crosses_itself_is_repaired_and_named(ground: Path, caplog: pytest.LogCaptureFixture) -> None:
    bow_tie = shapely.Polygon([(10.2, 10), (50.2, 50), (50.2, 10), (10.2, 50)])
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614", shapes={"roof": ROOF, "pool": bow_tie})
    assert _run(*make(ground, labels, task=TASK)) == 0
    assert "3 of its 6 areas have an outline that crosses itself and were repaired (features 2, 4, 6)" in caplog.text
    wanted = inside(ROOF).astype(np.uint8)
    wanted[inside(shapely.Polygon([(10.2, 10), (30.2, 30), (10.2, 50)]))] = 2
    wanted[inside(shapely.Polygon([(50.2, 50), (30.2, 30), (50.2, 10)]))] = 2
    assert np.array_equal(mask_of(ground), wanted)


def test_the_attribute_of_the_classes_is_chosen_and_never_guessed(ground: Path) -> None:
    labels = footprints(ground / "f.gpkg", column="kind", height=[3.5, 4.0], code=[1, 2])
    _refused(
        "say which one names each area's class with --class-attribute: kind (roof, pool), height (3.5, 4), code (1, 2)",
        *make(ground, labels, task=TASK),
    )
    _refused(
        "--class-attribute king: is no attribute of", *make(ground, labels, "--class-attribute", "king", task=TASK)
    )
    assert _run(*make(ground, labels, "--class-attribute", "kind", task=TASK)) == 0
    assert (mask_of(ground) != expected()).mean() < 0.005
    coded = TASK | {"classes": ["ground", "1", "2"]}
    assert _run(*make(ground, labels, "--class-attribute", "code", task=coded)) == 0
    assert (mask_of(ground) != expected()).mean() < 0.005
    only = footprints(ground / "only.gpkg", column="kind")
    assert _run(*make(ground, only, task=TASK)) == 0


def test_classes_of_areas_are_chosen_by_name_and_empty_ones_are_said(
    ground: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614", kind=["roof", None], height=[1, 2])
    chosen = ("--class-attribute", "kind")
    assert _run(*make(ground, labels, *chosen, "--classes", "roof")) == 0
    assert np.array_equal(mask_of(ground), inside(ROOF).astype(np.uint8))
    assert "its labels '(no value)' (3) are left out, as --classes says" in capfd.readouterr().out
    _refused("label '(no value)' (3) is no class of --task", *make(ground, labels, *chosen, task=TASK))
    joined = TASK | {"remap": {"*": "pool"}}
    assert _run(*make(ground, labels, *chosen, task=joined)) == 0
    assert np.array_equal(mask_of(ground), expected())


def test_several_layers_with_areas_are_listed(ground: Path) -> None:
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614")
    geopandas.read_file(labels).iloc[::2].to_file(labels, layer="roofs")
    _refused("choose one with --layer: f (6 features), roofs (3 features)", *make(ground, labels))
    assert _run(*make(ground, labels, "--layer", "roofs")) == 0
    assert np.array_equal(mask_of(ground), inside(ROOF).astype(np.uint8))
    _refused("--layer roof: is no layer with geometries", *make(ground, labels, "--layer", "roof"))


@pytest.mark.parametrize("name", ["aoi.gpkg", "aoi.geojson", "aoi.shp"])
def test_pixels_outside_the_labelled_extent_do_not_count(name: str, ground: Path) -> None:
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614")
    extent = footprints(ground / name, crs="EPSG:3857", shapes={"x": shapely.box(0, 0, 48, 64)})
    assert _run(*make(ground, labels, "--extent", extent)) == 0
    wanted = expected(1, 1)
    wanted[:, 48:] = 255
    assert np.array_equal(mask_of(ground), wanted)
    assert TuningData.read(ground / "out").task.ignores


def write_masks(ground: Path) -> None:
    (ground / "data" / "msks").mkdir()
    for name in "abc":
        Image.fromarray(expected(255, 255)).save(ground / "data" / "msks" / f"{name}.png")


def test_an_extent_goes_with_masks_too(ground: Path) -> None:
    write_masks(ground)
    extent = footprints(ground / "aoi.gpkg", shapes={"x": shapely.box(0, 0, 64, 32)})
    words = [word for word in make(ground, extent) if word not in ("--labels", extent)]
    assert _run(*words, "--extent", extent) == 0
    wanted = expected(1, 1)
    wanted[32:] = 255
    assert np.array_equal(mask_of(ground), wanted)


def test_an_image_outside_the_extent_and_an_extent_of_nothing_are_refused(ground: Path) -> None:
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614")
    table = geopandas.read_file(labels)
    table.iloc[:4].to_file(ground / "two.gpkg")
    _refused("c.tif: no part of it is inside --extent", *make(ground, labels, "--extent", ground / "two.gpkg"))
    table.iloc[:0].to_file(ground / "none.gpkg")
    _refused("holds no areas", *make(ground, labels, "--extent", ground / "none.gpkg"))
    _refused("--extent no.gpkg: no such file", *make(ground, labels, "--extent", "no.gpkg"))


def test_pixels_without_data_do_not_count(ground: Path) -> None:
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614")
    for number, name in enumerate("abc"):
        path = ground / "data" / "imgs" / f"{name}.tif"
        write_image(path, number, nodata=0 if name == "a" else None)
        with rasterio.open(path, "r+") as file:
            if name == "a":
                pixels = file.read()
                pixels[:, :, :16] = 0
                pixels[0, 30, 30] = 0  # black in one band is a colour
                file.write(pixels)
            if name == "b":
                with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                    file.write_mask(np.arange(SIDE)[:, None].repeat(SIDE, axis=1) < 50)
    said = io.StringIO()
    with redirect_stdout(said):
        assert _run(*make(ground, labels)) == 0
    wanted = expected(1, 1)
    wanted[:, :16] = 255
    assert np.array_equal(mask_of(ground, "train"), wanted)
    wanted = expected(1, 1)
    wanted[50:] = 255
    assert np.array_equal(mask_of(ground), wanted)


def test_spacenet_s_geojson_for_each_picture(ground: Path) -> None:
    images = ground / "data" / "imgs"
    for number, name in enumerate("abc"):
        (images / f"{name}.tif").rename(images / f"RGB-PanSharpen_AOI_2_Vegas_img{number}.tif")
    table = geopandas.read_file(footprints(ground / "f.gpkg"))
    folder = ground / "geojson" / "buildings"
    folder.mkdir(parents=True)
    for number in range(2):
        table.iloc[2 * number : 2 * number + 2].to_file(folder / f"buildings_AOI_2_Vegas_img{number}.geojson")
    empty = {"type": "FeatureCollection", "features": []}
    (folder / "buildings_AOI_2_Vegas_img2.geojson").write_text(json.dumps(empty))
    words = make(ground, folder, task=TASK)
    _split_file(ground / "split.toml", train=["*img0"], val=["*img1"], test=["*img2"])
    assert _run(*words) == 0
    assert (mask_of(ground) != expected()).mean() < 0.005
    blank = np.asarray(Image.open(ground / "out" / "test" / "masks" / "RGB-PanSharpen_AOI_2_Vegas_img2.png"))
    assert not blank.any()
    (folder / "buildings_AOI_2_Vegas_img1.geojson").unlink()
    _refused("img1.tif: has no GeoJSON in", *words)


def xview2(shapes: Sequence[tuple[str, Any]], side: int = SIDE) -> str:
    features = [
        {
            "properties": {"feature_type": "building", "uid": str(number)} | ({"subtype": kind} if kind else {}),
            "wkt": shape.wkt,
        }
        for number, (kind, shape) in enumerate(shapes)
    ]
    return json.dumps({"features": {"lng_lat": [], "xy": features}, "metadata": {"width": side, "height": side}})


def test_xview2_s_polygons_in_pixels_with_their_damage(tmp_path: Path) -> None:
    images, labels = tmp_path / "data" / "images", tmp_path / "data" / "labels"
    images.mkdir(parents=True)
    labels.mkdir()
    yard = shapely.Polygon([(20, 20), (60, 20), (60, 60), (20, 60)], [[(30, 30), (40, 30), (40, 40), (30, 40)]])
    for number, name in enumerate("abc"):
        noise = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        for when in ("pre", "post"):
            Image.fromarray(noise).save(images / f"{name}_{when}_disaster.png")
        damaged = [("no-damage", ROOF), ("destroyed", yard), ("un-classified", shapely.box(0, 0, 4, 4))]
        (labels / f"{name}_pre_disaster.json").write_text(xview2([("", shape) for _, shape in damaged]))
        (labels / f"{name}_post_disaster.json").write_text(xview2(damaged))
    words = make(tmp_path, labels)
    _split_file(tmp_path / "split.toml", train=["a_pre_*"], val=["b_pre_*"], test=["c_pre_*"])
    assert _run(*words) == 0
    wanted = inside(ROOF) | inside(yard) | inside(shapely.box(0, 0, 4, 4))
    assert np.array_equal(mask_of(tmp_path), wanted.astype(np.uint8))
    task: dict[str, Any] = {"kind": "multiclass", "classes": ["ground", "no-damage", "destroyed", "un-classified"]}
    _refused("label 'building' (9) is no class of --task", *make(tmp_path, labels, task=task))
    task["remap"] = {"building": "ignore"}
    words = make(tmp_path, labels, task=task)
    _split_file(tmp_path / "split.toml", train=["a_post_*"], val=["b_post_*"], test=["c_post_*"])
    assert _run(*words) == 0
    damage = inside(ROOF).astype(np.uint8)
    damage[inside(yard)] = 2
    damage[:4, :4] = 3
    assert np.array_equal(mask_of(tmp_path), damage)
    (labels / "b_post_disaster.json").write_text(xview2([("destroyed", shapely.LineString([(0, 0), (9, 9)]))]))
    _refused("b_post_disaster.json, a polygon 'destroyed': is a LineString", *words)
    (labels / "b_post_disaster.json").write_text(xview2([], side=1024))
    _refused("was labelled at 1024x1024", *words)


def test_a_picture_with_a_world_file_has_the_crs_that_is_said(ground: Path) -> None:
    labels = footprints(ground / "f.gpkg", crs="EPSG:32614")
    images = ground / "data" / "imgs"
    for number, name in enumerate("abc"):
        (images / f"{name}.tif").unlink()
        noise = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(images / f"{name}.png")
    _refused("a.png: is not georeferenced", *make(ground, labels))
    for number, name in enumerate("abc"):  # the centre of the upper left pixel
        corner = (EAST + 100 * number + METRES / 2, NORTH - METRES / 2)
        (images / f"{name}.pgw").write_text("\n".join(map(str, (METRES, 0, 0, -METRES, *corner))))
    _refused("a.png: names no coordinate reference system; say it with --crs", *make(ground, labels))
    assert _run(*make(ground, labels, "--crs", "EPSG:32614")) == 0
    assert np.array_equal(mask_of(ground), expected(1, 1))
    _refused("--crs EPSG:0: is no coordinate reference system", *make(ground, labels, "--crs", "EPSG:0"))
    shape = footprints(ground / "s.shp", crs="EPSG:32614")
    shape.with_suffix(".prj").unlink()
    _refused("s.shp: names no coordinate reference system", *make(ground, shape))
    assert _run(*make(ground, shape, "--crs", "EPSG:32614")) == 0


def test_flags_of_a_gis_go_with_its_files_alone(ground: Path) -> None:
    (ground / "l").mkdir()
    (ground / "l" / "a.json").write_text('{"shapes": [], "imageHeight": 64, "imageWidth": 64}')
    _refused("--layer x: is about files of a GIS", *make(ground, ground / "l", "--layer", "x"))
    write_masks(ground)
    words = [word for word in make(ground, ground / "l") if word not in ("--labels", ground / "l")]
    _refused("--class-attribute x: is about a file with polygons", *words, "--class-attribute", "x")


def test_bad_footprints_are_one_line_each(ground: Path) -> None:
    def refused(said: str, labels: Path, task: object = None) -> None:
        _refused(said, *make(ground, labels, task=task))
        assert not (ground / "out").exists()

    (ground / "bad.gpkg").write_bytes(b"no package")
    refused("bad.gpkg: not readable as a vector file", ground / "bad.gpkg")
    (ground / "empty.geojson").touch()
    refused("empty.geojson: is no JSON file (empty, 0 bytes)", ground / "empty.geojson")
    (ground / "empty.gpkg").touch()
    refused("empty.gpkg: not readable as a vector file (empty, 0 bytes)", ground / "empty.gpkg")
    (ground / "bad.parquet").write_bytes(b"no parquet")
    refused("bad.parquet: not readable as a vector file", ground / "bad.parquet")
    geopandas.read_file(footprints(ground / "x.gpkg")).drop(columns="geometry").to_parquet(ground / "plain.parquet")
    refused("plain.parquet: is no GeoParquet", ground / "plain.parquet")
    refused(
        "labels 'roof' (3), 'pool' (3) are no class of --task",
        footprints(ground / "b.gpkg"),
        {"classes": ["ground", "house"]},
    )
    far = {"roof": shapely.transform(ROOF, lambda points: points + np.array((1e5, 0.0)))}
    refused("none of its areas is on an image: in the CRS of a they reach", footprints(ground / "c.gpkg", shapes=far))
    refused("(IoU of both extents: 0.0%); check the CRS of both", ground / "c.gpkg")
    (ground / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    refused("holds no areas", ground / "empty.geojson")
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [0, 0]}}
    (ground / "point.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [point]}))
    refused("holds Point; export", ground / "point.geojson")


def test_swapped_coordinates_are_recognised(ground: Path) -> None:
    table = geopandas.read_file(footprints(ground / "f.gpkg", crs="EPSG:32614"))
    table.geometry = [shapely.transform(shape, lambda points: points[:, ::-1]) for shape in table.geometry]
    table.to_file(ground / "swapped.gpkg")
    _refused("their coordinates look swapped", *make(ground, ground / "swapped.gpkg"))


@pytest.mark.parametrize("name", ["roofs.gpkg", "roofs.geojson", "roofs.shp", "roofs.fgb"])
def test_rasters_beside_one_vector_file_are_recognised(
    name: str, ground: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = make(ground, footprints(ground / "data" / name))
    assert _run(*words[: words.index("--labels")]) == 0
    assert "a map: rasters and outlines of a GIS: 3 images" in capsys.readouterr().out
    assert (mask_of(ground) != expected(1, 1)).mean() < 0.005


def test_of_several_vector_files_one_must_be_named(ground: Path) -> None:
    labels = [footprints(ground / "data" / name) for name in ("roofs.gpkg", "parcels.gpkg")]
    words = make(ground, labels[0])
    unnamed = words[: words.index("--labels")]
    _refused("holds 2 vector files (parcels.gpkg, roofs.gpkg); name the one with the labels by --labels FILE", *unnamed)
    assert _run(*words) == 0
