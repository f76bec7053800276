"""What people's and other programs' files may hold: it is bounded, typed, and every fault is one short line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from trainables.documents import DamagedError, check, parse_json, parse_toml, read_bounded
from trainables.escaping import visible


class Entry(TypedDict):
    name: str
    tiles: list[float]


HOSTILE = {
    "deep": "[" * 200_000,
    "deep object": '{"a":' * 100_000,
    "cut short": '{"name": "a", "ti',
    "a list": "[]",
    "wrong type": '{"name": "a", "tiles": ["x"]}',
    "a longer integer": '{"name": "a", "tiles": [' + "9" * 40_000 + "]}",
    "missing": '{"name": "a"}',
    "half a pair": '{"name": "\\ud800", "tiles": []}',
    "nothing": "",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_one_short_line(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(DamagedError) as caught:
        parse_json(text.encode(), Entry)
    assert "\n" not in str(caught.value) and 0 < len(str(caught.value)) < 250
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5_000, "a", "\x00", "a = 1\na = 2"])
def test_hostile_toml_is_one_short_line(text: str) -> None:
    with pytest.raises(DamagedError) as caught:
        parse_toml(text.encode(), dict[str, int])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_a_fault_names_its_place_and_quotes_the_value() -> None:
    with pytest.raises(DamagedError, match=r"tiles\.1: .* is 'x'"):
        parse_json('{"name": "a", "tiles": [1, "x"]}', Entry)


@given(st.dictionaries(st.text(max_size=5), st.lists(st.integers() | st.text(max_size=5), max_size=3), max_size=3))
def test_values_pass_as_they_are_or_are_refused(values: dict[str, list[int | str]]) -> None:
    try:
        assert check(values, dict[str, list[int | str]]) == values
    except DamagedError as error:
        assert "\n" not in str(error)


def test_a_number_beyond_a_floats_range_is_infinite() -> None:
    assert parse_json("[" + "9" * 400 + "]", list[float]) == [float("inf")]


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_json(b"\xef\xbb\xbf[1]", list[int]) == [1]
    assert parse_toml(b"\xef\xbb\xbfa = 1", dict[str, int]) == {"a": 1}


def test_only_regular_files_up_to_a_limit_are_read(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    large.write_bytes(b"x" * 11)
    for path in (Path("/dev/zero"), pipe, tmp_path, large):
        with pytest.raises(DamagedError):
            read_bounded(path, limit=10)
    assert read_bounded(large, limit=11) == b"x" * 11
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("roofs é 建物", "roofs é 建物"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("right\u202eleft", r"right\u202eleft"),
        ("\ud800", r"\ud800"),
        ("two\nlines\tand a tab\r", "two\nlines\tand a tab\\r"),
    ],
)
def test_unprintable_characters_are_shown_not_sent(text: str, shown: str) -> None:
    assert visible(text) == shown
