"""What people's folders hold beside what was meant: each is read, or is one line that says what is wrong."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import assert_refused, run_here
from tests.sweep.patches.advice.files import blocks, images, pairs, write
from tests.sweep.patches.advice.of_labels import NAMES, cvat

SPLIT = 'train = ["a", "b"]\nval = ["c"]\ntest = ["d"]\n'
YOLO = "0 0.1 0.1 0.6 0.1 0.6 0.6\r\n"
TRACK = '<annotations><track id="0" label="car"><box frame="0" xtl="1" ytl="1" xbr="9" ybr="9"/></track></annotations>'


def marked(path: Path, text: str) -> None:
    """Write text as Windows does, with a byte order mark."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(codecs.BOM_UTF8 + text.encode())


def with_marks(folder: Path) -> None:
    """Write labels of YOLO whose files all begin with a byte order mark."""
    images(folder / "data/images", NAMES)
    for name in NAMES:
        marked(folder / f"data/labels/{name}.txt", YOLO)
    marked(folder / "data/data.yaml", "names: [roof]\r\n")


@pytest.mark.parametrize(
    ("build", "flags"),
    [
        (lambda folder: (images(folder / "data"), marked(folder / "data/annotations.xml", cvat(NAMES, "roof"))), ()),
        (with_marks, ()),
        (lambda folder: (pairs(folder / "data"), marked(folder / "s.toml", SPLIT)), ("--split", "s.toml")),
        (
            lambda folder: (pairs(folder / "data", blocks(0, 1)), marked(folder / "t.json", '{"classes": ["a", "b"]}')),
            ("--task", "t.json"),
        ),
    ],
    ids=["CVAT", "YOLO", "split", "task"],
)
def test_a_byte_order_mark_is_no_text(build: Callable[[Path], object], flags: tuple[str, ...], tmp_path: Path) -> None:
    build(tmp_path)
    done = run_here("patches", "make", "--src", "data", *flags, cwd=tmp_path)
    assert done.returncode == 0 and "4 images" in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TRACK, "annotations.xml: holds no <annotations> with <image>; export it as CVAT for images 1.1"),
        (
            cvat(NAMES, "roof").replace("</image>", "<cuboid label='x'/></image>"),
            "holds a cuboid, which covers no area",
        ),
    ],
    ids=["track", "cuboid"],
)
def test_what_covers_no_area_leads_to_the_export_that_does(text: str, said: str, tmp_path: Path) -> None:
    images(tmp_path / "data")
    write(tmp_path / "data/annotations.xml", text)
    assert_refused(run_here("patches", "make", "--src", "data", cwd=tmp_path), said)
    write(tmp_path / "data/annotations.xml", cvat(NAMES, "roof"))
    assert run_here("patches", "make", "--src", "data", cwd=tmp_path).returncode == 0


def test_a_value_that_no_mask_holds_is_answered_with_those_that_they_hold(tmp_path: Path) -> None:
    pairs(tmp_path / "data")
    done = run_here("patches", "make", "--src", "data", "--foreground", "7", cwd=tmp_path)
    assert_refused(
        done, "--foreground 7: no tile shows it; data/masks/a.png holds the values 0, 255; give what masks hold"
    )
    assert run_here("patches", "make", "--src", "data", "--foreground", "255", cwd=tmp_path).returncode == 0
