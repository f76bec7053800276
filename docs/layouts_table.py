"""``python -m docs.layouts_table``: write docs/layouts.md, the table of recognised layouts."""

from __future__ import annotations

from pathlib import Path

from sweep.patches.layouts.registry import LAYOUTS

PAGE = Path(__file__).parent / "layouts.md"
HEAD = """<!-- written by python -m docs.layouts_table -->

# Layouts that are recognised

`python -m sweep.patches make --src DIR` reads these as they are published, the first that fits
([your own data](your-data.md)).

"""


def table() -> str:
    """Return the table, a row per layout in the order in which they are tried."""
    rows = [("it is", "it looks like", "classes", "split"), ("---",) * 4]
    rows += [(one.name, one.looks, one.classes, one.split) for one in LAYOUTS]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page() -> str:
    """Return the page."""
    return f"{HEAD}{table()}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
