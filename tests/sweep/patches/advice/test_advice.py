"""Whatever a message of ``sweep.patches`` says to type is typed, and works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweep.patches.advice.following import Advice
from tests.sweep.patches.advice.messages import advising, names_a_flag, texts_of
from tests.sweep.patches.advice.of_adding import OF_ADDING
from tests.sweep.patches.advice.of_commands import OF_COMMANDS
from tests.sweep.patches.advice.of_labels import OF_LABELS
from tests.sweep.patches.advice.of_layouts import OF_LAYOUTS
from tests.sweep.patches.advice.of_masks import OF_MASKS

ROWS = (*OF_MASKS, *OF_LABELS, *OF_LAYOUTS, *OF_COMMANDS, *OF_ADDING)
NO_ADVICE = {
    "labels/matching.py": "of which %d are not in --src",
    "labels/names.py": "are left out, as --classes says",
    "pets.py": "smaller than --size {}",
    "tiling/rules.py": "all windows become tiles, as with --grid",
    "tiling/saying.py": "that --tiles-per-source {} did not draw",
}
"""Module to a message that says what was done, and by which flag: nothing is to be typed."""


def without_row() -> Iterator[str]:
    """Yield the messages that name a flag to type, and that no test follows."""
    for module, texts in advising().items():
        for text in texts:
            if NO_ADVICE.get(module, "\0") not in text and not any(
                row.at == module and (row.template or row.says) in text for row in ROWS
            ):
                yield f"{module}: {text}"


@pytest.mark.parametrize("advice", ROWS, ids=str)
def test_what_a_message_says_works(advice: Advice, tmp_path: Path) -> None:
    advice.follow(tmp_path)


def test_every_message_that_names_a_flag_is_followed_by_a_test() -> None:
    assert not list(without_row())
    texts = {f"{module}: {text}" for module, found in advising().items() for text in found}
    assert all(any(one.startswith(module) and said in one for one in texts) for module, said in NO_ADVICE.items())


def test_a_message_that_names_a_flag_would_be_found() -> None:
    source = """raise DataError(f"{path}: is odd; say --{flag} or --size {one}", "--size 3: is odd; correct it")"""
    found = [text for text in texts_of(source) if names_a_flag(text)]
    assert found == ["{}: is odd; say --{} or --size {}"]
    assert not names_a_flag("--split FILE: no such file") and names_a_flag("--split FILE: none; leave --split out")


def test_advice_that_leads_back_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    row = Advice(at="", says="holds no file", build=lambda folder: None, places={"--dst": "other"})
    with pytest.raises(AssertionError, match="holds no file"):
        row.follow(tmp_path)
