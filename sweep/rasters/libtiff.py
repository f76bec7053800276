"""What libtiff prints when it cannot write, as an error instead of lines on the terminal.

GDAL (3.10) hears of a full disk late or not at all: libtiff writes ``_tiffWriteProc: No space left on device.`` to the
process's stderr by itself, and GDAL says afterwards that what it reads back is damaged.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

PRINTED = re.compile(rb"_tiff\w+Proc: (.*?)\.?\r?\n")
STDERR = 2


@contextmanager
def libtiff_faults() -> Iterator[None]:
    """Turn what libtiff prints during the block into an error; whatever else is printed there comes afterwards.

    Raises:
        OSError: libtiff could not write, seek or read; its ``strerror`` is why.
    """
    try:
        kept = os.dup(STDERR)
    except OSError:  # there is no stderr, so nothing is printed
        yield
        return
    said = b""
    try:
        with _memory() as file:
            _flush()
            os.dup2(file.fileno(), STDERR)
            try:
                yield
            except Exception as error:
                if reason := _reason(file):
                    raise OSError(0, reason) from error
                raise
            finally:
                _flush()
                os.dup2(kept, STDERR)
                file.seek(0)
                said = PRINTED.sub(b"", file.read())
            if reason := _reason(file):
                raise OSError(0, reason)
    finally:
        os.close(kept)
        if said:
            os.write(STDERR, said)


def _reason(file: IO[bytes]) -> str:
    """Return the first fault that is in what was printed; empty for none."""
    file.seek(0)
    found = PRINTED.search(file.read())
    return found[1].decode(errors="replace") if found else ""


def _memory() -> IO[bytes]:
    """Open a file that needs no disk, where the system has such; the disk may be full."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("stderr"), "w+b")  # noqa: PTH123 - the caller closes it
    return tempfile.TemporaryFile()


def _flush() -> None:
    with suppress(AttributeError, ValueError, OSError):  # there is no stderr, or it is closed
        sys.stderr.flush()
