"""Which code of users' own this process may run: what the user named in the command, and nothing that a file names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trainables.errors import RecipeError

FLAG = "--trust-code"
_TRUSTED: dict[str, str] = {}
"""Architecture to the hex sha256 that its file has to have."""
_EVERYTHING = ""
"""In ``_TRUSTED``: whatever is loaded may run, as its own record of the hash allows."""


def trust_everything() -> None:
    """Let the code run that weights, recipes and experiments name: ``--trust-code``."""
    _TRUSTED[_EVERYTHING] = ""


def trust_hashes(hashes: Mapping[str, str]) -> None:
    """Let architectures run while their files have these hashes.

    Args:
        hashes: Architecture to the hex sha256 of its file, as ``trusted_hashes`` returns them on the driver.
    """
    _TRUSTED.update(hashes)


def trusts(name: str) -> bool:
    """Whether the code of an architecture may run."""
    return name in _TRUSTED or _EVERYTHING in _TRUSTED


def require_trusted(name: str, sha256: str, path: Path | None) -> None:
    """Refuse code that nobody has named, or that is not what was named.

    Args:
        name: The architecture's, as the registry has it.
        sha256: Hex digest of its file now; empty where a package's is not known.
        path: That file.

    Raises:
        RecipeError: As said.
    """
    if not trusts(name):
        look = f"it, here {path}" if path and not name.startswith(str(path)) else "it"
        raise RecipeError(
            f"architecture {name}: is Python code that a file names and this command does not; look at {look}, then "
            f"run it with {FLAG}"
        )
    if _TRUSTED.get(name, sha256) != sha256:
        raise RecipeError(f"architecture {name}: its file is another one than at the start; bring that one back")
