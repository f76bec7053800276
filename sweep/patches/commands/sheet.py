"""``python -m sweep.patches sheet``."""

from __future__ import annotations

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output
from sweep.patches.commands.shared import command, read_sound, title, train_words
from sweep.patches.commands.suspicions import SHEET_FILE, say_suspicions, write_sheet
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.registry import suspicious_masks
from sweep.patches.options import SheetOptions
from sweep.records.outputs import require_free
from trainables.errors import ExperimentError


def sheet(options: SheetOptions, output: Output) -> None:
    """Write the contact sheet of a dataset.

    Raises:
        DataError: It is not sound.
        ExperimentError: The file's name does not end in .html, it cannot be written, or what is there is not ours.
    """
    root, flag = options.patches, "--out" if options.out else ""
    path = options.out or root / SHEET_FILE
    if path.suffix.lower() != ".html":
        raise ExperimentError(f"--out {path}: must end in .html")
    require_free(path, flag=flag, overwrite=options.overwrite, ending=".html")
    watch = CountedItems(output.console)
    notes = Notes(root)
    report = read_sound(root, leaks=False, watch=watch, see=notes.see_for_sheet)
    found = suspicious_masks(report, watch, notes)
    name = title(report.manifest) if report.manifest else root.resolve().name
    drawn = write_sheet(path, name, report, found, watch, notes, flag=flag, overwrite=options.overwrite)
    say_suspicions(found, output, rest=str(path))
    output.results.print(f"wrote {path}: {drawn.shown:,} of {drawn.tiles:,} tiles")
    output.events.emit("sheet", path=str(path), shown=drawn.shown, tiles=drawn.tiles)
    output.next(command(train_words(report), root))
