"""A command without a map says what it needs."""

from __future__ import annotations

from tests.commands import assert_refused, run_here


def test_a_command_without_a_map_names_what_is_missing() -> None:
    assert_refused(run_here("audit", "map"), "MAP: none is named")
