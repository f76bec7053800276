"""How many tiles that show the same ground are found among many, and in what time.

Run with ``python -m benchmarks.leaks``; about two minutes on two CPU cores. A tile is the middle of a drawn scene of
roofs. Another one is made from each of some scenes: moved, turned, mirrored, brighter, larger or saved again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report
from sweep.machine.threads import in_threads
from sweep.patches.checks.leaks import find_leaks
from sweep.patches.checks.tiles import checked
from sweep.patches.synthetic import draw_scene
from trainables.data.tiles import Tile, TileFiles

Picture = NDArray[np.uint8]
SCENE = 512
"""Pixels of a drawn scene, of which a tile is the middle."""


def _middle(scene: Picture, right: int = 0, down: int = 0) -> Picture:
    side = SCENE // 4
    return scene[side + down : 3 * side + down, side + right : 3 * side + right]


def _saved_again(scene: Picture) -> Picture:
    packed = cv2.imencode(".jpg", _middle(scene), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _larger(scene: Picture) -> Picture:
    big = cv2.resize(scene, (SCENE * 5 // 4, SCENE * 5 // 4), interpolation=cv2.INTER_CUBIC)
    start = (len(big) - SCENE // 2) // 2
    return np.asarray(big[start : start + SCENE // 2, start : start + SCENE // 2], np.uint8)


KINDS: MappingProxyType[str, Callable[[Picture], Picture]] = MappingProxyType(
    {
        "half of it moved away": lambda scene: _middle(scene, right=128),
        "a quarter in common": lambda scene: _middle(scene, right=128, down=128),
        "moved and turned by 90 degrees": lambda scene: np.rot90(_middle(scene, right=96)),
        "moved and mirrored": lambda scene: _middle(scene, down=96)[:, ::-1],
        "moved and brighter": lambda scene: np.uint8(np.clip(_middle(scene, 64, 64) * 1.3, 0, 255)),
        "larger by a quarter": _larger,
        "saved again": _saved_again,
    }
)


def draw(number: int) -> tuple[Picture, Picture | None]:
    """Draw a scene's tile, and for every other scene the tile that shows the same ground."""
    scene, _ = draw_scene(number, size=SCENE)
    other = None if number % 2 else [*KINDS.values()][number // 2 % len(KINDS)](scene)
    return _middle(scene), other


def run(count: int) -> None:
    """Measure once."""
    with ProcessPoolExecutor() as pool:
        drawn = list(pool.map(draw, range(count * 2 // 3)))

    def files() -> Iterator[TileFiles]:
        for number, pictures in enumerate(drawn):
            for name, picture in zip((f"{number}", f"{number}b"), pictures, strict=True):
                if picture is not None:
                    tile = Tile(
                        name=name, image=np.ascontiguousarray(picture), mask=np.zeros(picture.shape[:2], np.uint8)
                    )
                    yield TileFiles(tile=tile, image=name, mask=name, image_sha256=name, mask_sha256=name)

    began, cpu = time.perf_counter(), time.process_time()
    tiles = list(in_threads(lambda one: checked(one, viewed=True), files()))
    apart = {"train": [one for one in tiles if not one.name.endswith("b")]}
    apart["val"] = [one for one in tiles if one.name.endswith("b")]
    leaks = {(leak.first, leak.second) for leak in find_leaks(apart, {})}
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    report = Report(name="leaks")
    what = f"{len(tiles)} tiles of {SCENE // 2} px"
    report.note(f"{what}, all compared with all: seconds, CPU seconds", [took, cpu])
    for place, kind in enumerate(KINDS):
        pairs = {(f"{number}", f"{number}b") for number in range(2 * place, len(drawn), 2 * len(KINDS))}
        report.note(f"{what}, {kind}: found", f"{len(pairs & leaks)} of {len(pairs)}")
    report.note(f"{what}: pairs found that were not made", len([one for one in leaks if f"{one[0]}b" != one[1]]))
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="tiles")
    run(parser.parse_args().count)
