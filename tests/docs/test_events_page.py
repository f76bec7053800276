"""The page of events has every event that code emits, with its fields."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "maintainers" / "events.md"


def documented() -> dict[str, set[str]]:
    """Return the words in code of the rows that an event has on the page."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in PAGE.read_text(encoding="utf-8").partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            names, _, fields = line.strip("|").split("|", 2)
            for name in re.findall(r"`(\w+)`", names):
                found[name] |= set(re.findall(r"`(\w+)`", fields))
    return found


def emitted() -> Iterator[tuple[Path, str, set[str]]]:
    """Yield the events that are named where they are emitted, and the fields that are."""
    for path in sorted((ROOT / "sweep").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            name = node.args[0]
            if node.func.attr == "emit" and isinstance(name, ast.Constant):
                yield path, name.value, {one.arg for one in node.keywords if one.arg}


def test_every_event_is_on_the_page_with_its_fields() -> None:
    page = documented()
    missing = [
        f"{path.relative_to(ROOT)}: {event}: {', '.join(sorted(fields - page[event])) or 'the event'}"
        for path, event, fields in emitted()
        if event not in page or fields - page[event]
    ]
    assert not missing, "\n".join(missing)
    assert len(list(emitted())) > 30
