"""The files around the tiles: names, splits, tasks, manifests and options that people and programs write."""

from __future__ import annotations

import json
import tempfile
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep.patches.commands.shared import check_counts, check_size
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.opening import find_images
from sweep.patches.layouts.registry import recognise
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.splits.chosen import read_split
from sweep.patches.splits.parts import RasterPart
from sweep.patches.tasks import read_task
from tests.cases.test_image_files import picture
from tests.sweep.patches.test_patches import _refused, _run, _split_file
from trainables.data.centre import centre_window
from trainables.data.manifest import Manifest
from trainables.data.tiles import Tile, TuningData
from trainables.errors import DataError
from trainables.task import Task, parse_value

LEGEND = {"kind": "multiclass", "classes": ["ground", "roof", "water", "snow"]}
BOM = "\ufeff"
ABSURD = "\x1b[31m" + "x" * 5000


def sources(folder: Path, names: str = "abc", size: int = 96, value: int = 1) -> Path:
    for number, name in enumerate(names):
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        mask = np.zeros((size, size), np.uint8)
        mask[: size // 2] = value
        Image.fromarray(picture(96, 96, number)[:size, :size]).save(folder / f"images/{name}.png")
        Image.fromarray(mask).save(folder / f"masks/{name}.png")
    return folder


def found_in(folder: Path) -> Mapping[str, SourceRaster]:
    return recognise(Listing.walk(folder))[1].sources


def arguments(tmp_path: Path, **more: str) -> tuple[object, ...]:
    split = _split_file(tmp_path / "split.toml", train=["a"], val=["b"], test=["c"])
    flags = {"src": str(tmp_path / "in"), "dst": str(tmp_path / "out"), "split": str(split), "size": "96", **more}
    return ("make", *(word for flag, value in flags.items() for word in (f"--{flag}", value)))


def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
    (line,) = error.value.faults
    assert "\n" not in line and line.isprintable() and len(line) < 500
    return line


def test_two_images_of_one_name_are_a_fault_that_names_both(tmp_path: Path) -> None:
    folder = sources(tmp_path / "in")
    Image.fromarray(picture()).save(folder / "images/a.jpg")
    for find in (lambda: found_in(folder), lambda: find_images(Listing.walk(folder), folder)):
        with pytest.raises(DataError, match=r"images/a.png: same name as a.jpg, and only one can be meant"):
            find()


def test_two_scenes_that_make_one_name_are_a_fault_that_names_both(tmp_path: Path) -> None:
    for scene, name in (("s", "x_y"), ("s_x", "y")):
        for kind in ("images", "masks"):
            (tmp_path / scene / kind).mkdir(parents=True)
            (tmp_path / scene / kind / f"{name}.png").touch()
    with pytest.raises(DataError, match=r"s_x/images/y.png: makes the same name 's_x_y' as .*s/images/x_y.png"):
        found_in(tmp_path)


def test_what_macos_writes_is_no_other_tile(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "Dächer")
    folder = sources(tmp_path / "in", "bc")
    Image.fromarray(picture(96, 96)).save(folder / "images" / f"{unicodedata.normalize('NFD', composed)}.png")
    Image.fromarray(np.zeros((96, 96), np.uint8)).save(folder / "masks" / f"{composed}.png")
    for kind in ("images", "masks"):
        (folder / kind / "._b.png").write_bytes(b"\0\5\26\7")
        (folder / kind / ".DS_Store").write_bytes(b"")
    found = found_in(folder)
    assert sorted(found) == sorted([composed, "b", "c"])
    split = _split_file(tmp_path / "s.toml", train=[unicodedata.normalize("NFD", "Dä*")], val=["b"], test=["c"])
    assert read_split(str(split), found)["train"] == [RasterPart(source=composed)]


def test_a_ready_pair_of_one_name_in_two_forms_is_a_pair(dataset: Path) -> None:
    for kind, form in (("images", "NFD"), ("masks", "NFC")):
        path = dataset / "train" / kind / "t1.png"
        path.rename(path.with_name(f"{unicodedata.normalize(form, 'ä')}.png"))  # type: ignore[arg-type]
    assert unicodedata.normalize("NFC", "ä") in [tile.name for tile in TuningData.read(dataset).train]


def test_a_folder_that_does_not_fit_is_described(tmp_path: Path) -> None:
    for name in ("train/image", "train/label"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds no file; name the folder that holds the images"):
        found_in(tmp_path)
    (tmp_path / "train/image/a.heic").touch()
    with pytest.raises(DataError, match=r"holds no image .*, but 1 .heic; put the labelled images there"):
        find_images(Listing.walk(tmp_path / "train/image"), tmp_path)
    folder = sources(tmp_path / "in")
    (folder / "masks/a.png").rename(folder / "masks/a.heic")
    with pytest.raises(
        DataError, match=r"images/a.png: has no mask a.\* in .*, only a.heic, which is not read; save it as"
    ):
        found_in(folder)


def test_a_byte_order_mark_of_windows_changes_nothing(tmp_path: Path, dataset: Path) -> None:
    (tmp_path / "task.json").write_text(BOM + json.dumps(LEGEND), encoding="utf-8")
    assert read_task(tmp_path / "task.json").classes == tuple(LEGEND["classes"])
    (tmp_path / "split.toml").write_text(BOM + 'train = ["a"]\nval = ["b"]\ntest = ["c"]', encoding="utf-8")
    assert read_split(str(tmp_path / "split.toml"), "abc") == {
        split: [RasterPart(source=name)] for split, name in (("train", "a"), ("val", "b"), ("test", "c"))
    }
    manifest = Manifest(name="n", origin="", licence="", version="1", synthetic=False, splits={}, files={})
    manifest.write(dataset)
    path = dataset / "manifest.json"
    path.write_text(BOM + path.read_text(), encoding="utf-8")
    assert Manifest.read(dataset) == manifest


@pytest.mark.parametrize(
    "values",
    [
        [],
        {"classes": "roof"},
        {"classes": [1, 2]},
        {"classes": ["a", ABSURD]},
        {"ignores": "perhaps"},
        {"remap": {"1": ["a"]}},
        {"remap": {"9" * 5000: "foreground"}},
        {"remap": {"1": "foreground", "01": "background"}},
        {"colours": [[0, 0, 1e300], [1, 1, 1]]},
        {"kind": {}},
        {ABSURD: 1},
    ],
)
def test_a_bad_task_is_one_line(tmp_path: Path, values: Any) -> None:
    (tmp_path / "t.json").write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        read_task(tmp_path / "t.json")
    assert "t.json" in one_line(caught)


def test_ignores_is_read_as_it_is_written(tmp_path: Path) -> None:
    for text, expected in (("false", False), ("true", True), ('"false"', False)):
        (tmp_path / "t.json").write_text(f'{{"ignores": {text}}}')
        assert read_task(tmp_path / "t.json").ignores is expected
    assert parse_value("٣") is not None


@pytest.mark.parametrize(
    "text",
    ["train = 1", 'train = ["a"]\nval = [1]\ntest = ["c"]', "a = " + "[" * 5000, "train = [" + "9" * 5000 + "]", "\0"],
)
def test_a_bad_split_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(DataError) as caught:
        read_split(str(tmp_path / "s.toml"), "abc")
    assert "s.toml: no split" in one_line(caught)


def test_a_split_of_100_000_names_takes_seconds(tmp_path: Path) -> None:
    names = [f"tile_{number}" for number in range(100_000)]
    _split_file(tmp_path / "s.toml", train=names[:-2], val=names[-2:-1], test=names[-1:])
    began = time.process_time()
    assert len(read_split(str(tmp_path / "s.toml"), names)["train"]) == 99_998
    assert time.process_time() - began < 10
    _split_file(tmp_path / "s.toml", train=[f"{number}*" for number in range(2000)], val=["a"], test=["b"])
    with pytest.raises(DataError, match=r"holds more than 1,000 patterns"):
        read_split(str(tmp_path / "s.toml"), names)


def _manifest(root: Path, **changes: Any) -> Path:
    values = {
        "format": 1,
        "name": "n",
        "origin": "o",
        "licence": "l",
        "version": "1",
        "synthetic": True,
        "splits": {"train": ["a"]},
        "files": {},
    }
    path = root / "manifest.json"
    path.write_text(json.dumps({**values, **changes}))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "new"},
        {"name": 3},
        {"name": ABSURD},
        {"name": "\ud800"},
        {"synthetic": [1]},
        {"splits": ["a"]},
        {"splits": {"train": [1]}},
        {"splits": {"train": [ABSURD]}},
        {"files": {"a": {"sha256": 5}}},
        {"files": {"a": {"width": 5}}},
        {"files": {"x/" * 5000: {"sha256": "0"}}},
        {"files": {"x" * 300: {"sha256": "0"}}},
        {"files": {"a\0": {"sha256": "0"}}},
        {"files": {"/etc/passwd": {"sha256": "0"}}},
        {"files": {"": {"sha256": "0"}}},
        {"ground_sample_distance_m": float("nan")},
        {"ground_sample_distance_m": -1},
        {"leaks": {"first": "a"}},
        {"leaks": [{"first": "a"}]},
        {"task": {"classes": 1}},
        {"task": []},
        {ABSURD: 1},
    ],
)
def test_a_bad_manifest_is_one_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = _manifest(tmp_path, **changes)
    with pytest.raises(DataError) as caught:
        Manifest.read(tmp_path)
    assert one_line(caught).startswith(f"{path}: ")


def test_a_manifest_of_100_000_files_takes_seconds(tmp_path: Path) -> None:
    files = {f"train/images/tile_{number}.jpg": {"sha256": "0" * 64, "width": 64} for number in range(100_000)}
    _manifest(tmp_path, splits={"train": [f"tile_{number}" for number in range(100_000)]}, files=files)
    began = time.process_time()
    manifest = Manifest.read(tmp_path)
    assert manifest is not None and len(manifest.files) == 100_000
    assert time.process_time() - began < 10


def test_classes_that_no_train_tile_shows_are_named_and_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources(tmp_path / "in")
    (tmp_path / "t.json").write_text(json.dumps(LEGEND))
    made = (*arguments(tmp_path), "--task", tmp_path / "t.json")
    for words in (made, ("check", "--patches", tmp_path / "out")):
        assert _run(*words) == 0
        assert "no train tile shows water, snow: nothing can learn that" in " ".join(capsys.readouterr().out.split())
    assert TuningData.read(tmp_path / "out").absent_classes == ("water", "snow")
    sources(tmp_path / "in", value=0)
    shown = "train: shows only class 'ground' of ground, roof, water, snow; move tiles that show another one there"
    _refused(shown, *made, "--force")


def test_check_shows_ten_faults_and_a_file_has_all(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for split in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (tmp_path / "d" / split / kind).mkdir(parents=True)
    for number in range(12):
        (tmp_path / "d" / "train" / "images" / f"n{number}.txt").write_text("")
    assert _run("check", "--patches", tmp_path / "d") == 2
    (file,) = (tmp_path / "temporary").iterdir()
    listed = file.read_text(encoding="utf-8").splitlines()
    assert sum("n1" in line for line in listed) == 3 and len(listed) == 12
    assert f"and {len(listed) - 10} more; all {len(listed)} are in {file}" in capfd.readouterr().out


def test_ten_faults_are_shown_and_a_file_has_all(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    sources(tmp_path / "in")
    split = _split_file(tmp_path / "s.toml", train=[f"x{number}" for number in range(30)], val=["b"], test=["c"])
    assert _run(*arguments(tmp_path, split=str(split))) == 2
    lines = capfd.readouterr().err.splitlines()
    (file,) = (tmp_path / "temporary").iterdir()
    assert len(lines) == 11 and lines[-1] == f"error: and 21 more; all 31 are in {file}"
    listed = file.read_text(encoding="utf-8").splitlines()
    assert len(listed) == 31 and [f"error: {line}" for line in listed[:10]] == lines[:10]
    assert _run(*arguments(tmp_path, split=str(split)), "--json") == 2
    (end,) = [one for one in map(json.loads, capfd.readouterr().out.splitlines()) if one["event"] == "end"]
    assert len(end["errors"]) == 31


def test_an_image_smaller_than_a_tile_is_padded_with_pixels_that_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources(tmp_path / "in")
    sources(tmp_path / "in", "b", size=80)
    sources(tmp_path / "in", "c", size=48)
    assert _run(*arguments(tmp_path)) == 0
    padded = 96**2 - 80**2 + 64**2 - 48**2
    share = padded / (2 * 96**2 + 64**2)
    assert f"padded: 2 of 3 tiles, {share:.1%} of all pixels, which do not count" in capsys.readouterr().out
    data = TuningData.read(tmp_path / "out")
    assert data.task.ignores and data.val[0].mask.shape == (96, 96)
    assert (data.val[0].mask[80:] == 255).all() and (data.val[0].mask[:80, 80:] == 255).all()
    assert not (data.val[0].mask[:80, :80] == 255).any() and not (data.train[0].mask == 255).any()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("size", "9" * 30),
        ("size", "99968"),
        ("gsd", "nan"),
        ("gsd", "inf"),
        ("gsd", "-1"),
        ("title", ABSURD),
        ("nudge", "a=" + "9" * 5000 + ",1"),
        ("foreground", "9" * 5000),
    ],
)
def test_absurd_options_are_one_line_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    began = time.process_time()
    assert _run(*arguments(tmp_path, **{flag: value})) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --{flag}") and len(line) < 300 and line.isprintable()
    assert time.process_time() - began < 5 and not (tmp_path / "out").exists()


def test_numbers_of_tiles_have_an_upper_bound() -> None:
    for counts in ((10**9, 1, 1), (10**300, 1, 1), (1, 1), (1, 0, 1), (1,) * 100_000):
        with pytest.raises(DataError, match="give three counts of at least 1, 100,000 together at most") as caught:
            check_counts(counts, "3,1,1")
        one_line(caught)
    check_counts((99_998, 1, 1), "3,1,1")
    check_size(16_384)


def test_an_absurd_subset_is_refused_before_a_file_is_opened(tmp_path: Path) -> None:
    for value, bound in (("0", "least 3"), ("-5", "least 3"), ("1000000000", "most 100,000")):
        words = ("import-pets", "--src", tmp_path / "no", "--dst", tmp_path / "out", "--subset", value)
        _refused(f"--subset {value}: must be at {bound}", *words)


def test_masks_of_a_task_with_a_name_beyond_ascii_round_trip(tmp_path: Path) -> None:
    task = Task(kind="multiclass", classes=("Boden", "Dächer"))
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


def test_the_window_that_judges_an_epoch_holds_a_pixel_that_counts() -> None:
    mask = np.full((256, 192), 255, np.uint8)
    mask[:8, 150:] = 1
    image = np.random.default_rng(0).integers(0, 256, (256, 192, 3), dtype=np.uint8)
    window = centre_window(Tile(name="t", image=image, mask=mask), 64)
    assert window.mask.shape == (64, 64) and (window.mask == 1).any()
    assert np.array_equal(window.image, image[:64, 118:182])  # around row 7, column 150
    mask[128, 96] = 0
    centred = centre_window(Tile(name="t", image=image, mask=mask), 64)
    assert np.array_equal(centred.image, image[96:160, 64:128])
