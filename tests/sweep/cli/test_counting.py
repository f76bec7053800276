"""How much of a long work is done."""

from __future__ import annotations

import io

import pytest

from sweep.cli import counting
from sweep.cli.counting import CountedItems
from sweep.cli.terminal import Terminal


def test_a_pipe_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(counting.time, "monotonic", lambda: float(next(clock)))
    file = io.StringIO()
    assert list(CountedItems(Terminal(file=file))("looking at tiles", [3, 4, 5, 6, 7], 5)) == [3, 4, 5, 6, 7]
    assert file.getvalue().splitlines() == ["looking at tiles: 3 of 5"]
