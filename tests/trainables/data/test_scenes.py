"""Which tiles belong to one scene: by a pattern, the manifest, their names, and because they show the same ground."""

from __future__ import annotations

import pytest

from tests.conftest import SHARED
from trainables.data.scenes import UNKNOWN, guess_scenes, scenes_of
from trainables.errors import DataError

DUBAI = [f"tile{tile}_image_part_{part:03}" for tile in range(1, 8) for part in range(1, 10)]


def test_a_pattern_counts_more_than_the_manifest() -> None:
    scenes = scenes_of(["a1_x", "a2_x", "b1_y"], {"a1_x": "one", "a2_x": "two"}, r"^[a-z]", ())
    assert scenes.of == {"a1_x": "a", "a2_x": "a", "b1_y": "b"}
    assert (scenes.origin, scenes.joined) == ("2 by --group-by ^[a-z]", ())


@pytest.mark.parametrize(
    ("pattern", "scene"),
    [
        (r"tile\d+", "tile4"),
        (r"^(tile)\d+", "tile"),
        (r"\d+$", "009"),
        (r"^(nothing)|tile\d+", "tile4"),
        (r"_(image)_(part)", "image"),
    ],
)
def test_a_scene_is_the_first_group_or_the_whole_match(pattern: str, scene: str) -> None:
    assert scenes_of(["tile4_image_part_009"], {}, pattern, ()).of == {"tile4_image_part_009": scene}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", r"--group-by \(: is no regular expression"),
        ("roof", "--group-by roof: finds no scene in any name, such as a1; give"),
        ("^$|", "finds no scene in any name"),
        ("\x1b[2J", r"--group-by \\x1b\[2J: is no regular expression"),
        ("a", "--group-by a: finds no scene in b1, b2, b3 and 1 more; widen it"),
        (r"(?P<n>b\d)", "finds no scene in a1; "),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        scenes_of(["a1", "b1", "b2", "b3", "b4"], {}, pattern, ())


def test_the_manifest_counts_more_than_names_and_a_tile_without_a_scene_is_its_own() -> None:
    names = ["a_x1_y1", "a_x1_y2", "b_x1_y1", "north"]
    scenes = scenes_of(names, {"a_x1_y1": "north", "a_x1_y2": "north", "gone": "south"}, None, ())
    assert scenes.of == {"a_x1_y1": "north", "a_x1_y2": "north", "b_x1_y1": "b_x1_y1", "north": "north alone"}
    assert scenes.origin == "1 in the manifest, and 2 tiles in none, each its own"


def test_parts_of_scenes_are_known_by_their_names() -> None:
    scenes = scenes_of(DUBAI, {}, None, ())
    assert scenes.of == {name: name.split("_")[0] for name in DUBAI}
    assert scenes.origin == "7 guessed from names such as tile1_image_part_001; --group-by changes it"


@pytest.mark.parametrize(
    ("names", "scenes"),
    [
        ("a_x12_y3 a_x13_y3 b_x1_y10", "a a b"),
        ("Town-X12-Y3 Town-X13-Y3 2-X0-Y0", "Town Town 2"),
        ("a_r03_c04 a_r03_c05 b_r01_c01", "a a b"),
        ("a_b_row3_col4 a_b_row3_col5 c_row1_col1", "a_b a_b c"),
        ("s1_part_001 s1_part_002 s2_part_001", "s1 s1 s2"),
        ("s1_tile12 s1_tile13 s2_tile1", "s1 s1 s2"),
        ("s1-1 s1-12 s2-1", "s1 s1 s2"),
        ("north_4b-1 north_4b-2 south_4b-1", "north_4b north_4b south_4b"),
        ("austin1_0_512 austin1_512_512 austin2_0_0", "austin1 austin1 austin2"),
    ],
)
def test_names_that_end_in_a_place_give_scenes(names: str, scenes: str) -> None:
    assert list(guess_scenes(names.split()).values()) == scenes.split()


@pytest.mark.parametrize(
    "names",
    [
        "synth1 synth2 synth3",
        "Abyssinian_119 Abyssinian_120 Siamese_137",  # numbers of pictures, not places
        "a_x1_y1 a_x1_y2 a_x2_y1",  # one scene: nothing to tell apart
        "a_x1_y1 b_x1_y1 c_x1_y1",  # as many scenes as tiles
        "a_x1_y1 a_x1_y2 b",  # not all
        "a_x1_y1 a_x1_y2 b_part_1 b_part_2",  # not in one manner
        "a_3_12 a_3_13 b_4_1",  # row and column, or scene 3 and tile 12
        "a-3-12 a-3-13 a-4-1",  # likewise
        "2021-05-12 2021-05-13 2021-06-01",  # dates
        "x1_y1 x1_y2",
        "",
    ],
)
def test_other_names_give_none(names: str) -> None:
    assert guess_scenes(names.split()) == {}
    scenes = scenes_of(names.split(), {}, None, ())
    assert scenes.of == {name: name for name in names.split()}
    assert scenes.origin == UNKNOWN == "not known, each tile counts as its own; --group-by names them"


def test_scenes_that_show_the_same_ground_are_one() -> None:
    pairs = [
        ("tile1_image_part_001", "tile3_image_part_009"),
        ("tile3_image_part_008", "tile1_image_part_002"),  # the same two scenes once more
        ("tile5_image_part_001", "tile5_image_part_002"),  # within a scene
        ("tile5_image_part_001", "a test tile"),
    ]
    scenes = scenes_of(DUBAI, {}, None, pairs)
    assert set(scenes.of.values()) == {"tile1 + tile3", "tile2", "tile4", "tile5", "tile6", "tile7"}
    assert scenes.of["tile1_image_part_005"] == scenes.of["tile3_image_part_005"] == "tile1 + tile3"
    assert scenes.joined == ("tile1 and tile3: tile1_image_part_001 and tile3_image_part_009 show the same ground",)
    assert scenes.origin.endswith("; 6 after those that show the same ground are joined")


def test_scenes_are_joined_through_others() -> None:
    scenes = scenes_of(["a10", "a9", "b", "c", "d"], {}, None, [("a10", "b"), ("c", "a9"), ("b", "c")])
    assert scenes.of == {"a10": "a9 + 3 more", "a9": "a9 + 3 more", "b": "a9 + 3 more", "c": "a9 + 3 more", "d": "d"}
    assert scenes.joined == (
        "a10 and b show the same ground",
        "c and a9 show the same ground",
        "b and c show the same ground",
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="real tiles are not here")
def test_the_names_of_real_datasets() -> None:
    pets = sorted(path.stem for path in (SHARED / "pets" / "images").glob("*.jpg"))
    assert len(pets) == 5 and not guess_scenes(pets)
    folders = sorted((SHARED / "dubai").glob("tile*"))
    parts = [f"{folder.name}_{path.stem}" for folder in folders for path in sorted((folder / "images").iterdir())]
    assert parts == DUBAI
