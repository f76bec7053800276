"""Several processes at one map: each row of windows is predicted by one of them, and a dead one's are taken over."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from sweep.predict.cover import Cover, Stripe
from sweep.predict.mapper import Part
from sweep.predict.parts import Parts, write_faults

MOST_ROWS, LEAST_CHUNKS = 16, 8
"""Rows of windows that are claimed at a time at most, and into how many claims a stripe is cut if it has the rows."""
POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Rows of windows that are claimed together.

    Attributes:
        stripe: Where they are.
        rows: Their numbers.
    """

    stripe: Stripe
    rows: range


def chunks_of(cover: Cover) -> list[Chunk]:
    """Cut a cover into what is claimed: from top to bottom, stripe by stripe."""
    count = len(cover.rows.starts)
    size = min(MOST_ROWS, -(-count // LEAST_CHUNKS))
    return [
        Chunk(stripe=stripe, rows=range(first, min(first + size, count)))
        for stripe in cover.stripes
        for first in range(0, count, size)
    ]


class GoneError(Exception):
    """The parts are not there any more: another process has finished the map, or thrown its parts away."""


class Claims:
    """What this process predicts of a map, by locks beside its parts; the system frees those of a dead process.

    A process works from row to row as long as nobody else has claimed the next ones, because each beginning costs the
    row above again. Who comes while others work begins in the middle of the longest stretch that is free.

    Args:
        parts: The map's parts.
        cover: How windows cover the raster.
    """

    def __init__(self, parts: Parts, cover: Cover) -> None:
        self._parts = parts
        self._chunks = chunks_of(cover)
        self._held: dict[int, FileLock] = {}

    def streams(self) -> Iterator[tuple[Stripe, int, Iterator[int]]]:
        """Yield what to predict until nothing is missing: a stripe, the first row, and all rows, in order.

        Rows are claimed as they are asked for. Where all that is missing is claimed by others, this waits.

        Raises:
            GoneError: See there.
            StorageError: The folder cannot be written.
        """
        try:
            while missing := self._missing():
                number = self._take(missing)
                if number is None:
                    time.sleep(POLL_SECONDS)
                    continue
                first = self._first_missing(number)
                yield self._chunks[number].stripe, first, self._rows(number, first)
        finally:
            for number in list(self._held):
                self._release(number)

    def finished(self, part: Part) -> None:
        """Give a claim back when its last part has been written."""
        for number in list(self._held):
            chunk = self._chunks[number]
            if chunk.stripe.number == part.stripe.number and chunk.rows[-1] == part.row:
                self._release(number)

    def _rows(self, number: int, first: int) -> Iterator[int]:
        """Yield rows from one on; where a claim ends, the next one is claimed if it is free and nothing of it done."""
        while True:
            yield from range(first, self._chunks[number].rows.stop)
            number += 1
            if number == len(self._chunks) or self._chunks[number].stripe != self._chunks[number - 1].stripe:
                return
            first = self._chunks[number].rows.start
            if self._first_missing(number) != first or not self._claim(number):
                return
            if self._first_missing(number) != first:  # another one was faster
                self._release(number)
                return

    def _take(self, missing: list[int]) -> int | None:
        """Claim a chunk; None where others have all that is missing."""
        free = [number for number in missing if self._is_free(number)]
        runs = [
            [number for _, number in run]
            for _, run in itertools.groupby(enumerate(free), lambda pair: pair[1] - pair[0])
        ]
        for run in sorted(runs, key=len, reverse=True):
            follows = run[0] - 1 in missing  # and not free: somebody is on the way to it
            for number in (run[len(run) // 2] if follows else run[0], *run):
                if self._claim(number):
                    if self._first_missing(number) < self._chunks[number].rows.stop:
                        return number
                    self._release(number)
        return None

    def _missing(self) -> list[int]:
        if not self._parts.is_there:
            raise GoneError
        done = self._parts.finished()
        return [
            number
            for number, chunk in enumerate(self._chunks)
            if not all((row, chunk.stripe.number) in done for row in chunk.rows)
        ]

    def _first_missing(self, number: int) -> int:
        """Return the first row of a chunk without a part; the one after its last row where it has all."""
        chunk = self._chunks[number]
        return next((row for row in chunk.rows if not self._parts.has(row, chunk.stripe)), chunk.rows.stop)

    def _is_free(self, number: int) -> bool:
        if free := self._claim(number):
            self._release(number)
        return free

    def _claim(self, number: int) -> bool:
        lock = FileLock(self._lock_of(number))
        with write_faults(self._parts.folder):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return False
        self._held[number] = lock
        if not self._parts.is_there:  # the lock has made its folder again
            self._release(number)
            self._parts.forget(self._lock_of(number))
            raise GoneError
        return True

    def _release(self, number: int) -> None:
        self._held.pop(number).release()

    def _lock_of(self, number: int) -> Path:
        chunk = self._chunks[number]
        return self._parts.folder / f"stripe{chunk.stripe.number:03d}-row{chunk.rows.start:06d}.lock"
