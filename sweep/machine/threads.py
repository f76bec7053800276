"""Work that leaves Python's lock, such as OpenCV's, Pillow's and GDAL's, done by several threads in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sweep.machine.share import cpu_share

AHEAD = 16
"""Items that may be begun before the first of them is taken: what they hold is in memory."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None, ahead: int = AHEAD
) -> Iterator[Result]:
    """Yield what ``work`` makes of each item, in their order; what it raises is raised in its place.

    Args:
        work: Done by several threads at once.
        items: Taken one by one, in the caller's thread.
        threads: How many; None for one per core.
        ahead: How many items are begun before the first result is taken.
    """
    pool = ThreadPoolExecutor(threads or cpu_share().count, thread_name_prefix="sweep")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also when whoever takes the results stops, as by Ctrl-C
        pool.shutdown(wait=True, cancel_futures=True)
