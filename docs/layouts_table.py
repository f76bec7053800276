"""``python -m docs.layouts_table``: write the table of recognised layouts into docs/your-data.md."""

from __future__ import annotations

from pathlib import Path

from sweep.patches.layouts.registry import LAYOUTS

PAGE = Path(__file__).parent / "your-data.md"
BEGIN, END = "<!-- layouts: python -m docs.layouts_table -->", "<!-- end of layouts -->"


def table() -> str:
    """Return the table, a row per layout in the order in which they are tried."""
    rows = [("it is", "it looks like", "classes", "split"), ("---",) * 4]
    rows += [(one.name, one.looks, one.classes, one.split) for one in LAYOUTS]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_table(page: str) -> str:
    """Return a page with the table between the two marks.

    Raises:
        ValueError: It has not each mark once.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{BEGIN} and {END} must each be there once")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
