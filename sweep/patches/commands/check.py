"""``python -m sweep.patches check``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.cli.counting import CountedItems
from sweep.cli.faults import SHOWN_FAULTS, the_rest
from sweep.cli.output import Output
from sweep.cli.tables import Sheet, columns_of
from sweep.patches.checks.checking import Report, describe
from sweep.patches.checks.checking import check as check_dataset
from sweep.patches.commands.shared import (
    command,
    emit_dataset,
    say_absent_splits,
    say_scenes,
    show_leaks,
    train_words,
    warn_of_absent_classes,
)
from sweep.patches.options import CheckOptions
from sweep.patches.splits.scenes import KnownScenes, scenes_by_pattern, scenes_of_manifest
from sweep.patches.tasks import read_task
from trainables.data.crops import largest_crop, listed, smaller_than
from trainables.data.manifest import Manifest
from trainables.errors import DataError


def check(options: CheckOptions, output: Output) -> int:
    """Check a dataset; returns the exit code."""
    root = options.patches
    old = _old_manifest(root) if options.update or options.task else None
    task = read_task(options.task) if options.task else old.task if old else None
    report = check_dataset(
        root,
        against_manifest=not options.update,
        leaks=not options.no_leak_check,
        task=task,
        scenes=_scenes(options, old),
        watch=CountedItems(output.console),
    )
    again = command("patches check", root)
    if report.faults:
        _show_faults(root, report.faults, output)
        output.next(again)
        return 2
    manifest = report.manifest
    if options.update or options.task or manifest is None:
        manifest = _fresh_manifest(root, report, old)
    manifest = replace(
        manifest,
        files=_with_scenes(manifest.files, report),
        leaks=report.leaks,
        same_ground=report.same_ground,
        split_origin=options.split_origin or manifest.split_origin,
    )
    if manifest != report.manifest:
        manifest.write(root)
        output.console.print(f"wrote {root / 'manifest.json'}")
    if report.leaks:
        say_scenes(report, output)
        show_leaks(root, report.leaks, output)
        output.next(again)
        return 2
    output.results.print(
        f"{root}: sound. {report.summary()}{', none in two splits' if report.leaks is not None else ''}"
    )
    say_scenes(report, output)
    say_absent_splits(report, output)
    train = report.splits["train"]
    if narrow := smaller_than(train, largest := largest_crop(train)):
        output.results.print(
            f"train tiles smaller than others: {listed(narrow)}; where a sweep's crop is larger than they are, up to "
            f"{largest} px, they are padded with pixels that do not count",
            markup=False,
        )
    emit_dataset(root, report, output)
    warn_of_absent_classes(report, output)
    output.next(command(train_words(report), root))
    return 0


def _scenes(options: CheckOptions, old: Manifest | None) -> Callable[[Sequence[str]], KnownScenes] | None:
    """Return what gives the scenes; None for what the manifest says, where that is read anyway."""
    if (pattern := options.group_by) is not None:
        return lambda names: scenes_by_pattern(names, pattern)
    return (lambda names: scenes_of_manifest(names, old)) if options.update else None


def _with_scenes(files: Mapping[str, Mapping[str, Any]], report: Report) -> dict[str, dict[str, Any]]:
    """Return a manifest's entries with the scenes that are known, and no others."""
    entries = {path: {key: value for key, value in entry.items() if key != "scene"} for path, entry in files.items()}
    for one in (files for split in report.splits.values() for files in split):
        if scene := report.scenes.of.get(one.name):
            entries[one.image]["scene"] = scene
    return entries


def _show_faults(root: Path, faults: tuple[str, ...], output: Output) -> None:
    rows = []
    for fault in faults:
        place, _, rest = fault.partition(": ")
        what, _, fix = rest.rpartition("; ")
        rows.append((place, what, fix))
        output.events.emit("fault", file=place, fault=what, fix=fix)
    title = f"{root}: {len(faults)} faults"
    output.results.print(Sheet(title, columns_of("file", "fault", "fix"), rows[:SHOWN_FAULTS]))
    if rest := the_rest(faults):
        output.results.print(rest)


def _old_manifest(root: Path) -> Manifest | None:
    try:
        return Manifest.read(root)
    except DataError:  # a damaged manifest is what --update replaces
        return None


def _fresh_manifest(root: Path, report: Report, old: Manifest | None) -> Manifest:
    """Describe the files as they are, and keep what an old manifest says besides."""
    fresh = describe(report, name=root.resolve().name, origin="unknown", licence="unknown")
    if old is None:
        return fresh
    return replace(old, splits=fresh.splits, files=_keep_sources(old, fresh), task=fresh.task)


def _keep_sources(old: Manifest, fresh: Manifest) -> Mapping[str, Mapping[str, Any]]:
    kept = ("source", "row", "column", "transform", "crs", "metres_per_pixel")
    return {
        path: {**entry, **{key: value for key, value in old.files.get(path, entry).items() if key in kept}}
        for path, entry in fresh.files.items()
    }
