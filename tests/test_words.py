"""Help, messages, docstrings and comments are in the same plain words as the pages."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_lengths import ODD

ROOT = Path(__file__).parents[1]
FOLDERS = ("sweep", "trainables", "tilesweep", "search_spaces", "benchmarks")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
USUAL = ("told apart", "metres a pixel")
"""Usual English, and a key of older records."""


def texts(code: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string of several words and every comment."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def odd_words(code: str) -> list[tuple[int, str]]:
    """Return lines and words that the project says otherwise; names in double backticks and patterns are left out."""
    found = []
    for line, text in texts(code):
        words = " ".join(re.sub(r"``[^`]*``", "", text).split())
        for usual in USUAL:
            words = words.replace(usual, "")
        if "\\b" not in words:
            found += [(line, one.group()) for one in ODD.finditer(words)]
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_words_in_code_are_plain(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): words
        for path in FILES
        if path.is_relative_to(ROOT / folder) and (words := odd_words(path.read_text(encoding="utf-8")))
    }
    assert not found


def test_an_odd_word_in_code_would_be_found() -> None:
    code = (
        '"""How many draws an epoch; it goes on."""\nx = f"{1} tells of {2}"  # told by the check\ny = "told apart"\n'
    )
    assert sorted(word for _, word in odd_words(code)) == ["draws an epoch", "goes on", "tells of", "told"]
