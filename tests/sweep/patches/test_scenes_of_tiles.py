"""What is known of scenes is written into the manifest, and tiles of different scenes are compared."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_bounds
from rasterio.warp import transform_bounds

from sweep.patches.checks.checking import check
from sweep.patches.checks.leaks import find_leaks
from sweep.patches.checks.tiles import CheckedTile, checked
from sweep.patches.folders import write_tile
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.georeference import Ground, find_touching, ground_of
from sweep.patches.splits.chosen import origin_of
from sweep.patches.splits.scenes import scenes_of_manifest
from sweep.patches.synthesis import draw_tiles
from tests.commands import Run
from tests.conftest import SHARED
from tests.rasters import open_image
from trainables.data.manifest import Leak, Manifest
from trainables.data.scenes import UNKNOWN
from trainables.data.tiles import Tile, TileFiles, TuningData
from trainables.task import Task

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform", "ignore:Use `@` matmul")
Picture = NDArray[np.uint8]
SIDE = 64
HERE = Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)
UTM = CRS.from_epsg(32633)


def _picture(number: int) -> Picture:
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _source(folder: Path, name: str, transform: Affine | None = None, crs: CRS | None = UTM) -> Path:
    """Write an image of the size of a tile, half of which is foreground, and its mask; returns the image."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[: SIDE // 2] = 255
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    pixels = _picture(zlib.crc32(f"{folder.name}/{name}".encode()))
    options = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8"}
    place = {} if transform is None else {"transform": transform, "crs": crs}
    with rasterio.open(path := folder / "images" / f"{name}.tif", "w", **options, **place) as file:
        file.write(np.moveaxis(pixels, 2, 0))
    return path


def _make(here: Run, source: Path, splits: Mapping[str, list[str]], *more: str) -> tuple[Path, str]:
    """Make a dataset of tiles of 64 pixels; returns where it is and what was said."""
    root, split = source.parent / "made", source.parent / "split.toml"
    split.write_text("".join(f"{name} = {json.dumps(names)}\n" for name, names in splits.items()))
    done = here("patches", "make", "--src", source, "--dst", root, "--split", split, "--size", str(SIDE), *more)
    assert done.returncode == 0, done.stderr
    return root, done.stdout


def _scenes(root: Path) -> dict[str, str]:
    manifest = Manifest.read(root)
    assert manifest is not None
    return {Path(path).stem: entry["scene"] for path, entry in manifest.files.items() if "scene" in entry}


SPLITS = {"train": ["tile 1_*"], "val": ["tile 2_*"], "test": ["tile 3_*"]}
FOLDERS = {f"tile {tile}_part_{part}": f"tile {tile}" for tile in (1, 2, 3) for part in (1, 2)}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three folders of two sources each."""
    for tile in (1, 2, 3):
        for part in (1, 2):
            _source(tmp_path / "data" / f"tile {tile}", f"part_{part}")
    return tmp_path / "data"


def test_folders_of_sources_are_scenes_and_stay_it(here: Run, folders: Path) -> None:
    root, said = _make(here, folders, SPLITS)
    assert "scenes: 3 from folders\n" in said
    assert _scenes(root) == FOLDERS
    data = TuningData.read(root)
    assert data.scenes == {name: scene for name, scene in FOLDERS.items() if scene != "tile 3"}
    for words in ((), ("--update",)):
        checked = here("patches", "check", "--patches", root, *words)
        assert checked.returncode == 0 and "scenes: 3 in the manifest\n" in checked.stdout
        assert _scenes(root) == FOLDERS
    assert TuningData.read(root).fingerprint == data.fingerprint


def test_a_pattern_counts_more_than_folders(here: Run, folders: Path) -> None:
    root, said = _make(here, folders, SPLITS, "--group-by", r"part_\d")
    assert r"scenes: 2 by --group-by part_\d" in said
    assert _scenes(root) == {name: name[-6:] for name in FOLDERS}
    checked = here("patches", "check", "--patches", root, "--group-by", r"\d")
    assert checked.returncode == 0 and r"scenes: 3 by --group-by \d" in checked.stdout
    assert _scenes(root) == {name: name[5] for name in FOLDERS}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[", "is no regular expression"),
        ("roof", "finds no scene in any name"),
        ("tile [12]", "in tile 3_part_1, tile 3_"),
    ],
)
def test_a_pattern_that_does_not_fit_writes_nothing(here: Run, folders: Path, pattern: str, said: str) -> None:
    split = folders.parent / "split.toml"
    split.write_text("".join(f"{name} = {json.dumps(names)}\n" for name, names in SPLITS.items()))
    words = ("--src", folders, "--dst", folders.parent / "made", "--split", split, "--size", str(SIDE))
    made = here("patches", "make", *words, "--group-by", pattern)
    assert made.returncode == 2 and f"--group-by {pattern}: " in made.stderr and said in " ".join(made.stderr.split())
    assert not (folders.parent / "made").exists()
    root, _ = _make(here, folders, SPLITS)
    before = (root / "manifest.json").read_bytes()
    checked = here("patches", "check", "--patches", root, "--group-by", pattern)
    assert checked.returncode == 2 and said in " ".join(checked.stderr.split())
    assert (root / "manifest.json").read_bytes() == before


def test_what_is_not_known_is_not_written_and_said(here: Run, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _source(tmp_path / "data", name)
    root, said = _make(here, tmp_path / "data", {"train": ["a"], "val": ["b"], "test": ["c"]})
    assert f"scenes: {UNKNOWN}\n" in said
    assert _scenes(root) == {}
    assert f"scenes: {UNKNOWN}\n" in here("patches", "check", "--patches", root).stdout


def test_tiles_that_touch_on_the_ground_are_a_scene(here: Run, tmp_path: Path) -> None:
    for name, columns in (("a", 0), ("b", SIDE), ("c", 2 * SIDE), ("d", 5 * SIDE), ("e", 9 * SIDE)):
        _source(tmp_path / "data", name, HERE @ Affine.translation(columns, 0))
    root, said = _make(here, tmp_path / "data", {"train": ["a", "b", "c"], "val": ["d"], "test": ["e"]})
    assert "scenes: 3 from the georeference\n" in said
    assert _scenes(root) == {"a": "a + 2 more", "b": "a + 2 more", "c": "a + 2 more", "d": "d", "e": "e"}


def _ground(folder: Path, name: str, transform: Affine, crs: CRS | None = UTM) -> Ground:
    ground = ground_of(open_image(_source(folder, name, transform, crs)), Area.whole((SIDE, SIDE)))
    assert ground is not None
    return ground


@pytest.mark.parametrize(
    ("moved", "touches"),
    [
        (Affine.translation(SIDE, 0), True),
        (Affine.translation(SIDE, -SIDE), True),  # corner to corner
        (Affine.translation(-30, 10), True),
        (Affine.translation(SIDE + 2, 0), False),
        (Affine.translation(0, SIDE + 2), False),
        (Affine.translation(1e7, 0), False),
        # Turned by 45 degrees: its bounding box overlaps, it does not.
        (Affine.translation(104, 104 - SIDE / 2**0.5) @ Affine.rotation(45), False),
        (Affine.translation(80, 80 - SIDE / 2**0.5) @ Affine.rotation(45), True),
    ],
)
def test_touching_is_to_a_pixel(tmp_path: Path, moved: Affine, touches: bool) -> None:
    grounds = {"a": _ground(tmp_path, "a", HERE), "b": _ground(tmp_path, "b", HERE @ moved)}
    assert find_touching(grounds) == ([("a", "b")] if touches else [])


def test_places_in_other_coordinates_are_compared(tmp_path: Path) -> None:
    bounds = (HERE.c, HERE.f - 0.5 * SIDE, HERE.c + 0.5 * SIDE, HERE.f)
    degrees = CRS.from_epsg(4326)
    there = from_bounds(*transform_bounds(UTM, degrees, *bounds), SIDE, SIDE)
    grounds = {
        "a": _ground(tmp_path, "a", HERE),
        "b": _ground(tmp_path, "b", there, degrees),
        "far": _ground(tmp_path, "far", there @ Affine.translation(3 * SIDE, 0), degrees),
        "bare": _ground(tmp_path, "bare", HERE, None),
        "bare, too": _ground(tmp_path, "bare, too", HERE, None),
    }
    assert find_touching(grounds) == [("a", "b"), ("bare", "bare, too")]


def _manifest(sources: Mapping[str, str]) -> Manifest:
    files = {f"train/images/{name}.jpg": {"sha256": "0", "source": source} for name, source in sources.items()}
    masks = {f"train/masks/{name}.png": {"sha256": "0"} for name in sources}
    return Manifest(name="", origin="", licence="", version="", synthetic=False, splits={}, files=files | masks)


@pytest.mark.parametrize(
    ("sources", "scenes", "origin"),
    [
        # make calls a tile FOLDER_RASTER, and rasters of several folders have the same names.
        (
            {f"t{one}_p{part}": f"images/p{part}.jpg x=3 y=4" for one in "12" for part in "12"},
            "t1 t1 t2 t2",
            "2 from folders",
        ),
        (
            {"n1": "in/north.tif x=0 y=0", "n2": "in/north.tif x=64 y=0", "s": "in/south.tif x=0 y=0"},
            "north north -",
            "1 from the rasters that tiles were cut from, and 1 tile in none, each its own",
        ),
        ({"a": "images/a.tif x=0 y=0", "b": "images/b.tif x=0 y=0"}, "- -", UNKNOWN),
        ({"train_a": "images/a.tif x=0 y=0", "val_a": "images/a.tif x=0 y=0"}, "- -", UNKNOWN),
        ({"a": "drawn with seed 1", "b": "drawn with seed 1"}, "- -", UNKNOWN),
    ],
)
def test_sources_of_a_manifest_show_scenes(sources: dict[str, str], scenes: str, origin: str) -> None:
    known = scenes_of_manifest(list(sources), _manifest(sources))
    assert [known.of.get(name, "-") for name in sources] == scenes.split()
    assert known.origin == origin


def test_a_tile_keeps_its_scene_in_another_split(here: Run, folders: Path) -> None:
    root, _ = _make(here, folders, SPLITS)
    for kind in ("images", "masks"):
        (path,) = (root / "test" / kind).glob("tile 3_part_1.*")
        path.rename(root / "val" / kind / path.name)
    assert here("patches", "check", "--patches", root, "--update").returncode == 0
    assert _scenes(root) == FOLDERS
    assert TuningData.read(root).scenes["tile 3_part_1"] == "tile 3"


def test_a_publisher_s_split_is_known_by_its_folders(here: Run, tmp_path: Path) -> None:
    for folder in ("train", "Validation", "test"):
        for name in ("a", "b"):
            _source(tmp_path / "data" / folder, name)
    splits = {"train": ["train_*"], "val": ["Validation_*"], "test": ["test_*"]}
    root, said = _make(here, tmp_path / "data", splits)
    assert TuningData.read(root).published_split
    assert f"scenes: {UNKNOWN}" in said  # these folders are no scenes
    mixed, _ = _make(
        here, tmp_path / "data", {**splits, "val": ["Validation_*", "test_a"], "test": ["test_b"]}, "--force"
    )
    assert not TuningData.read(mixed).published_split
    assert here("patches", "check", "--patches", mixed, "--split-origin", "published").returncode == 0
    assert TuningData.read(mixed).published_split
    assert here("patches", "check", "--patches", mixed, "--update").returncode == 0
    assert TuningData.read(mixed).published_split


@pytest.mark.parametrize(
    ("published", "origin"),
    [
        ({"a": "train", "b": "val", "c": "test"}, "published"),
        ({"a": "train", "b": "val", "c": ""}, "published"),
        ({"a": "train", "b": "train", "c": "test"}, "chosen"),
        ({"a": "", "b": "", "c": ""}, "chosen"),
    ],
)
def test_who_divided_the_tiles(published: dict[str, str], origin: str) -> None:
    assert origin_of({"train": ["a"], "val": ["b"], "test": ["c"]}, published) == origin


def test_describe_counts_the_tiles_of_each_scene(here: Run, folders: Path) -> None:
    root, _ = _make(here, folders, {**SPLITS, "val": ["tile 2_part_1"], "test": ["tile 2_part_2", "tile 3_*"]})
    lines = here("patches", "describe", "--patches", root).stdout.splitlines()
    assert "scenes         3 in the manifest" in lines
    rows = [line.split() for line in lines if line.startswith("tile ")]
    assert rows == [
        ["tile", "1", "2", "2", "0", "0"],
        ["tile", "2", "2", "0", "1", "1"],
        ["tile", "3", "2", "0", "0", "2"],
    ]
    events = [
        json.loads(line)
        for line in here("patches", "describe", "--patches", root, "--json", "--overwrite").stdout.splitlines()
    ]
    (second,) = [event for event in events if event["event"] == "scene" and event["scene"] == "tile 2"]
    assert (second["tiles"], second["splits"]) == (2, {"train": 0, "val": 1, "test": 1})


def test_describe_has_no_table_where_each_tile_is_a_scene(here: Run, dataset: Path) -> None:
    said = here("patches", "describe", "--patches", dataset).stdout
    assert f"scenes         {UNKNOWN}" in said and "tiles of each scene" not in said


# What shows the same ground


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Two different scenes of 384 pixels."""
    root = tmp_path_factory.mktemp("scenes")
    for kind in ("images", "masks"):
        (root / "train" / kind).mkdir(parents=True)
    draw_tiles(root, {"train": ["synth1", "synth2"]}, size=384, seed=3)
    return [np.asarray(Image.open(path)) for path in sorted((root / "train/images").iterdir())]


def _tiles(names: Iterable[str], picture: Picture) -> list[CheckedTile]:
    tiles = [Tile(name=name, image=picture, mask=np.zeros(picture.shape[:2], np.uint8)) for name in names]
    files = [TileFiles(tile=one, image=one.name, mask="", image_sha256=one.name, mask_sha256="") for one in tiles]
    return [checked(one, viewed=True) for one in files]


def test_tiles_of_train_and_val_are_compared_across_scenes_only(pictures: list[Picture]) -> None:
    splits = {
        "train": _tiles(["a1", "a2", "b1", "x", "y"], pictures[0]),
        "val": _tiles(["c1", "d1"], pictures[1]),
        "test": _tiles(["e1", "e2"], pictures[1][::-1, :, ::-1].copy() // 2),
    }
    scenes = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "d1": "d", "e1": "e", "e2": "f"}
    pairs = {(pair.first, pair.second) for pair in find_leaks(splits, scenes)}
    apart = [("a1", "b1"), ("a1", "x"), ("a1", "y"), ("a2", "b1"), ("a2", "x"), ("a2", "y")]
    apart += [("b1", "x"), ("b1", "y"), ("x", "y"), ("c1", "d1")]
    between = {(pair.first, pair.second) for pair in find_leaks(splits)}
    assert pairs - between == set(apart)
    assert all({first[0], second[0]} <= set("cde") for first, second in between)


@pytest.fixture
def overlapping(tmp_path: Path, pictures: list[Picture]) -> Path:
    """A dataset of which the train tiles ``a_1`` and ``b_1`` share half their ground, and no others any."""
    for split in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (tmp_path / "tiles" / split / kind).mkdir(parents=True)
    parts = [("train", "a_1", 0, 0, 0), ("train", "b_1", 0, 0, 96), ("train", "b_2", 0, 192, 192)]
    parts += [("val", "c_1", 1, 0, 0), ("test", "d_1", 1, 192, 192)]
    mask = np.eye(192, dtype=np.uint8)
    for split, name, number, top, left in parts:
        picture = pictures[number][top : top + 192, left : left + 192]
        write_tile(tmp_path / "tiles", split, name, picture, mask, Task())
    return tmp_path / "tiles"


def test_check_writes_which_tiles_show_the_same_ground_and_refuses_nothing(here: Run, overlapping: Path) -> None:
    checked = here("patches", "check", "--patches", overlapping)
    assert checked.returncode == 0
    assert (
        "the same ground in train or in val: 1" in checked.stdout
        and "That is no fault: folds by scene" in checked.stdout
    )
    manifest = Manifest.read(overlapping)
    assert manifest is not None and manifest.leaks == ()
    (pair,) = manifest.same_ground or ()
    assert pair == Leak(
        first="train/images/a_1.jpg", second="train/images/b_1.jpg", how="the same ground on 50% of the smaller one"
    )
    data = TuningData.read(overlapping)
    assert data.same_ground == (("a_1", "b_1"),) and data.same_ground_checked and data.leaks == ()
    events = [
        json.loads(line) for line in here("patches", "check", "--patches", overlapping, "--json").stdout.splitlines()
    ]
    (event,) = [event for event in events if event["event"] == "same_ground"]
    assert (event["first"], event["second"]) == (pair.first, pair.second)


def test_tiles_of_one_scene_may_show_the_same_ground(here: Run, overlapping: Path) -> None:
    assert here("patches", "check", "--patches", overlapping, "--group-by", "^(?:[ab]|.)").returncode == 0
    assert TuningData.read(overlapping).same_ground == (("a_1", "b_1"),)
    assert here("patches", "check", "--patches", overlapping, "--group-by", "_").returncode == 0
    assert TuningData.read(overlapping).same_ground == ()


def test_hundreds_of_tiles_are_compared_within_a_split(overlapping: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(150):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.NEAREST))
        write_tile(overlapping, "train", f"n{number}_1", picture, np.eye(64, dtype=np.uint8), Task())
    report = check(overlapping)
    assert [(pair.first, pair.second) for pair in report.same_ground or ()] == [
        ("train/images/a_1.jpg", "train/images/b_1.jpg")
    ]


@pytest.mark.skipif(not (SHARED / "dubai").is_dir(), reason="real tiles are not here")
def test_real_tiles_of_two_scenes_that_overlap(here: Run, tmp_path: Path) -> None:
    """Two of them show the same ground in one of their parts; the nine parts of a tile are one scene."""
    split = tmp_path / "split.toml"
    split.write_text('train = ["tile1_*_00[1-3]", "tile3_*_00[7-9]"]\nval = ["tile2_*_001"]\ntest = ["tile4_*_001"]\n')
    words: list[Any] = ["--src", SHARED / "dubai", "--dst", tmp_path / "d", "--split", split, "--size", "480"]
    assert here("patches", "make", *words, "--foreground", "60,16,152").returncode == 0
    data = TuningData.read(tmp_path / "d")
    assert set(data.scenes.values()) == {"tile1", "tile2", "tile3"}
    assert data.same_ground == (("tile1_image_part_001", "tile3_image_part_009"),)
