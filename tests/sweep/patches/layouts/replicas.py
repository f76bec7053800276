"""Tiny replicas of published datasets, and the comparison of what ``make`` writes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.command import COMMAND
from tests.rasters import write_tif

Mask = NDArray[np.uint8]
SIDE = 64
SPLITS = ("train", "val", "test")


def photo(seed: int) -> Mask:
    """Return (64, 64, 3) uint8 of patches that no other seed gives."""
    random = np.random.default_rng(seed)
    return np.asarray(Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((SIDE, SIDE)))


def areas(seed: int, values: Sequence[int]) -> Mask:
    """Return (64, 64) uint8 in which each of the values has a block of pixels."""
    blocks = np.resize(np.asarray(values, np.uint8), (8, 8))
    return np.kron(np.random.default_rng(seed).permuted(blocks.ravel()).reshape(8, 8), np.ones((8, 8), np.uint8))


def shown(mask: Mask, colours: Sequence[Sequence[int]], ignored: Sequence[int] = (0, 0, 0)) -> Mask:
    """Return a mask in colours, (64, 64, 3) uint8."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(colours)] = colours
    table[255] = ignored
    return table[mask]


def put(path: Path, pixels: Mask, *, palette: Sequence[int] | None = None, **how: Any) -> Path:
    """Write a raster in the format that the name's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        return write_tif(path, pixels if pixels.ndim == 3 else pixels[..., None], **how)
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture = Image.fromarray(pixels, "P")
        picture.putpalette(list(palette))
    picture.save(path, **how)
    return path


def text(path: Path, *lines: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def run(*arguments: object) -> tuple[int, str, str]:
    """Run ``python -m sweep.patches`` here; gives its exit code, and what it said on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as caught:
        COMMAND.run([*map(str, arguments)])
    return int(caught.value.code or 0), " ".join(out.getvalue().split()), err.getvalue()


def written(root: Path) -> dict[str, dict[str, Mask]]:
    """Return the masks of a dataset: split to tile name to class indices, with 1 for 255 where there is no task."""
    task = json.loads((root / "manifest.json").read_text())["task"]
    plain = task["kind"] == "binary" and not task["ignores"]
    return {split: dict(_masks(root / split / "masks", plain)) for split in SPLITS}


def _masks(folder: Path, plain: bool) -> Iterator[tuple[str, Mask]]:
    for path in sorted(folder.iterdir()):
        mask = np.asarray(Image.open(path))
        yield path.stem, (mask // 255 if plain else mask)


def compare(root: Path, expected: Mapping[str, Mapping[str, Mask]]) -> None:
    """Compare a dataset's tiles with arrays: names, splits and every pixel."""
    found = written(root)
    assert {split: sorted(tiles) for split, tiles in found.items()} == {
        split: sorted(expected.get(split, ())) for split in SPLITS
    }
    for split, tiles in expected.items():
        for name, mask in tiles.items():
            np.testing.assert_array_equal(found[split][name], mask, err_msg=f"{split}/{name}")


def make(tmp_path: Path, source: Path, expected: Mapping[str, Mapping[str, Mask]], *flags: object) -> str:
    """Make a dataset of whole images, divided as expected; compare it with arrays, and return what was said."""
    split = tmp_path / "split.toml"
    text(split, *(f"{name} = {json.dumps(list(expected.get(name, {})))}" for name in SPLITS))
    return make_as_it_is(tmp_path, source, expected, "--split", split, *flags)


def make_as_it_is(tmp_path: Path, source: Path, expected: Mapping[str, Mapping[str, Mask]], *flags: object) -> str:
    """Make a dataset of whole images in the split that is published; compare it, and return what was said."""
    root = tmp_path / "tiles"
    code, said, error = run("make", "--src", source, "--dst", root, "--size", SIDE, *flags)
    assert code == 0, error
    compare(root, expected)
    if "--split" not in flags:
        assert json.loads((root / "manifest.json").read_text())["split_origin"] == "published"
    return said
