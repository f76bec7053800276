"""The end of every command that makes a dataset: manifest, overview and contact sheet, and what to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sweep.cli.counting import Watch
from sweep.cli.output import Output, say
from sweep.patches.checks.checking import Report
from sweep.patches.commands.shared import OVERVIEW_FILE, command, draw_overview_of, emit_dataset, show_leaks, title
from sweep.patches.commands.suspicions import SHEET_FILE, emit_suspicions, said_of, write_sheet
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.finding import Suspicion
from sweep.patches.look.suspicion.registry import suspicious_masks
from trainables.data.manifest import Manifest


def finish(root: Path, manifest: Manifest, report: Report, notes: Notes, watch: Watch) -> tuple[Suspicion, ...]:
    """Write manifest, overview and contact sheet of a dataset that was just made; returns the masks that look wrong."""
    manifest.write(root)
    draw_overview_of(root, title(manifest), report, notes)
    odd = suspicious_masks(replace(report, manifest=manifest), watch, notes)
    write_sheet(root / SHEET_FILE, title(manifest), report, odd, watch, notes)
    return odd


def say_made(root: Path, report: Report, odd: Sequence[Suspicion], output: Output) -> None:
    """Say what was made, what the contact sheet shows, and what to do with it."""
    emit_suspicions(odd, output)
    output.results.print(f"{root}: {report.summary()}")
    say(output.results, "overview", str(root / OVERVIEW_FILE))
    sheet = said_of(odd, root / SHEET_FILE)
    say(output.results, "contact sheet", str(sheet))
    emit_dataset(root, report, output)
    if report.leaks:
        show_leaks(root, report.leaks, output)
    output.next(command("patches check", root))
