"""The pages that code writes are the code's."""

from __future__ import annotations

from docs import architectures, layouts_table
from sweep.patches.layouts.registry import LAYOUTS
from trainables.models.registry import ARCHITECTURES


def test_the_page_of_layouts_is_the_code_s() -> None:
    assert layouts_table.PAGE.read_text(encoding="utf-8") == layouts_table.page(), "run: python -m docs.layouts_table"
    lines = layouts_table.table().splitlines()
    assert len(lines) == len(LAYOUTS) + 2 and all(line.count(" | ") == 3 for line in lines)


def test_a_layout_is_in_the_table_once() -> None:
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


def test_the_page_of_architectures_has_the_code_s_words_and_all_names() -> None:
    """Its numbers are counted on models of full size by ``tests/trainables/models/test_contract.py``."""
    page = architectures.PAGE.read_text(encoding="utf-8")
    assert page.startswith(architectures.HEAD), "run: python -m docs.architectures"
    rows = page.removeprefix(architectures.HEAD).splitlines()
    assert [row.split("`")[1] for row in rows] == list(ARCHITECTURES)
