"""The table of layouts in the docs is the code's."""

from __future__ import annotations

import pytest

from docs.layouts_table import BEGIN, END, PAGE, table, with_table
from sweep.patches.layouts.registry import LAYOUTS


def test_the_page_has_the_table_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run: python -m docs.layouts_table"
    lines = table().splitlines()
    assert len(lines) == len(LAYOUTS) + 2 and all(line.count(" | ") == 3 for line in lines)


def test_an_old_table_is_replaced_and_nothing_else() -> None:
    page = f"# Top\n\n{BEGIN}\n\n| old |\n\n{END}\n\nrest\n"
    assert with_table(page) == f"# Top\n\n{BEGIN}\n\n{table()}\n\n{END}\n\nrest\n"
    for broken in ("none", BEGIN, f"{BEGIN} {BEGIN} {END}"):
        with pytest.raises(ValueError, match="must each be there once"):
            with_table(broken)


def test_a_layout_is_in_the_table_once() -> None:
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
