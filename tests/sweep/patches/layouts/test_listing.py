"""A folder is listed once, within bounds, and whatever it holds."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweep.patches.layouts import listing as listing_module
from sweep.patches.layouts.layout import SourceLayout
from sweep.patches.layouts.listing import MAX_DEPTH, Listing
from sweep.patches.layouts.named_folders import FOLDERS, SIBLINGS, SUFFIXES
from sweep.patches.layouts.published import aerial, photographs, programs
from sweep.patches.layouts.registry import LAYOUTS, recognise
from sweep.patches.tiling import cutting
from tests.sweep.patches.layouts.replicas import areas, photo, put, run, shown, text
from trainables.errors import DataError

LEGENDS = {
    "class_dict.csv": "name,r,g,b\nsoil,0,0,0\nroof,9,9,9",
    "labelmap.txt": "background:0,0,0::\nroof:9,9,9::",
    "_classes.csv": "0, background\n1, roof",
    "train.txt": "2007_000032\nM-33-7-A-d-2-3_0",
}
OURS = (FOLDERS, SIBLINGS, SUFFIXES, *(one for room in (aerial, photographs, programs) for one in vars(room).values()))


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_file_is_listed_once_by_its_path(tmp_path: Path) -> None:
    touch(tmp_path / "b.tif", tmp_path / "x/y/a.PNG", tmp_path / "x/notes.md")
    found = Listing.walk(tmp_path)
    assert list(found.files) == ["b.tif", "x/notes.md", "x/y/a.PNG"]
    assert list(found.rasters) == ["b.tif", "x/y/a.PNG"] and found.stems["x/y/a"] == ["x/y/a.PNG"]
    assert found.under("x").files == {"notes.md": tmp_path / "x/notes.md", "y/a.PNG": tmp_path / "x/y/a.PNG"}
    assert (found.only_folder, found.notes) == ("x", ())


def test_what_programs_leave_behind_is_passed_over(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("._a.png", ".DS_Store", ".git/b.png", "__MACOSX/c.png", "Thumbs.db", "a.png")))
    assert list(Listing.walk(tmp_path).files) == ["a.png"]


def test_links_that_lead_back_or_nowhere_are_passed_over_and_said(tmp_path: Path) -> None:
    touch(tmp_path / "in/images/a.png", tmp_path / "masks/a.png")
    (tmp_path / "in/images/again").symlink_to(tmp_path / "in")
    (tmp_path / "in/nothing.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "in/masks").symlink_to(tmp_path / "masks")
    found = Listing.walk(tmp_path / "in")
    assert list(found.files) == ["images/a.png", "masks/a.png"]
    back, nowhere = found.notes
    assert "again: a link back to a folder that it is in" in back and "nothing.png: a link to what is not" in nowhere


def test_too_deep_folders_are_passed_over_and_said(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefgh")
    assert len("abcdefgh") == MAX_DEPTH
    touch(deep / "a.png", deep / "i/b.png")
    found = Listing.walk(tmp_path)
    assert list(found.files) == ["a/b/c/d/e/f/g/h/a.png"]
    assert found.notes == (f"{deep}/i: is more than 8 folders deep; passed over",)


def test_too_many_files_are_refused_with_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(*(tmp_path / f"{number}.png" for number in range(6)))
    monkeypatch.setattr(listing_module, "MAX_FILES", 5)
    with pytest.raises(DataError, match=r"holds more than 5 files; name the folder in it that holds the images"):
        Listing.walk(tmp_path)


def test_what_is_to_be_written_is_not_read(tmp_path: Path) -> None:
    touch(tmp_path / "images/a.png", tmp_path / "out/train/images/a.jpg")
    assert list(Listing.walk(tmp_path, without=tmp_path / "out").files) == ["images/a.png"]


def test_a_name_in_two_unicode_forms_is_refused(tmp_path: Path) -> None:
    touch(*(tmp_path / unicodedata.normalize(form, "Dächer.png") for form in ("NFC", "NFD")))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"holds 'Dächer.png' twice, in two Unicode forms; keep one"):
        Listing.walk(tmp_path)


def test_an_unprintable_name_is_refused_and_shown_escaped(tmp_path: Path) -> None:
    touch(tmp_path / "a\x1b[31m.png")
    with pytest.raises(DataError, match=r"a\\x1b\[31m.png': its name has unprintable letters; rename it"):
        Listing.walk(tmp_path)


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user to whom permissions apply."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    for parent in (*tmp_path.parents, tmp_path):
        if parent.is_relative_to(Path("/tmp")) and parent != Path("/tmp"):
            parent.chmod(0o755)
    touch(tmp_path / "in/images/a.png", tmp_path / "in/masks/a.png")
    (tmp_path / "in/masks").chmod(0)
    try:
        with nobody(), pytest.raises(DataError, match=r"in/masks: cannot be read \(Permission denied\); allow it"):
            Listing.walk(tmp_path / "in")
    finally:
        (tmp_path / "in/masks").chmod(0o755)


def test_a_folder_of_folders_three_deep_is_recognised_with_its_scenes(tmp_path: Path) -> None:
    for scene in ("north", "south"):
        put(tmp_path / f"year/region/{scene}/images/a.png", photo(1))
        put(tmp_path / f"year/region/{scene}/masks/a.png", areas(1, [0, 1]))
    _, found = recognise(Listing.walk(tmp_path))
    assert {name: one.folder for name, one in found.sources.items()} == {
        "year_region_north_a": "year_region_north",
        "year_region_south_a": "year_region_south",
    }


@pytest.mark.parametrize(
    "layout", ["images/{:05}.png masks/{:05}.png", "t/{:05}_sat.jpg t/{:05}_mask.png", "{:05}/a.tif {:05}/b.tif"]
)
def test_ten_thousand_files_take_seconds(tmp_path: Path, layout: str) -> None:
    for number in range(5_000):
        touch(*(tmp_path / one.format(number) for one in layout.split()))
    began = time.process_time()
    found = Listing.walk(tmp_path)
    assert len(found.files) == 10_000
    if "a.tif" in layout:
        with pytest.raises(
            DataError, match=r"each of 5,000 folders holds a.tif and b.tif; say --images '\*/a.tif' --m"
        ):
            recognise(found)
    else:
        assert len(recognise(found)[1].sources) == 5_000
    assert time.process_time() - began < 5


@pytest.mark.parametrize("layout", [one for one in OURS if isinstance(one, SourceLayout)], ids=lambda one: one.name)
def test_a_layout_is_recognised_by_how_the_docs_show_it(tmp_path: Path, layout: SourceLayout) -> None:
    assert layout in LAYOUTS
    shown_first = re.split(r"; | or |, also ", layout.looks)[0]
    image, mask, *others = re.findall(r"`([^`]+)`", shown_first)
    mask = mask.replace("...", Path(image).stem.removesuffix("_pre_disaster"))
    put(tmp_path / image, photo(0))
    put(tmp_path / mask, shown(areas(0, [0, 1]), [(0, 0, 0), (9, 9, 9)]))
    for other in others:
        if other in LEGENDS or Path(other).name in LEGENDS:
            text(tmp_path / other, LEGENDS[Path(other).name])
    assert recognise(Listing.walk(tmp_path))[0] is layout


def test_lists_that_name_no_image_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "JPEGImages/a.jpg", photo(0))
    put(tmp_path / "SegmentationClass/a.png", areas(0, [0, 1]))
    text(tmp_path / "ImageSets/Segmentation/train.txt", "b")
    with pytest.raises(DataError, match=r"the lists of train name none of its 1 image, such as a; correct the lists"):
        recognise(Listing.walk(tmp_path))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate("abc"):
        put(tmp_path / f"in/images/{name}.png", photo(number))
        put(tmp_path / f"in/masks/{name}.png", areas(number, [0, 1]))
    text(tmp_path / "s.toml", 'train = ["a"]', 'val = ["b"]', 'test = ["c"]')

    def cut_and_change(*arguments: Any, **more: Any) -> Any:
        done = cutting.cut_tiles(*arguments, **more)
        os.utime(tmp_path / "in/images/b.png", ns=(0, 0))
        return done

    monkeypatch.setattr("sweep.patches.commands.make.cut_tiles", cut_and_change)
    flags = ("--src", tmp_path / "in", "--dst", tmp_path / "out", "--split", tmp_path / "s.toml", "--size", 64)
    code, _, error = run("make", *flags)
    assert code == 2 and not (tmp_path / "out").exists()
    assert error.startswith(f"error: {tmp_path}/in/images/b.png: changed while it was read; wait until whatever")
    assert len(error.splitlines()) == 1
