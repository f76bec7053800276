"""``python -m sweep.patches make``."""

from __future__ import annotations

from sweep.cli.output import Output
from sweep.patches.checks.checking import describe
from sweep.patches.commands.announcing import say_found, say_pairs
from sweep.patches.commands.shared import (
    check_size,
    finish,
    read_sound,
    say_made,
    say_scenes,
    warn_of_absent_classes,
)
from sweep.patches.folders import new_dataset
from sweep.patches.layouts.opening import open_sources
from sweep.patches.layouts.unchanged import require_unchanged, stamps_of
from sweep.patches.options import Make
from sweep.patches.rasters.choosing import look_at_images
from sweep.patches.splits.chosen import origin_of, read_split
from sweep.patches.splits.scenes import scenes_by_pattern, scenes_of_sources
from sweep.patches.tiling.cutting import Cut, cut_tiles, parse_nudges
from trainables.data.manifest import MAX_TEXT
from trainables.errors import DataError
from trainables.escaping import visible
from trainables.task import Task

MAX_GSD = 100_000
"""Metres a pixel; the coarsest satellites have some ten thousand."""


def make(options: Make, output: Output) -> None:
    """Cut a dataset out of source rasters and their masks or polygons.

    Raises:
        DataError: Everything that is wrong with the flags or the files; nothing is written then.
    """
    check_size(options.size)
    _check_sheet(options)
    nudges = parse_nudges(options.nudge)
    found = open_sources(options)
    say_found(options.src, found, output)
    stamps = stamps_of(path for source in found.sources.values() for path in (source.image, source.mask))
    sources, task = found.sources, found.task
    splits = read_split(options.split, sources)
    if options.dry_run:
        say_pairs(found, splits, output)
        return
    folders = {name: sources[name].folder for names in splits.values() for name in names}
    published = {name: sources[name].split for name in folders}
    scenes = scenes_by_pattern(list(folders), options.group_by) if options.group_by is not None else None
    images = look_at_images([sources[name] for name in folders], options.bands, options.scale)
    task, truth = images.task(task), images.ignoring(found.truth)
    with new_dataset(options.dst, force=options.force) as root:
        cuts = cut_tiles(root, sources, splits, size=options.size, truth=truth, task=task, images=images, nudges=nudges)
        require_unchanged(stamps)
        scenes = scenes or scenes_of_sources(folders, {name: done.ground for name, done in cuts.items()})
        report = read_sound(root, task=task, imagery=images.reading.imagery, scenes=scenes)
        manifest = describe(
            report,
            name=options.title or options.dst.resolve().name,
            origin=options.origin,
            licence=options.licence,
            ground_sample_distance_m=options.gsd,
            sources={name: done.source for name, done in cuts.items()},
            split_origin=options.split_origin or origin_of(splits, published),
        )
        finish(root, manifest, report)
    for note in images.notes:
        output.console.print(note, markup=False)
    _say_what_is_odd(cuts, len(sources) - len(cuts), task, output)
    warn_of_absent_classes(report, output)
    say_scenes(report, output)
    say_made(options.dst, report, output)


def _check_sheet(options: Make) -> None:
    """Refuse what the manifest could not hold, before any file is opened."""
    for flag, text in (("title", options.title), ("origin", options.origin), ("licence", options.licence)):
        if len(text) > MAX_TEXT or not text.isprintable():
            raise DataError(f"--{flag} {visible(text[:40])!r}: give printable text of at most {MAX_TEXT} letters")
    if options.gsd is not None and not 0 < options.gsd <= MAX_GSD:
        raise DataError(f"--gsd {options.gsd:g}: must be more than 0 and at most {MAX_GSD} metres")


def _say_what_is_odd(cuts: dict[str, Cut], unused: int, task: Task, output: Output) -> None:
    wanted = "foreground" if task.binary else f"beyond {task.classes[0]}"
    for name, done in cuts.items():
        if done.poor:
            line = f"{name}: no window reaches 5 % {wanted}; took {done.window.share:.1%}"
            output.console.print(line)
    if turned := [name for name, done in cuts.items() if done.turned]:
        output.console.print(
            f"{len(turned)} images were turned upright, as their EXIF orientation says ({', '.join(turned[:3])}"
            f"{', ...' if len(turned) > 3 else ''}): their masks must show them upright, too"
        )
    if unused:
        output.console.print(f"{unused} sources are in no split and were left out")
