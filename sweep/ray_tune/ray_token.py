"""Ray's token: found, made before Ray makes one that others can read, or handed to this sweep's Ray alone."""

from __future__ import annotations

import os
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainables.documents import DamagedError, read_bounded
from trainables.errors import ExperimentError
from trainables.owners import is_own

MODE_VARIABLE = "RAY_AUTH_MODE"
TOKEN_VARIABLE = "RAY_AUTH_TOKEN"
PATH_VARIABLE = "RAY_AUTH_TOKEN_PATH"
MAX_BYTES = 4096
"""Of a token's file."""

Source = Literal["off", "given", "file", "new", "handed"]


@dataclass(frozen=True, kw_only=True)
class TokenPlan:
    """Where the token of a Ray that is started here comes from.

    Attributes:
        source: ``off``: token authentication is switched off; ``given``: RAY_AUTH_TOKEN holds it; ``file``: it is in
            ``path``; ``new``: it will be made and written there; ``handed``: it will be made, for that Ray alone.
        path: The file; None for none.
        why: Why it is only handed, or why RAY_AUTH_TOKEN_PATH will not do; empty otherwise.
        exposed: Other users can read the file, or could if they reached its folder.
    """

    source: Source
    path: Path | None = None
    why: str = ""
    exposed: bool = False


def home_file() -> Path:
    """Return the file in which Ray keeps its token."""
    return Path.home() / ".ray" / "auth_token"


def plan_token() -> TokenPlan:
    """Say where the token will come from; changes nothing.

    Raises:
        ExperimentError: RAY_AUTH_TOKEN_PATH names a file that holds none.
    """
    if os.environ.get(MODE_VARIABLE, "token").lower() == "disabled":
        return TokenPlan(source="off")
    if os.environ.get(TOKEN_VARIABLE):
        return TokenPlan(source="given")
    if named := os.environ.get(PATH_VARIABLE):
        if not _read(Path(named)):
            raise ExperimentError(f"{PATH_VARIABLE} {named}: {_missing(Path(named))}; unset {PATH_VARIABLE}")
        return TokenPlan(source="file", path=Path(named), exposed=is_exposed(Path(named)))
    path = home_file()
    if _read(path):
        return TokenPlan(source="file", path=path, exposed=bool(path.stat().st_mode & 0o077))
    if fault := _cannot_keep(path):
        return TokenPlan(source="handed", path=path, why=fault)
    return TokenPlan(source="new", path=path)


def ready_token() -> str:
    """Bring about what ``plan_token`` says, in files that only this user can read.

    Returns:
        What the user has to know of it, a line; empty where there is nothing to know.

    Raises:
        ExperimentError: As there.
    """
    plan = plan_token()
    if plan.source == "file" and plan.path is not None:
        return _close(plan.path, named=bool(os.environ.get(PATH_VARIABLE))) if plan.exposed else ""
    if plan.source not in ("new", "handed"):
        return ""
    token = secrets.token_hex(32)  # as ray get-auth-token --generate makes it
    why = plan.why
    if plan.source == "new" and plan.path is not None:
        try:
            _keep(plan.path, token)
        except OSError as error:
            why = f"{plan.path}: cannot be written ({error.strerror})"
        else:
            return ""
    os.environ[TOKEN_VARIABLE] = token
    return f"of this sweep alone, and not kept: {why}"


def _keep(path: Path, token: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, token.encode())
        os.close(descriptor)
        if path.exists() and not _read(path):
            temporary.replace(path)  # an empty one
        else:
            os.link(temporary, path)  # fails where another sweep was faster: then its token counts
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _close(path: Path, *, named: bool) -> str:
    if named or not is_own(path, folder=False):  # others may be meant to read what RAY_AUTH_TOKEN_PATH names
        fix = shlex.join(["chmod", "600", str(path)])
        return f"{path}: other users can read it, and so run code as you; to end that: {fix}"
    path.chmod(0o600)
    return f"{path}: other users could read it; its mode is 600 now"


def _cannot_keep(path: Path) -> str:
    """Say why a token cannot be written; empty where it can."""
    if path.exists() and not is_own(path, folder=False):
        return f"{path}: cannot be read"
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder}: is a file"
    probe = folder / f".tilesweep-{os.getpid()}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return f"{folder}: cannot be written ({error.strerror or error})"
    return ""


def _read(path: Path) -> str:
    try:
        return read_bounded(path, MAX_BYTES).decode(errors="replace").strip()
    except (OSError, DamagedError):
        return ""


def _missing(path: Path) -> str:
    if not path.exists():
        return "no such file"
    try:
        return "is empty" if not read_bounded(path, MAX_BYTES).strip() else "cannot be used"
    except (OSError, DamagedError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def is_exposed(path: Path) -> bool:
    """Whether users other than the owner can read a file, by its mode and those of all folders above it.

    A group of the owner's own name is taken to be the owner's alone, as most Linux distributions make them.
    """
    file, above = path.stat(), [folder.stat().st_mode for folder in path.resolve().parents]
    group = not _is_private_group(path) and file.st_mode & 0o040 and all(one & 0o010 for one in above)
    others = file.st_mode & 0o004 and all(one & 0o001 for one in above)
    return bool(group or others)


def _is_private_group(path: Path) -> bool:
    try:
        return path.owner() == path.group()
    except KeyError:  # a user or group without a name, as in docker run --user 12345
        return False
