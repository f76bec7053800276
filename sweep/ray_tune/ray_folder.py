"""The folder of Ray's logs, sockets and spilled objects: one that will do, chosen before Ray starts."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainables.errors import ExperimentError

SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""Longest path of a socket; the kernel's sun_path less its end. Ray refuses longer ones."""
LONGEST = "session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store.1"
"""What Ray puts into its folder."""
PROCESS_SOCKET = "pymp-12345678/listener-12345678"
"""What Python's multiprocessing, of which Ray's dashboard makes use, puts into TMPDIR."""
VARIABLE = "RAY_TMPDIR"
NAME = "ray"


@dataclass(frozen=True, kw_only=True)
class RayFolder:
    """Where Ray's own files go.

    Attributes:
        path: The folder.
        instead_of: The one that Ray would take by itself, and why it will not do; empty where that is this one.
    """

    path: Path
    instead_of: str = ""


def default_folder() -> Path:
    """Return the folder that Ray takes by itself."""
    on_linux = os.environ.get("TMPDIR") if sys.platform.startswith("linux") else None
    return Path(os.environ.get(VARIABLE) or on_linux or "/tmp") / NAME


def choose_folder() -> RayFolder:
    """Return the folder that a sweep's own Ray is given: Ray's, or where that will not do, a short one.

    Raises:
        ExperimentError: RAY_TMPDIR names one that will not do, or none will.
    """
    first = default_folder()
    fault = fault_of(first)
    if not fault:
        return RayFolder(path=first)
    if os.environ.get(VARIABLE):
        raise ExperimentError(
            f"{VARIABLE} {os.environ[VARIABLE]}: {first} cannot hold Ray's files: {fault}; unset {VARIABLE}"
        )
    for path in _others():
        if not fault_of(path):
            return RayFolder(path=path, instead_of=f"{first}: {fault}")
    raise ExperimentError(
        f"TMPDIR: {first}: {fault}, and so are /tmp and /var/tmp; give Ray a folder: export {VARIABLE}=FOLDER"
    )


def _others() -> Iterator[Path]:
    for parent in (Path("/tmp"), Path("/var/tmp")):
        yield parent / NAME
        yield parent / f"{NAME}-{os.getuid()}"  # another user's Ray may hold the other name


def short_temporary_folder() -> str | None:
    """Return a TMPDIR for Ray's processes whose sockets' paths fit; None where the one that is set will do."""
    found = tempfile.gettempdir()  # kept from now on, for this process's own files
    return "/tmp" if len(os.fsencode(f"{found}/{PROCESS_SOCKET}")) > SOCKET_BYTES else None


def fault_of(folder: Path) -> str:
    """Say why Ray cannot use a folder; empty where it can. Tries to make a socket in it, or in the nearest above it."""
    length = len(os.fsencode(f"{folder}/{LONGEST}"))
    if length > SOCKET_BYTES:
        return f"too long by {length - SOCKET_BYTES} bytes for the sockets that Ray makes there"
    if not folder.is_absolute():
        return "is no absolute path"
    try:
        _try(folder)
    except OSError as error:
        return f"cannot be written ({error.strerror or error})"
    return ""


def _try(folder: Path) -> None:
    """Make a socket in a folder, or in the nearest one around it that exists, and delete it.

    Raises:
        OSError: That does not work.
    """
    while not folder.exists():
        folder = folder.parent
    path = folder / f".tilesweep-{secrets.token_hex(8)}"  # process ids come again, and threads share theirs
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(str(path))
        finally:
            with suppress(OSError):
                path.unlink()
