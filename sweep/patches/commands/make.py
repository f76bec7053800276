"""``python -m sweep.patches make``."""

from __future__ import annotations

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output
from sweep.patches.checks.checking import describe
from sweep.patches.commands.add import add
from sweep.patches.commands.announcing import say_found, say_pairs, say_work
from sweep.patches.commands.finishing import finish, say_made
from sweep.patches.commands.shared import (
    check_size,
    read_sound,
    say_absent_splits,
    say_scenes,
    warn_of_absent_classes,
)
from sweep.patches.folders import new_dataset
from sweep.patches.layouts.opening import open_sources
from sweep.patches.layouts.unchanged import require_unchanged, stamps_of
from sweep.patches.look.notes import Notes
from sweep.patches.options import Make
from sweep.patches.rasters.georeference import manifest_ground
from sweep.patches.rasters.reader import forget_headers
from sweep.patches.splits.automatic import parse_shares
from sweep.patches.splits.parts import SPLIT_FILE
from sweep.patches.tiling.cutting import cut_tiles
from sweep.patches.tiling.plan import TilePlan, plan_tiles
from sweep.patches.tiling.saying import sentences, source_of, turned
from sweep.patches.tiling.survey import Nudges, parse_nudges
from sweep.rasters.gdal import gdal
from trainables.data.manifest import MAX_TEXT
from trainables.errors import DataError
from trainables.escaping import visible

MAX_GSD = 100_000
"""Metres per pixel; the coarsest satellites have some ten thousand."""


def make(options: Make, output: Output) -> None:
    """Cut a dataset out of source rasters and their masks or polygons.

    Raises:
        DataError: Everything that is wrong with the flags or the files; nothing is written then.
    """
    if options.size is not None:
        check_size(options.size)
    _check_texts(options)
    nudges = parse_nudges(options.nudge)
    parse_shares(options.shares)
    forget_headers()
    with gdal():  # once for all files
        (_make if options.add is None else add)(options, nudges, output)


def _make(options: Make, nudges: Nudges, output: Output) -> None:
    found = open_sources(options)
    say_found(options.src, found, output)
    stamps = stamps_of(path for source in found.sources.values() for path in (source.image, source.mask))
    watch = CountedItems(output.console)
    plan = plan_tiles(found, options, nudges, watch)
    say_work(options.dst, plan, output)
    if options.dry_run:
        _say_what_is_odd(plan, output)
        say_pairs(found, plan, output)
        return
    with new_dataset(options.dst, force=options.force) as root:
        cut_tiles(root, found, plan, watch=watch)
        require_unchanged(stamps)
        (root / SPLIT_FILE).write_text(plan.split_file, encoding="utf-8")
        notes = Notes(root)
        report = read_sound(
            root,
            leaks=not options.no_leak_check,
            task=plan.task,
            imagery=plan.imagery,
            scenes=plan.scenes,
            watch=watch,
            see=notes.see_all,
        )
        manifest = describe(
            report,
            name=options.title or options.dst.resolve().name,
            origin=options.origin,
            licence=options.licence,
            ground_sample_distance_m=options.gsd,
            sources={tile.name: source_of(plan, tile) for tile in plan.tiles},
            places={tile.name: (tile.window.row, tile.window.column) for tile in plan.tiles if plan.tiling.grid},
            grounds={
                tile.name: manifest_ground(plan.images.files[tile.source], tile.window.area) for tile in plan.tiles
            },
            split_origin=options.split_origin or plan.division.origin,
        )
        odd = finish(root, manifest, report, notes, watch)
    _say_what_is_odd(plan, output)
    warn_of_absent_classes(report, output)
    say_scenes(report, output)
    say_absent_splits(report, output)
    say_made(options.dst, report, odd, output)


def _check_texts(options: Make) -> None:
    """Refuse what the manifest could not hold, before any file is opened."""
    for flag, text in (("title", options.title), ("origin", options.origin), ("licence", options.licence)):
        if len(text) > MAX_TEXT or not text.isprintable():
            raise DataError(f"--{flag} {visible(text[:40])!r}: give printable text of at most {MAX_TEXT} letters")
    if options.gsd is not None and not 0 < options.gsd <= MAX_GSD:
        raise DataError(f"--gsd {options.gsd:g}: must be more than 0 and at most {MAX_GSD} metres")


def _say_what_is_odd(plan: TilePlan, output: Output) -> None:
    """Say what was chosen for the user, padded and left out."""
    lines = [line for line in (*sentences(plan), turned(plan)) if line]
    for line in lines:
        output.console.print(line)
    output.events.emit("tiles", split_origin=plan.division.origin, size=plan.tiling.size, lines=lines, **plan.counts)
