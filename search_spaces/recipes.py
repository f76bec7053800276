"""Recipe files: a TOML table an architecture, with the fields that differ from the shared recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainables.documents import MIB, parse_toml, read_bounded
from trainables.errors import RecipeError
from trainables.models.registry import get_architecture
from trainables.recipe import Recipe

MAX_BYTES = MIB
"""Of a recipe file; Phase 2 writes some hundred bytes an architecture."""
Changes = Mapping[str, Mapping[str, Any]]
"""Architecture to recipe field to value."""


def read_recipes(path: Path) -> Changes:
    """Read a recipe file.

    Returns:
        What it says, by the names that the registry knows the architectures by.

    Raises:
        RecipeError: It cannot be read, or all its faults at once: unknown architectures and fields, values out of
            range.
    """
    try:
        tables = parse_toml(read_bounded(path, MAX_BYTES), dict[str, Any])
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecipeError(f"--recipes {path}: cannot be read ({reason}); give a file like best_recipes.toml") from error
    faults = []
    for name, fields in tables.items():
        try:
            get_architecture(name)
        except RecipeError as error:
            faults.append(f"--recipes {path}: [{name}] is no architecture ({error})")
            continue
        if not isinstance(fields, dict):
            faults.append(f"--recipes {path}: {name} must be a table, [{_key(name)}]")
        else:
            faults += [f"--recipes {path}: [{name}] {fault}" for fault in _faults(name, fields)]
    if not tables:
        faults.append(f"--recipes {path}: holds no recipe; give a file like best_recipes.toml")
    if faults:
        raise RecipeError(faults)
    return {get_architecture(name).name: fields for name, fields in tables.items()}


def _faults(architecture: str, fields: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in fields.items():
        try:
            if name == "architecture":
                raise RecipeError("recipe field 'architecture' is the table's name; leave it out")
            Recipe.from_dict({"architecture": architecture, name: value})
        except RecipeError as error:
            found.append(str(error))
    return found


def _key(name: str) -> str:
    """Return a table's name as TOML needs it: quoted where it holds more than letters, digits, ``_`` and ``-``."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def write_recipes(recipes: Changes, comments: Mapping[str, str]) -> str:
    """Return a recipe file.

    Args:
        recipes: What to write.
        comments: Architecture to a line about where its recipe comes from.
    """
    tables = []
    for name, fields in recipes.items():
        lines = [
            f"# {comments[name]}",
            f"[{_key(name)}]",
            *(f"{key} = {json.dumps(value)}" for key, value in fields.items()),
        ]
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"
