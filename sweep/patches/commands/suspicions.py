"""What ``make``, ``sheet`` and ``describe`` say of masks that look wrong, and the sheet that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sweep.cli.counting import Watch
from sweep.cli.output import Output
from sweep.cli.tables import Sheet, columns_of
from sweep.patches.checks.checking import Report
from sweep.patches.look.notes import Notes
from sweep.patches.look.sheet.page import ContactSheet, draw_sheet, suspicious_line
from sweep.patches.look.suspicion.finding import Suspicion
from sweep.records.outputs import sealed, write_files

SHEET_FILE = "contact_sheet.html"
SHOWN = 10
"""Suspicions that a table lists."""


def write_sheet(
    path: Path,
    name: str,
    report: Report,
    found: Sequence[Suspicion],
    watch: Watch,
    notes: Notes,
    *,
    flag: str = "",
    overwrite: bool = False,
) -> ContactSheet:
    """Draw a contact sheet, and write it.

    Args:
        path: Where it goes.
        name: The dataset's.
        report: The dataset.
        found: The masks that look wrong.
        watch: Shows how far it is.
        notes: Of its tiles.
        flag: What the user gave the path to; empty where the command chose it.
        overwrite: Replace a file that is not ours.

    Raises:
        ExperimentError: It cannot be written, or what is there is not ours.
    """
    drawn = draw_sheet(name, report, found, watch, notes)
    content = sealed(drawn.html.encode(), ".html")
    write_files({path: content}, flag=flag, overwrite=overwrite, ending=".html", make_folders=False)
    return drawn


def emit_suspicions(found: Sequence[Suspicion], output: Output) -> None:
    """Emit every suspicion."""
    for one in found:
        output.events.emit("suspicion", **asdict(one))


def say_suspicions(found: Sequence[Suspicion], output: Output, *, rest: str) -> None:
    """List the weightiest suspicions, how many more there are and where they are."""
    emit_suspicions(found, output)
    line = suspicious_line(found) or "no mask looks wrong"
    if not found:
        output.results.print(line)
        return
    rows = [(one.mask, one.kind, one.why) for one in found[:SHOWN]]
    output.results.print(Sheet(line, columns_of("mask", "kind", "why"), rows))
    if len(found) > SHOWN:
        output.results.print(f"and {len(found) - SHOWN} more: see {rest}")


def said_of(found: Sequence[Suspicion], path: Path) -> str:
    """Return in a line where a contact sheet is, and how many masks look wrong."""
    line = suspicious_line(found)
    return f"{line}: see {path}" if line else str(path)
