"""The messages of ``sweep.patches`` that say what to type, found in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.conftest import ROOT

PACKAGE = ROOT / "sweep" / "patches"
NO_MESSAGES = ("options.py", "command.py", "synthesis.py")
"""Help, examples, and what manifests hold."""
FLAG = re.compile(r"--[a-z][a-z-]+")
SUBJECT = re.compile(r"--[a-z-]+(?: (?:[^:;]|:(?! ))*)?: ")
"""The flag that a message is about: ``--split FILE: no such file``."""
PART = re.compile(r" ?--[a-z-]+( \{\})?")
"""A flag alone, which is a part of a message."""


def advising() -> dict[str, list[str]]:
    """Return module to its messages that name a flag to type, with ``{}`` for what is filled in."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        texts = [text for text in texts_of(path.read_text(encoding="utf-8")) if names_a_flag(text)]
        if texts and path.name not in NO_MESSAGES:
            found[path.relative_to(PACKAGE).as_posix()] = texts
    return found


def names_a_flag(text: str) -> bool:
    """Whether a text names a flag but the one that it is about, and is no text of the docs."""
    subject = SUBJECT.match(text)
    return bool(FLAG.search(text, subject.end() if subject else 0)) and not PART.fullmatch(text) and "`" not in text


def texts_of(source: str) -> Iterator[str]:
    """Yield all texts of a module but its docstrings."""
    tree = ast.parse(source)
    inner = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    documents = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if node in inner or node in documents:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
