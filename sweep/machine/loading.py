"""Imports heavy packages while something else is waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module


@contextmanager
def loading(*packages: str) -> Iterator[None]:
    """Import packages in a thread during the block; whoever imports them in the meantime waits for what is left.

    A package that cannot be imported is left to whoever needs it, and to its error.
    """

    def load() -> None:
        for package in packages:
            with suppress(Exception):
                import_module(package)

    thread = threading.Thread(target=load, name="loading", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
