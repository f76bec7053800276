"""Work by several threads comes in order, ahead by a few items only, and ends with whoever takes it."""

from __future__ import annotations

import threading
import time

import pytest

from sweep.machine.threads import in_threads


def test_results_come_in_order_and_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def items() -> object:
        for number in range(50):
            taken.append(number)
            yield number

    def slow_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * 2

    results = in_threads(slow_first, items(), threads=4, ahead=5)  # type: ignore[arg-type]
    assert next(results) == 0
    assert len(taken) == 5
    assert list(results) == list(range(2, 100, 2))


def test_an_error_is_raised_in_its_place_and_what_waits_is_dropped() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError("two")
        time.sleep(0.01)
        return number

    results = in_threads(work, range(1000), threads=1, ahead=100)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    assert len(begun) < 90
    assert not [one for one in threading.enumerate() if one.name.startswith("sweep_")]
