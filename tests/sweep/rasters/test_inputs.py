"""Which rasters a prediction is made of: files, folders, patterns, addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.rasters.inputs import find_inputs
from trainables.errors import TilesweepError


def test_inputs_are_files_folders_globs_and_addresses_in_natural_order(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a10.tif", "a2.png", "b.JPG", "notes.txt"):
        (folder / name).touch()
    (tmp_path / "single.tif").touch()
    out = tmp_path / "out"
    found = find_inputs([str(folder), str(tmp_path / "single.tif"), "s3://bucket/far.tif"], out)
    assert [one.name for one in found] == ["a2", "a10", "b", "single", "far"]
    assert [one.name for one in find_inputs([f"{folder}/a*.*"], out)] == ["a2", "a10"]
    assert found[-1].is_remote and not found[0].is_remote


def test_inputs_that_cannot_be_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    out = tmp_path / "out"
    for inputs, said in (
        ([str(tmp_path / "none.tif")], "no such file"),
        ([str(folder)], "holds no image"),
        ([f"{folder}/*.tif"], "matches no file"),
        ([], "INPUT"),
    ):
        with pytest.raises(TilesweepError, match=said):
            find_inputs(inputs, out)
    for name in ("x.tif", "x.png"):
        (folder / name).touch()
    with pytest.raises(TilesweepError, match=r"x.tif: its results would be called like those of .*x.png"):
        find_inputs([str(folder)], out)
    for inside in (folder, folder / "deep" / "out"):
        with pytest.raises(TilesweepError, match="inside the input folder"):
            find_inputs([str(folder)], inside)
