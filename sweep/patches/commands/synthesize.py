"""``python -m sweep.patches synthesize``."""

from __future__ import annotations

from dataclasses import replace

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output
from sweep.patches.checks.checking import describe
from sweep.patches.commands.shared import check_counts, check_size, finish, read_sound, say_made, title
from sweep.patches.commands.suspicions import SHEET_FILE, emit_suspicions, said_of, write_sheet
from sweep.patches.folders import new_dataset
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.registry import suspicious_masks
from sweep.patches.options import Synthesize
from sweep.patches.synthesis import KINDS, LICENCE, draw_tiles, split_names


def synthesize(options: Synthesize, output: Output) -> None:
    """Draw a dataset of synthetic scenes."""
    kind = KINDS[options.kind]
    size = kind.size if options.size is None else options.size
    check_size(size)
    check_counts(options.counts, "24,6,6")
    splits = split_names(options.counts)
    watch = CountedItems(output.console)
    with new_dataset(options.dst, force=options.force) as root:
        sources = draw_tiles(root, splits, size=size, seed=options.seed, kind=options.kind)
        notes = Notes(root)
        report = read_sound(root, task=kind.task, watch=watch, see=notes.see_all)
        manifest = describe(
            report,
            name=f"synthetic-{options.kind}",
            origin=kind.origin,
            licence=LICENCE,
            synthetic=True,
            ground_sample_distance_m=kind.ground_sample_distance_m,
            sources=sources,
            split_origin="automatic",
        )
        finish(root, manifest, report, notes)
        odd = suspicious_masks(replace(report, manifest=manifest), watch, notes)
        write_sheet(root / SHEET_FILE, title(manifest), report, odd, watch, notes)
    emit_suspicions(odd, output)
    say_made(options.dst, report, output, sheet=said_of(odd, options.dst / SHEET_FILE))
