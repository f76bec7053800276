"""Imports heavy packages while something else is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module


@contextmanager
def loading(*packages: str, asking: Callable[[], object] | None = None) -> Iterator[None]:
    """Import packages in a thread during the block; whoever imports them in the meantime waits for what is left.

    Args:
        packages: Which ones.
        asking: Called in a thread of its own: what keeps its answer and takes a while. Its errors are its caller's.

    A package that cannot be imported is left to whoever needs it, and to its error.
    """

    def load() -> None:
        for package in packages:
            with suppress(Exception):
                import_module(package)

    def ask() -> None:
        with suppress(Exception):
            if asking is not None:
                asking()

    threads = [threading.Thread(target=one, name="loading", daemon=True) for one in (load, ask)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
