"""The table of faults at the end of a run, as docs/maintainers/reliability.md shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of fault.

    Attributes:
        fault: What was done.
        times: How often.
        again: Epochs that had been reported and were trained a second time.
        differences: Trials whose recipe, end or scores differ from an unbroken sweep's; None where not compared.
        note: What happened.
    """

    fault: str
    times: int
    again: int = 0
    differences: int | None = None
    note: str = ""


Tally = Callable[[Row], None]


def tally_of(item: pytest.Item) -> Tally:
    """Return a function that adds a row; it travels with the test's report, also from another process."""
    return lambda row: item.user_properties.append(("fault", asdict(row)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table as Markdown."""
    reports = [one for name in ("passed", "failed") for one in terminalreporter.stats.get(name, [])]
    rows = [Row(**value) for report in reports for name, value in report.user_properties if name == "fault"]
    if not rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line("| fault | times | epochs trained again | trials that differ | what happened |")
    terminalreporter.write_line("|---|--:|--:|--:|---|")
    for row in rows:
        differences = "" if row.differences is None else str(row.differences)
        terminalreporter.write_line(f"| {row.fault} | {row.times} | {row.again} | {differences} | {row.note} |")
