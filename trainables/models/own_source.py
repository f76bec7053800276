"""The code of an architecture that a user wrote: where it is, and whether it is what it was."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from trainables.errors import RecipeError
from trainables.models.own_names import ENTRY_POINTS, FILE, absolute, file_and_function
from trainables.models.trust import require_trusted

GUIDE = "see docs/your-architecture.md"
CARRIED = "tilesweep_carried"
"""Package in which a driver brings users' files to the nodes of a cluster."""


@dataclass(frozen=True, kw_only=True)
class OwnSource:
    """Where a builder is written.

    Attributes:
        name: The architecture's.
        path: The file; None for a package whose file is not known.
        function: Its name there.
        entry_point: For an installed package's.
    """

    name: str
    path: Path | None
    function: str
    entry_point: EntryPoint | None = None

    @property
    def sha256(self) -> str:
        """Hex digest of the file; empty where none is known."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path else ""

    def load(self) -> Callable[..., Any]:
        """Run the file, and return the builder. Nothing else in tilesweep runs code of users' own architectures.

        Raises:
            RecipeError: Nobody has allowed it, it does not run, or it has no such function.
        """
        require_trusted(self.name, self.sha256, self.path)
        try:
            if self.entry_point is not None:
                function = self.entry_point.load()
            else:
                assert self.path is not None
                function = getattr(_module(self.path), self.function, None)
        except RecipeError:
            raise
        except (Exception, SystemExit) as error:
            raise RecipeError(f"architecture {self.name}: does not run ({summary_of(error)}); fix it") from error
        if not callable(function):
            raise RecipeError(
                f"architecture {self.name}: has no function {self.function}(recipe, channels); define it, {GUIDE}"
            )
        found: Callable[..., Any] = function
        return found


def summary_of(error: BaseException) -> str:
    """Return an exception's kind and the last line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


def source_of(name: str, *, moved: bool = True) -> OwnSource:
    """Find the code of an architecture that a user wrote, and run none of it.

    A file that is not where it was is looked for among those that the driver brought to this node, and in the
    current folder.

    Args:
        name: The architecture's.
        moved: Whether a file may be elsewhere than its name says.

    Raises:
        RecipeError: There is no such file, or no package that registers the name.
    """
    if FILE.fullmatch(name):
        written, function = file_and_function(name)
        path = absolute(written, name)
        here = Path.cwd() / path.name
        for place in (*_brought(path), path, here) if moved else (path,):
            if place.is_file():
                return OwnSource(name=f"{path}:{function}", path=place, function=function)
        nor = f", nor {here}" if moved else ""
        raise RecipeError(f"architecture {name}: there is no such file{nor}; bring it back")
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return OwnSource(name=name, path=_file_of(point.module), function=point.attr, entry_point=point)
    raise RecipeError(f"architecture {name}: no installed package registers it; install the one that it came from")


def _file_of(module: str) -> Path | None:
    """Return a module's file without importing the packages around it; None where it is not known."""
    top, *inner = module.split(".")
    specification = importlib.util.find_spec(top)
    name = top
    for part in inner:
        places = specification.submodule_search_locations if specification else None
        name = f"{name}.{part}"
        specification = PathFinder.find_spec(name, list(places)) if places else None
    origin = specification.origin if specification else None
    return Path(origin) if origin and Path(origin).is_file() else None


def carried(path: Path) -> Path:
    """Return where a file is beside the packages that a driver brings to a node; files of a folder stay together."""
    return Path(CARRIED) / hashlib.sha256(str(path.parent).encode()).hexdigest()[:16] / path.name


def _brought(path: Path) -> list[Path]:
    specification = importlib.util.find_spec(CARRIED)
    places = specification.submodule_search_locations if specification else None
    return [Path(place).parent / carried(path) for place in places or ()]


def _module(path: Path) -> Any:
    """Import a file again, its neighbours included if it asks for them."""
    name = f"tilesweep_own_{hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise RecipeError(f"architecture {path}: is no Python file; {GUIDE}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pickling look their module up
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
