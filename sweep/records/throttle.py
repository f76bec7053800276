"""Work of the driver that grows with the number of trials, done only as often as it is cheap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.05
"""Part of the driver's time that one such work may take."""


class Throttle:
    """Spaces out work so that it takes no more than a share of the time, however long it takes."""

    def __init__(self) -> None:
        self._not_before = 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed since it was done last."""
        return time.monotonic() >= self._not_before

    @contextmanager
    def done(self) -> Iterator[None]:
        """Do it in the block."""
        started = time.monotonic()
        yield
        ended = time.monotonic()
        self._not_before = ended + (ended - started) * (1 / SHARE - 1)
