"""Options are read by the commands and in ``sweep/session``; what lies below gets values."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import house

READERS = {"cli", "session"}
LOWER = tuple(room for room in house.FLOORS if room not in READERS)
COMMAND_LINE = {f"sweep.cli.{name}" for name in ("console", "marks", "options", "usage")}


def _takers(root: Path) -> set[str]:
    """Return the lower modules that import the command line, or take its options by name."""
    modules = {
        name: tree
        for name, tree in house.read(root).items()
        if name.startswith("sweep.") and name.split(".")[1] in LOWER
    }
    graph = house.imports({**modules, **dict.fromkeys(COMMAND_LINE, ast.Module(body=[], type_ignores=[]))})
    return {
        name
        for name, tree in modules.items()
        if graph[name] & COMMAND_LINE
        or any(isinstance(node, ast.arg) and node.arg == "options" for node in ast.walk(tree))
    }


def test_no_lower_module_reads_options() -> None:
    assert not _takers(Path(__file__).resolve().parents[1])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from sweep.cli.options import SweepOptions", True),
        ("def plan():\n    from sweep.cli import options", True),
        ("import sweep.cli.console", True),
        ("def plan(options: object) -> None: ...", True),
        ("from sweep.cli.output import Output", False),
    ],
)
@pytest.mark.parametrize("room", ["planning", "session"])
def test_a_module_that_reads_options_is_found(text: str, found: bool, room: str, tmp_path: Path) -> None:
    (tmp_path / "sweep" / room).mkdir(parents=True)
    (tmp_path / "sweep" / room / "a.py").write_text(text)
    assert _takers(tmp_path) == ({f"sweep.{room}.a"} if found and room in LOWER else set())
