"""What Ray needs of this machine: a folder with a short name, ports, and a token that nobody else reads."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweep.checkup.finding import Finding, fail, ok, warn
from sweep.checkup.subject import Subject

SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""Longest path of a socket; the kernel's sun_path less its end. Ray refuses longer ones."""
LONGEST = "session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store.1"
"""What Ray puts into its folder."""
PORTS = {
    8265: "the dashboard takes the next free one",
    6379: "ray start --head needs another --port",
    10001: "ray start --head needs another --ray-client-server-port",
}
"""Ray's ports, and what happens where one is taken."""


def temporary_folder() -> Path:
    """Return the folder for Ray's logs, sockets and spilled objects; found as Ray does."""
    on_linux = os.environ.get("TMPDIR") if sys.platform.startswith("linux") else None
    return Path(os.environ.get("RAY_TMPDIR") or on_linux or "/tmp") / "ray"


def check_temporary_folder(subject: Subject) -> Sequence[Finding]:
    """Look whether Ray can write to its folder, and whether its sockets' paths fit."""
    return [judge_temporary_folder(temporary_folder())]


def judge_temporary_folder(folder: Path) -> Finding:
    """Judge a folder for Ray's files; tries to write in it, or in the nearest one around it that exists."""
    length = len(os.fsencode(f"{folder}/{LONGEST}"))
    short = "export RAY_TMPDIR=/tmp"
    if length > SOCKET_BYTES:
        return fail(f"{folder}: too long by {length - SOCKET_BYTES} bytes for the sockets that Ray makes there", short)
    try:
        try_to_write(folder)
    except OSError as error:
        return fail(f"{folder}: cannot be written ({error.strerror or error})", short)
    return ok(f"{folder}: can be written, and its sockets' paths fit")


def try_to_write(folder: Path) -> None:
    """Write a file in a folder, or in the nearest one around it that exists, and delete it.

    Raises:
        OSError: That does not work.
    """
    while not folder.exists():
        folder = folder.parent
    probe = folder / f".tilesweep-doctor-{os.getpid()}"
    probe.write_bytes(b"")
    probe.unlink()


def check_ports(subject: Subject) -> Sequence[Finding]:
    """Tell which of Ray's ports are taken."""
    return [judge_ports(PORTS)]


def judge_ports(ports: Mapping[int, str]) -> Finding:
    """Tell which ports are taken, and what follows; no sweep fails of it.

    Args:
        ports: Port to what follows.
    """
    if taken := [port for port in ports if _is_taken(port)]:
        return ok("; ".join(f"{port} is taken: {ports[port]}" for port in taken))
    return ok(f"{', '.join(map(str, ports))} are free")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def check_token(subject: Subject) -> Sequence[Finding]:
    """Look for Ray's token, and at who can read it."""
    mode = os.environ.get("RAY_AUTH_MODE", "")
    if mode.lower() == "disabled":
        return [warn("RAY_AUTH_MODE=disabled: whoever reaches Ray's ports can run code here", "unset RAY_AUTH_MODE")]
    if os.environ.get("RAY_AUTH_TOKEN"):
        return [ok("given by RAY_AUTH_TOKEN")]
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return [judge_token(path, named=bool(named), joins=subject.cluster is not None)]


def judge_token(path: Path, *, named: bool, joins: bool) -> Finding:
    """Judge a token's file.

    Args:
        path: The file.
        named: Whether RAY_AUTH_TOKEN_PATH names it.
        joins: Whether the sweep joins a cluster that is running already, which may ask for it.
    """
    if not path.is_file():
        if named:
            return fail(f"RAY_AUTH_TOKEN_PATH {path}: no such file", "unset RAY_AUTH_TOKEN_PATH, or mend it")
        if joins:
            return warn("none on this machine", f"copy the cluster's token (ray get-auth-token there) to {path}")
        return ok("none yet; Ray makes one for its first cluster")
    if not path.read_text(errors="replace").strip():
        return fail(f"{path}: is empty", f"rm {shlex.quote(str(path))}; ray get-auth-token --generate")
    if is_exposed(path):
        return warn(
            f"{path}: other users of this machine can read it, and so run code as you",
            f"chmod 600 {shlex.quote(str(path))}",
        )
    return ok(f"{path}: nobody else can read it")


def is_exposed(path: Path) -> bool:
    """Whether users other than the owner can read a file, by its mode and those of all folders above it.

    A group of the owner's own name is taken to be the owner's alone, as most Linux distributions make them.
    """
    file, above = path.stat(), [folder.stat().st_mode for folder in path.resolve().parents]
    private = path.owner() == path.group()
    group = not private and file.st_mode & 0o040 and all(one & 0o010 for one in above)
    others = file.st_mode & 0o004 and all(one & 0o001 for one in above)
    return bool(group or others)
