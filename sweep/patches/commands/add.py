"""``python -m sweep.patches make --add``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.cli.counting import CountedItems
from sweep.cli.output import Output, say
from sweep.patches.adding.earlier import EarlierDataset
from sweep.patches.adding.merging import MergedTiles, merge
from sweep.patches.adding.prelabels import choice_of
from sweep.patches.checks.checking import describe
from sweep.patches.commands.announcing import say_found, say_pairs, say_work
from sweep.patches.commands.finishing import finish, say_made
from sweep.patches.commands.shared import read_sound, say_absent_splits, say_scenes, warn_of_absent_classes
from sweep.patches.folders import new_dataset
from sweep.patches.layouts.opening import open_sources
from sweep.patches.layouts.unchanged import require_unchanged, stamps_of
from sweep.patches.look.notes import Notes
from sweep.patches.options import Make
from sweep.patches.tiling.cutting import cut_tiles
from sweep.patches.tiling.plan import plan_tiles
from sweep.patches.tiling.saying import sentences, turned
from sweep.patches.tiling.survey import Nudges
from sweep.records.choice import Choice
from trainables.data.tiles import SPLITS
from trainables.wording import counted


def add(options: Make, nudges: Nudges, output: Output) -> None:
    """Write a dataset's next version: its own tiles in their splits, and the new ones in train unless said.

    Raises:
        DataError: Everything that is wrong with the flags or the files; nothing is written then.
    """
    assert options.add is not None
    earlier = EarlierDataset.open(options.add, options.dst)
    choice = choice_of(options.labels or options.src) or choice_of(options.src)
    found = open_sources(options, meaning=earlier.meaning)
    say_found(options.src, found, output)
    stamps = stamps_of(path for source in found.sources.values() for path in (source.image, source.mask))
    watch = CountedItems(output.console)
    plan = plan_tiles(found, options, nudges, watch, imagery=earlier.manifest.imagery)
    ignored = any(tile.window.ignored for tile in plan.tiles)
    plan = replace(plan, task=earlier.merged_task(plan.task, ignored=ignored))
    merged = merge(earlier, plan, choice, options.group_by)
    say_work(options.dst, plan, output)
    for line in filter(None, (*sentences(plan), turned(plan))):
        output.console.print(line)
    if options.dry_run:
        say_pairs(found, plan, output)
        return
    with new_dataset(options.dst, force=options.force) as root:
        earlier.copy(root, plan.task)
        cut_tiles(root, found, plan, watch=watch)
        require_unchanged(stamps)
        notes = Notes(root)
        report = read_sound(
            root,
            leaks=not options.no_leak_check,
            task=plan.task,
            imagery=earlier.manifest.imagery,
            scenes=merged.scenes,
            watch=watch,
            see=notes.see_all,
        )
        manifest = describe(report, **_words(options, earlier, merged, choice))
        manifest = replace(manifest, history=earlier.history(merged.added, choice["strategy"] if choice else ""))
        odd = finish(root, manifest, report, notes, watch)
    _say_added(options.dst, earlier, plan.counts, output)
    warn_of_absent_classes(report, output)
    say_scenes(report, output)
    say_absent_splits(report, output)
    say_made(options.dst, report, odd, output)


def _words(options: Make, earlier: EarlierDataset, merged: MergedTiles, choice: Choice | None) -> dict[str, Any]:
    """Return what ``describe`` does not find by itself: the dataset's own words, unless others were typed."""
    before = earlier.manifest
    return {
        "name": options.title or before.name,
        "origin": before.origin if options.origin == "unknown" else options.origin,
        "licence": before.licence if options.licence == "unknown" else options.licence,
        "version": earlier.next_version,
        "synthetic": before.synthetic,
        "ground_sample_distance_m": options.gsd or before.ground_sample_distance_m,
        "notes": before.notes,
        "split_origin": options.split_origin or before.split_origin,
        "sources": merged.sources,
        "places": merged.places,
        "grounds": merged.grounds,
    }


def _say_added(root: Path, earlier: EarlierDataset, counts: Mapping[str, int], output: Output) -> None:
    """Say what is new, and that nothing else is."""
    new = ", ".join(f"{counted(counts[split], 'tile')} to {split}" for split in SPLITS if counts[split])
    old = len(earlier.names)
    text = f"{new}; the {old:,} of {earlier.root} stay in their splits"
    say(output.results, "added", text)
    output.events.emit("added", path=str(root), added=dict(counts), earlier=old, version=earlier.next_version)
