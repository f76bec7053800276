"""The messages in the troubleshooting page are those that the code has."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^- `([^`]+)`", PAGE, re.MULTILINE)
LEAST_LETTERS = 14
LEAST_SHARE = 0.3
"""Of a message's letters that one text of the code has to bring: names, numbers and hints fill the rest."""


def letters(text: str) -> int:
    """Return the number of letters in a text."""
    return sum(letter.isalpha() for letter in text)


@cache
def templates() -> dict[re.Pattern[str], int]:
    """Return a pattern for every text in the code that can be told by its own letters, and their number."""
    found = {}
    for package in ("trainables", "search_spaces", "sweep"):
        for path in (ROOT / package).rglob("*.py"):
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            pieces = {one for node in nodes if isinstance(node, ast.JoinedStr) for one in node.values}
            for node in (one for one in nodes if one not in pieces):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                texts = [one.value if isinstance(one, ast.Constant) else None for one in parts]
                if all(text is None or isinstance(text, str) for text in texts):
                    own = letters("".join(text for text in texts if text))
                    if own >= LEAST_LETTERS:
                        found[re.compile(".*".join(re.escape(text or "") for text in texts))] = own
    return found


def in_the_code(message: str) -> bool:
    """Whether a text of the code, with something in its gaps, makes up enough of the message."""
    return any(
        own >= LEAST_SHARE * letters(message) and pattern.search(message) for pattern, own in templates().items()
    )


@pytest.mark.parametrize("message", QUOTED)
def test_every_message_of_the_page_is_in_the_code(message: str) -> None:
    assert in_the_code(message)


def test_a_message_that_is_not_in_the_code_would_be_found() -> None:
    assert not in_the_code("--profile paper: wants a GPU and there is none; try --profile demo, or --device cpu")
    assert not in_the_code("--tiles 50: there are just 24 train tiles; ask for 24 or fewer")


def test_the_page_tells_of_the_most_likely_ones() -> None:
    assert len(QUOTED) >= 40 and len(set(QUOTED)) == len(QUOTED)
