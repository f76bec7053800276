"""Several processes at one map: each row is predicted once, none is lost, and the map is that of one process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sweep.predict.claims import Claims, GoneError, chunks_of
from sweep.predict.cover import Cover
from sweep.predict.mapper import Mapper, Part
from sweep.predict.parts import Parts
from sweep.rasters.opening import open_raster
from tests.rasters import write_tif
from tests.sweep.predict.test_predict import redness
from trainables.errors import ExperimentError

JOB = {"job": "one"}


def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(1, 256, (1000, 300, 3), dtype=np.uint8)


def fill(path: Path, folder: Path, pause: float = 0.0) -> list[tuple[int, int]]:
    """Do a process's share of a map; returns its parts, rows of windows and numbers of stripes."""
    made = []

    def forward(images: torch.Tensor) -> torch.Tensor:
        time.sleep(pause)
        return redness(images)

    with open_raster(str(path)) as raster:
        cover = Cover.of(raster.height, raster.width, 64, 200)
        parts = Parts(folder, cover, JOB)
        mapper = Mapper(
            forward=forward,
            device=torch.device("cpu"),
            batch_size=3,
            threshold=0.5,
            progress=lambda _: None,
        )
        claims = Claims(parts, cover)
        with parts.at_work():
            for stripe, first, rows in claims.streams():
                for part in mapper.predict(raster, cover, stripe, first, rows):
                    parts.add(part)
                    claims.finished(part)
                    made.append((part.row, stripe.number))
    return made


def whole(folder: Path) -> NDArray[np.uint8]:
    import rasterio

    cover = Cover.of(1000, 300, 64, 200)
    found = np.full((1000, 300), 9, np.uint8)
    for stripe in cover.stripes:
        for row in range(len(cover.rows.starts)):
            with rasterio.open(folder / f"row{row:06d}-stripe{stripe.number:03d}.tif") as file:
                found[slice(*cover.finished(row)), slice(*stripe.own)] = file.read(1)
    return found


def test_claims_are_the_cover_cut_in_order() -> None:
    cover = Cover.of(20_000, 40_000, 256)
    chunks = chunks_of(cover)
    assert len(cover.stripes) == 3 and max(len(one.rows) for one in chunks) == 13
    rows = [(one.stripe.number, row) for one in chunks for row in one.rows]
    assert rows == [(stripe, row) for stripe in range(3) for row in range(len(cover.rows.starts))]
    assert len(chunks_of(Cover.of(64, 64, 64))) == 1
    assert len(chunks_of(Cover.of(100_000, 64, 64))[0].rows) == 16


def test_one_process_predicts_every_row_once_from_top_to_bottom(tmp_path: Path) -> None:
    made = fill(write_tif(tmp_path / "a.tif", image()), tmp_path / ".a.parts")
    rows = len(Cover.of(1000, 300, 64, 200).rows.starts)
    assert made == [(row, stripe) for stripe in range(2) for row in range(rows)]
    assert np.array_equal(whole(tmp_path / ".a.parts"), image()[..., 0] >= 128)


def test_several_predict_every_row_once_between_them(tmp_path: Path) -> None:
    path, folder = write_tif(tmp_path / "a.tif", image()), tmp_path / ".a.parts"
    Parts(folder, Cover.of(1000, 300, 64, 200), JOB)  # a command makes it while it holds the raster's lock
    with ThreadPoolExecutor(3) as pool:
        made = [future.result() for future in [pool.submit(fill, path, folder, 0.01) for _ in range(3)]]
    assert all(made)
    counts = Counter(part for one in made for part in one)
    assert set(counts.values()) == {1}
    assert np.array_equal(whole(folder), image()[..., 0] >= 128)


def test_who_comes_later_begins_in_the_middle_of_what_is_free(tmp_path: Path) -> None:
    cover = Cover.of(6000, 64, 64)
    folder = tmp_path / ".a.parts"
    first, second = (Claims(Parts(folder, cover, JOB), cover) for _ in range(2))
    one, other = first.streams(), second.streams()
    _, begin, rows = next(one)
    assert begin == 0 and next(rows) == 0
    _, later, _ = next(other)
    assert later > len(cover.rows.starts) // 3


def test_rows_of_a_dead_process_are_taken_over_and_what_it_finished_is_kept(tmp_path: Path) -> None:
    """A claim that nobody holds any more is free again; who waits for it takes it."""
    path, folder = write_tif(tmp_path / "a.tif", image()), tmp_path / ".a.parts"
    cover = Cover.of(1000, 300, 64, 200)
    dead = Claims(Parts(folder, cover, JOB), cover)
    stream = dead.streams()
    stripe, _, rows = next(stream)
    assert [next(rows) for _ in range(4)] == [0, 1, 2, 3]
    nothing = np.zeros((1, 1), np.uint8)
    part = Part(row=0, stripe=stripe, rows=cover.finished(0), mask=nothing, probability=nothing)
    Parts(folder, cover, JOB).add(part)
    made: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: made.extend(fill(path, folder)))
    thread.start()
    total = len(cover.rows.starts) * len(cover.stripes)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("row*.tif"))) < total - 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert thread.is_alive() and not {(row, 0) for row in range(4)} & set(made), "claimed by one that lives"
    stream.close()
    thread.join(60)
    assert len(made) == total - 1 and (0, 0) not in made


def test_parts_that_others_fill_are_not_thrown_away_by_another_job(tmp_path: Path) -> None:
    cover, folder = Cover.of(64, 64, 64), tmp_path / "out" / ".a.parts"
    with Parts(folder, cover, JOB).at_work(), pytest.raises(ExperimentError, match="predicts a there in another way"):
        Parts(folder, cover, {"job": "two"})
    Parts(folder, cover, {"job": "two"})


def test_a_map_that_another_process_has_finished_meanwhile_is_noticed(tmp_path: Path) -> None:
    cover, folder = Cover.of(1000, 64, 64), tmp_path / "out" / ".a.parts"
    parts = Parts(folder, cover, JOB)
    stream = Claims(parts, cover).streams()
    _, _, rows = next(stream)
    Parts(folder, cover, JOB).remove()
    with pytest.raises(GoneError):
        list(rows)
    with pytest.raises(GoneError):
        next(stream)
    assert not folder.exists()
