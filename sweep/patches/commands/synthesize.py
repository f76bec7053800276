"""``python -m sweep.patches synthesize``."""

from __future__ import annotations

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output
from sweep.patches.checks.checking import describe
from sweep.patches.commands.finishing import finish, say_made
from sweep.patches.commands.shared import check_counts, check_size, read_sound
from sweep.patches.folders import new_dataset
from sweep.patches.look.notes import Notes
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
        odd = finish(root, manifest, report, notes, watch)
    say_made(options.dst, report, odd, output)
