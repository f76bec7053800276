"""Polygons are painted as pycocotools paints them, whatever they look like, in bounded memory and time."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from sweep.patches.labels import painting
from sweep.patches.labels.painting import MaskCanvas, clip
from sweep.patches.labels.shapes import Outline
from sweep.patches.rasters.area import Area
from trainables.errors import DataError

SIDE = 64


def _by_pycocotools(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    """Decode a polygon in the whole image."""
    return np.asarray(coco.decode(coco.frPyObjects([polygon.ravel().tolist()], height, width))[..., 0])


def _painted(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    canvas = MaskCanvas((height, width), Area.whole((height, width)), "here")
    canvas.paint(Outline(ring=polygon), 1)
    return canvas.mask


@pytest.mark.parametrize("decimals", [0, 1, 2, 6])
def test_every_pixel_is_that_of_pycocotools(decimals: int) -> None:
    """Coordinates such as 95.1 round to fifths of a pixel, and an edge through a centre is on one side of it."""
    random = np.random.default_rng(decimals)
    for _ in range(500):
        height, width = random.integers(1, 130, 2)
        corners = random.integers(3, 9)
        low, high = sorted(random.uniform(-40, 140, 2))
        polygon = random.uniform(low, high + 5, (corners, 2)).round(decimals)
        assert np.array_equal(_painted(polygon, height, width), _by_pycocotools(polygon, height, width)), polygon


def test_a_clipped_polygon_holds_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers with edges through the border at fifths of a pixel leave nothing to round."""
    monkeypatch.setattr(painting, "PLENTY", 0)
    for box in ([(-900, -800), (30, -800), (30, 20), (-900, 20)], [(-5, 60), (900, 60), (900, 900), (-5, 900)]):
        polygon = np.array(box, dtype=float)
        assert np.array_equal(_painted(polygon, SIDE, SIDE), _by_pycocotools(polygon, SIDE, SIDE))
    random = np.random.default_rng(1)
    differing = 0
    for _ in range(2_000):
        polygon = random.uniform(-200, 264, (random.integers(3, 9), 2)).round(1)
        expected = _by_pycocotools(polygon, SIDE, SIDE)
        wrong = _painted(polygon, SIDE, SIDE) != expected
        differing += int(wrong.sum())
        rows, columns = np.nonzero(wrong)
        for row, column in zip(rows, columns, strict=True):  # only where the outline all but touches the centre
            assert _distance(polygon, column + 0.5, row + 0.5) < 0.3
    assert differing < 2_000 * SIDE * SIDE * 0.002


def _distance(polygon: np.ndarray, x: float, y: float) -> float:
    """Return the distance of a point from the nearest edge."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    along = end - start
    share = np.clip(((np.array((x, y)) - start) * along).sum(1) / np.maximum((along**2).sum(1), 1e-9), 0, 1)
    return float(np.hypot(*(start + share[:, None] * along - (x, y)).T).min())


def test_clipping_keeps_what_is_inside_and_drops_what_is_not() -> None:
    inside = np.array([(1.0, 1.0), (60.0, 1.0), (30.0, 60.0)])
    assert np.array_equal(clip(inside, SIDE, SIDE), inside)
    assert len(clip(inside + 500, SIDE, SIDE)) == 0
    around = np.array([(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)])
    assert {tuple(corner) for corner in clip(around, SIDE, SIDE)} == {(-1, -1), (65, -1), (65, 65), (-1, 65)}


def test_an_outline_that_stays_too_long_is_one_line() -> None:
    zigzag = np.array([(-1e6 if number % 2 else 1e6, number % 60) for number in range(100_000)], dtype=float)
    started = time.process_time()
    with pytest.raises(DataError, match="outline is more than 5,000,000 pixels long"):
        _painted(zigzag, SIDE, SIDE)
    assert time.process_time() - started < 10


def test_shapes_that_cover_an_image_again_and_again_are_one_line() -> None:
    canvas = MaskCanvas((SIDE, SIDE), Area.whole((SIDE, SIDE)), "here")
    whole = np.array([(0.0, 0.0), (64.0, 0.0), (64.0, 64.0), (0.0, 64.0)])
    with pytest.raises(DataError, match="cover it more than 1,000 times"):
        for _ in range(1_001):
            canvas.paint(Outline(ring=whole), 1)


@pytest.mark.parametrize("vertices", [20, 200, 2_000])
def test_a_file_that_took_all_memory_takes_little(tmp_path: Path, vertices: int) -> None:
    """The real command, with 3 GB of address space."""
    (tmp_path / "images").mkdir()
    for name in "abc":
        noise = np.random.default_rng(ord(name)).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{name}.png")
    points = ";".join(f"{-(10**6) if number % 2 == 0 else 10**6},{number % 60}" for number in range(vertices))
    empty = "".join(f'<image name="{name}.png" width="64" height="64"/>' for name in "bc")
    polygon = f'<polygon label="roof" points="{points}" z_order="0"/>'
    image = f'<image name="a.png" width="64" height="64">{polygon}</image>'
    (tmp_path / "labels.xml").write_text(f"<annotations>{image}{empty}</annotations>")
    (tmp_path / "split.toml").write_text('train = ["a"]\nval = ["b"]\ntest = ["c"]\n')
    command = [sys.executable, "-m", "sweep.patches", "make", "--src", str(tmp_path), "--dst", str(tmp_path / "out")]
    more = ["--size", "64", "--split", str(tmp_path / "split.toml"), "--labels", str(tmp_path / "labels.xml")]
    limit = 3 * 2**30
    done = subprocess.run(
        [*command, *more],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr, done.stderr
    if done.returncode:
        assert done.stderr.startswith("error: ")
    assert not list(tmp_path.glob(".out*"))
