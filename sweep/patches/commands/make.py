"""``python -m sweep.patches make``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.cli.output import Output
from sweep.patches.checking import describe
from sweep.patches.commands.shared import (
    check_size,
    finish,
    read_sound,
    say_made,
    say_scenes,
    warn_of_absent_classes,
)
from sweep.patches.cutting import Cut, ReadTruth, cut_tiles, parse_nudges
from sweep.patches.folders import new_dataset
from sweep.patches.foreground import ForegroundReader, parse_foreground
from sweep.patches.georeference import require_same_place
from sweep.patches.mask_files import read_classes
from sweep.patches.options import Make
from sweep.patches.scenes import scenes_by_pattern, scenes_of_sources
from sweep.patches.sources import SourceRaster, find_images, find_sources
from sweep.patches.splits import origin_of, read_split
from sweep.patches.tasks import as_written, read_task
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
    parse_foreground(options.foreground)
    if options.foreground and (options.task or options.labels):
        other = "--task" if options.task else "--labels"
        raise DataError(f"--foreground {options.foreground}: does not go with {other}; leave one of them out")
    nudges = parse_nudges(options.nudge)
    sources, truth, task = _inputs(options)
    splits = read_split(options.split, sources)
    folders = {name: sources[name].folder for names in splits.values() for name in names}
    scenes = scenes_by_pattern(list(folders), options.group_by) if options.group_by is not None else None
    with new_dataset(options.dst, force=options.force) as root:
        cuts = cut_tiles(root, sources, splits, size=options.size, truth=truth, task=task, nudges=nudges)
        scenes = scenes or scenes_of_sources(folders, {name: done.ground for name, done in cuts.items()})
        report = read_sound(root, task=task, scenes=scenes)
        manifest = describe(
            report,
            name=options.title or options.dst.resolve().name,
            origin=options.origin,
            licence=options.licence,
            ground_sample_distance_m=options.gsd,
            sources={name: done.source for name, done in cuts.items()},
            split_origin=options.split_origin or origin_of(splits, folders),
        )
        finish(root, manifest, report)
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


def _inputs(options: Make) -> tuple[dict[str, SourceRaster], ReadTruth, Task]:
    """Return the sources, how to read their truth, and the task of what is written."""
    task = read_task(options.task) if options.task else None
    if options.layer and not options.labels:
        raise DataError(f"--layer {options.layer}: chooses a layer of a file with polygons; name it by --labels")
    if options.labels:
        from sweep.patches.label_formats import open_labels

        sources = find_images(options.src, options.labels)
        labels = open_labels(options.labels, sources, task, options.layer)
        return sources, labels.rasterise, as_written(task or Task())

    foreground = ForegroundReader(parse_foreground(options.foreground))

    def truth(source: SourceRaster, shape: tuple[int, int]) -> NDArray[np.uint8]:
        require_same_place(source)
        return read_classes(source.mask, task) if task else foreground.read(source.mask)

    return find_sources(options.src), truth, as_written(task or Task())


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
