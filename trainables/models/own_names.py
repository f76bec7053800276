"""What architectures of users' own are called: a file with its function, or a name that a package registers."""

from __future__ import annotations

import re
from pathlib import Path

from trainables.errors import RecipeError

ENTRY_POINTS = "tilesweep.architectures"
"""The group in which an installed package registers ``NAME = module:build``."""
FILE = re.compile(r"(?P<file>.+\.py)(?::(?P<function>[A-Za-z_]\w*))?")


def file_and_function(name: str) -> tuple[Path, str]:
    """Return the file in a name that ``FILE`` matches, as it is written there, and the function (``build``)."""
    matched = FILE.fullmatch(name)
    assert matched is not None
    return Path(matched["file"]), matched["function"] or "build"


def absolute(path: Path, name: str) -> Path:
    """Return the absolute path of a file that an architecture's name says.

    Raises:
        RecipeError: A relative name of a file that does not exist.
    """
    path = path.expanduser()
    if path.is_absolute():
        return path
    if not path.is_file():
        raise RecipeError(f"architecture {name!r}: there is no file {path}; see docs/your-architecture.md")
    return path.resolve()
