"""``python -m sweep.patches overview``."""

from __future__ import annotations

from sweep.dataset.commands.shared import command, draw_overview_of, read_sound, title
from sweep.dataset.options import Overview
from sweep.engine.output import Output


def overview(options: Overview, output: Output) -> None:
    """Draw the overview of a dataset."""
    report = read_sound(options.patches, leaks=False)
    name = title(report.manifest) if report.manifest else options.patches.resolve().name
    path = draw_overview_of(options.patches, name, report, options.out)
    output.results.print(f"wrote {path}", highlight=False)
    output.next(command("phase1", options.patches))
