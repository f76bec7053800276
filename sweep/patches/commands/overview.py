"""``python -m sweep.patches overview``."""

from __future__ import annotations

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output
from sweep.patches.commands.shared import OVERVIEW_FILE, command, draw_overview_of, read_sound, title, train_words
from sweep.patches.look.notes import Notes
from sweep.patches.options import Overview
from sweep.records.outputs import require_free


def overview(options: Overview, output: Output) -> None:
    """Draw the overview of a dataset.

    Raises:
        DataError: It is not sound.
        ExperimentError: The picture cannot be written, or what is there is not ours.
    """
    place = options.out or options.patches / OVERVIEW_FILE
    require_free(place, flag="--out" if options.out else "", overwrite=options.overwrite, ending=".png")
    notes = Notes(options.patches)
    report = read_sound(options.patches, leaks=False, watch=CountedItems(output.console), see=notes.small.see)
    name = title(report.manifest) if report.manifest else options.patches.resolve().name
    path = draw_overview_of(options.patches, name, report, notes, options.out, overwrite=options.overwrite)
    output.results.print(f"wrote {path}")
    output.next(command(train_words(report), options.patches))
