"""Which code of users' own this process may run: what the user named in the command, and nothing that a file names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trainables.errors import RecipeError

FLAG = "--trust-code"
_TRUSTED: dict[str, str] = {}
"""Architecture to the hex sha256 that its file has to have."""
_EVERYTHING = ""
"""In ``_TRUSTED``: whatever is loaded may run, as its own record of the hash allows."""


def trust_typed(names: Iterable[str]) -> None:
    """Let the architectures run that the user typed, as their files are now; built-in ones need no word.

    Args:
        names: As typed: ``unet``, ``my_models.py:build``, an installed package's.

    Raises:
        RecipeError: There is no such architecture or file.
    """
    from trainables.models.own_source import source_of
    from trainables.models.registry import get_architecture

    for name in names:
        entry = get_architecture(name)
        if entry.own:
            _TRUSTED[entry.name] = source_of(entry.name, moved=False).sha256


def trust_everything() -> None:
    """Let the code run that weights, recipes and experiments name: ``--trust-code``."""
    _TRUSTED[_EVERYTHING] = ""


def trust_hashes(hashes: Mapping[str, str]) -> None:
    """Let the architectures run that a driver trusts: what ``trusted_hashes`` returned there."""
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


def trusted_hashes(names: Iterable[str]) -> dict[str, str]:
    """Return users' own architectures among some with the hashes of their files, for the processes that train them.

    Raises:
        RecipeError: One that may not run, or whose file does not exist.
    """
    from trainables.models.own_source import source_of
    from trainables.models.registry import described

    found = {}
    for name in dict.fromkeys(names):
        if described(name).own:
            code = source_of(name)
            require_trusted(code.name, code.sha256, code.path)
            found[code.name] = code.sha256
    return found
