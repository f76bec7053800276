"""Who imports whom, read from the source: imports at the top, in functions and for types alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = ("trainables", "search_spaces", "sweep")
Graph = Mapping[str, set[str]]
"""Dotted module to what it imports: modules of ours by their full names, others by their packages'."""


def trees(root: Path) -> dict[str, ast.Module]:
    """Return the parsed modules of our packages under a folder, by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(modules: Mapping[str, ast.Module]) -> Graph:
    """Return which module imports which."""
    return {name: set(_imported(tree, modules)) for name, tree in modules.items()}


def _imported(tree: ast.Module, modules: Mapping[str, ast.Module]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_of_ours(alias.name, modules) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, "imports are absolute"
            yield from (_of_ours(f"{node.module}.{alias.name}", modules) for alias in node.names)


def _of_ours(name: str, modules: Mapping[str, ast.Module]) -> str:
    """Return the module that a dotted name is, or is in; the package alone of one that is not ours."""
    if name.partition(".")[0] not in PACKAGES:
        return name.partition(".")[0]
    return name if name in modules else name.rpartition(".")[0]


def circle(graph: Graph) -> list[str]:
    """Return modules that import each other in a circle; empty where none do."""
    try:
        TopologicalSorter({name: found & graph.keys() for name, found in graph.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def reached(graph: Graph, start: str) -> set[str]:
    """Return everything that a module imports, and what that imports in turn."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def calls(tree: ast.Module, function: str) -> list[ast.Call]:
    """Return a module's calls of a function, by its last name."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == function
    ]
