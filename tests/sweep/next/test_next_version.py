"""The command that brings labelled tiles back works as it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.next.choosing import _next_version


@pytest.mark.parametrize(
    ("name", "there", "found"),
    [("roofs", [], "roofs-2"), ("roofs-2", [], "roofs-3"), ("roofs", ["roofs-2", "roofs-3"], "roofs-4")],
)
def test_a_dataset_s_next_version_has_a_name_that_is_free(
    name: str, there: list[str], found: str, tmp_path: Path
) -> None:
    for one in there:
        (tmp_path / one).mkdir()
    assert _next_version(tmp_path / name) == tmp_path / found
