"""The rules of the house, read from the source: who may import whom, and what is done in one room alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = ("trainables", "search_spaces", "sweep", "tilesweep")
FORBIDDEN = {
    "trainables": {"search_spaces", "sweep", "tilesweep"},
    "search_spaces": {"sweep", "tilesweep", "ray", "torch"},
    "sweep": {"tilesweep"},
}
FLOORS = (
    "machine",
    "rasters",
    "cli",
    "charts",
    "records",
    "planning",
    "search",
    "observers",
    "ray_tune",
    "sealed",
    "results",
    "session",
)
"""The rooms of ``sweep/``. Each imports those before it; commands import all of them, and no other command."""
CONDUCTOR = "study"
"""The command that runs others."""
LIST_USERS = ("completion", "__main__")
RAY_ROOMS = ("sweep.ray_tune", "trainables.segmentation")
SPLIT_ROOMS = ("sweep.sealed", "sweep.patches", "trainables.data.tiles")
"""Where a split is opened by name: test to be scored, all to make and check a dataset, train and val for trials."""
OPENERS = {"scan_split", "read_tile", "TestTiles"}
"""What opens test tiles."""

Modules = Mapping[str, ast.Module]
Graph = Mapping[str, set[str]]
"""Dotted module to what it imports: modules of ours by their full names, others by their packages'."""
Arrow = tuple[str, str]
"""A module and one that it imports."""


def read(root: Path) -> Modules:
    """Parse the modules of our packages under a folder, by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(modules: Modules) -> Graph:
    """Return which module imports which: at the top, in functions and for types alike."""
    return {name: set(_imported(tree, modules)) for name, tree in modules.items()}


def _imported(tree: ast.Module, modules: Modules) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_known(alias.name, modules) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (_known(f"{node.module}.{alias.name}", modules) for alias in node.names)


def _known(name: str, modules: Modules) -> str:
    if name.partition(".")[0] not in PACKAGES:
        return name.partition(".")[0]
    return name if name in modules else name.rpartition(".")[0]


def reached(graph: Graph, start: str) -> set[str]:
    """Return everything that a module imports, and what that imports in turn."""
    found = set(graph[start])
    waiting = list(found)
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def circle(graph: Graph) -> list[str]:
    """Return modules that import each other in a circle; none for a sound graph."""
    try:
        TopologicalSorter({name: found & graph.keys() for name, found in graph.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def wrong_package(graph: Graph) -> set[Arrow]:
    """Return imports against the direction of the packages."""
    return {
        (name, other)
        for name, found in graph.items()
        for other in found
        if other.partition(".")[0] in FORBIDDEN.get(name.partition(".")[0], ())
    }


def upward(graph: Graph) -> set[Arrow]:
    """Return imports of a room of ``sweep/`` that is no lower than one's own, or of another command."""
    return {
        (name, other)
        for name, found in graph.items()
        for other in found
        if name.startswith("sweep.") and other.startswith("sweep.")
        if _room(other) != _room(name) and _floor(_room(other)) >= _floor(_room(name))
    }


def _room(module: str) -> str:
    return module.split(".")[1]


def _floor(room: str) -> int:
    """Return a room's height: rooms, commands, what runs several, the list of all, and what uses that list."""
    known = (*FLOORS, CONDUCTOR, "commands")
    return (*FLOORS, "", *known[-2:]).index(room if room in known else "") + 3 * (room in LIST_USERS)


def ray_users(graph: Graph) -> set[str]:
    """Return modules that import Ray where that may not be."""
    return {name for name, found in graph.items() if "ray" in found and not _within(name, RAY_ROOMS)}


def openers_of_test(modules: Modules) -> set[str]:
    """Return modules that use what opens test tiles, where that may not be."""
    return {
        name
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if not _within(name, SPLIT_ROOMS)
        if {getattr(node, field, None) for field in ("id", "attr", "name")} & OPENERS
    }


def _within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def ambiguous_classes(modules: Modules) -> set[str]:
    """Return names of public classes that several modules define."""
    names = Counter(
        node.name
        for tree in modules.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {name for name, count in names.items() if count > 1}
