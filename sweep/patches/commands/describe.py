"""``python -m sweep.patches describe``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path

import numpy as np

from sweep.cli.counting import CountedItems, Watch
from sweep.cli.output import LABEL_WIDTH, Output, say
from sweep.cli.tables import Column, Sheet
from sweep.patches.checks.checking import Report
from sweep.patches.checks.leaks import find_leaks
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.commands.shared import command, read_sound, title, train_words
from sweep.patches.commands.suspicions import say_suspicions
from sweep.patches.look.description import Drift, SplitLook, find_drift, look_at
from sweep.patches.look.description_picture import draw_picture
from sweep.patches.look.notes import Notes
from sweep.patches.look.resolution import resolution_of
from sweep.patches.look.suspicion.registry import suspicious_masks
from sweep.patches.options import Describe
from sweep.records.outputs import require_free, sealed, write_files
from trainables.class_balance import inverse_frequency
from trainables.data.imagery import Imagery
from trainables.data.scenes import scenes_of
from trainables.data.tiles import natural_order
from trainables.errors import ExperimentError
from trainables.task import Task
from trainables.wording import counted

DESCRIPTION_FILE = "description.svg"
MOST_TWINS, MOST_EMPTY = 10, 10
"""Near-duplicates and empty tiles that are named."""
MOST_SCENES = 50
"""Scenes that a table lists."""


def describe(options: Describe, output: Output) -> None:
    """Describe a dataset in tables and a picture.

    Raises:
        DataError: It is not sound.
        ExperimentError: The picture's name does not end in .svg, it cannot be written, or what is there is not ours.
    """
    root = options.patches
    path, flag = options.out or root / DESCRIPTION_FILE, "--out" if options.out else ""
    if path.suffix.lower() != ".svg":
        raise ExperimentError(f"--out {path}: must end in .svg")
    require_free(path, flag=flag, overwrite=options.overwrite, ending=".svg")
    watch = CountedItems(output.console)
    notes = Notes(root)
    report = read_sound(root, leaks=False, viewed=True, watch=watch, see=notes.see_masks)
    bands = report.imagery.bands
    looks = {
        split: look_at(watch(f"describing {split}", report.pictures(tiles), len(tiles)), report.task, bands)
        for split, tiles in report.splits.items()
        if tiles
    }
    drifts = find_drift(looks)
    weights = inverse_frequency(looks["train"].pixels)
    name = title(report.manifest) if report.manifest else root.resolve().name
    picture = sealed(draw_picture(name, looks, drifts, report.task, bands), ".svg")
    write_files({path: picture}, flag=flag, overwrite=options.overwrite, ending=".svg", make_folders=False)
    output.results.print(_looks_table(root, looks))
    output.results.print(_sizes_table(looks))
    output.results.print(_bands_table(looks, report.imagery))
    output.results.print(_balance_table(looks, weights, report.task))
    if drifts:
        output.results.print(_drift_table(drifts))
    _say_scenes(report, output)
    resolution = resolution_of(report.manifest)
    ground = resolution.words if resolution else "metres per pixel are not known"
    say(output.results, "ground", ground)
    _say_empty(looks, output)
    _say_twins(report.splits, output, watch)
    say_suspicions(suspicious_masks(report, watch, notes), output, rest=command("patches sheet", root))
    if not report.task.binary:
        line = f'class_weights = "{",".join(f"{weight:.4g}" for weight in weights)}"'
        say(output.results, "for a recipe", line)
    say(output.results, "picture", str(path))
    for split, look in looks.items():
        shares = dict(zip(report.task.classes, look.shares.tolist(), strict=True))
        output.events.emit(
            "look",
            split=split,
            tiles=look.tiles,
            shares=shares,
            ignored=look.ignored,
            sizes=dict(look.sizes),
            bands=list(bands),
            means=look.means.tolist(),
            deviations=look.deviations.tolist(),
            ranges=look.ranges.tolist(),
            empty=list(look.empty),
        )
    known = None if resolution is None else [resolution.least, resolution.median, resolution.most]
    output.events.emit("ground", metres_per_pixel=known)
    for drift in drifts:
        output.events.emit("drift", **asdict(drift))
    output.events.emit("class_weights", weights=dict(zip(report.task.classes, weights, strict=True)))
    output.next(command(train_words(report), root))


def _looks_table(root: Path, looks: Mapping[str, SplitLook]) -> Sheet:
    columns = [
        Column(heading="split", value=lambda row: row[0]),
        Column(heading="tiles", value=lambda row: row[1].tiles, right=True),
        Column(heading="empty", value=lambda row: len(row[1].empty), right=True),
        Column(
            heading="sharpness (median)",
            value=lambda row: float(np.median(row[1].features["sharpness"])),
            format=".0f",
            right=True,
        ),
    ]
    return Sheet(f"{root}: what the tiles look like", columns, looks.items())


def _sizes_table(looks: Mapping[str, SplitLook]) -> Sheet:
    total = sum((Counter(look.sizes) for look in looks.values()), Counter[str]())
    columns = [Column(heading="size in pixels", value=itemgetter(0), least=16)]
    columns += [Column(heading=one, value=itemgetter(index), right=True) for index, one in enumerate(looks, 1)]
    rows = [(size, *(look.sizes.get(size, 0) for look in looks.values())) for size, _ in total.most_common()]
    return Sheet(f"sizes: {len(rows)}, and how many tiles have them", columns, rows)


def _bands_table(looks: Mapping[str, SplitLook], imagery: Imagery) -> Sheet:
    columns = [Column(heading="band", value=itemgetter(0), least=8)]
    for split in looks:
        for heading in (f"{split} mean ± sd", f"{split} range"):
            columns.append(Column(heading=heading, value=itemgetter(len(columns)), right=True))
    rows = []
    for place, name in enumerate(imagery.bands):
        cells = [name]
        for look in looks.values():
            low, high = look.ranges[place].tolist()
            cells += [f"{look.means[place]:.0f} ± {look.deviations[place]:.0f}", f"{low} to {high}"]
        rows.append(tuple(cells))
    scaled = "" if imagery.scale is None else ", as scaled to bytes"
    return Sheet(f"{counted(len(rows), 'band')} of {imagery.stored}{scaled}", columns, rows)


def _say_empty(looks: Mapping[str, SplitLook], output: Output) -> None:
    """Name the tiles that show the first class alone."""
    names = [name for look in looks.values() for name in look.empty]
    more = f" and {len(names) - MOST_EMPTY} more; --json lists all" if len(names) > MOST_EMPTY else ""
    shown = f": {', '.join(names[:MOST_EMPTY])}{more}" if names else ""
    say(output.results, "empty tiles", f"{len(names) or 'none'}{shown}")


def _balance_table(looks: Mapping[str, SplitLook], weights: Sequence[float], task: Task) -> Sheet:
    headings = (*looks, "suggested weight (train)")
    columns = [Column(heading="class", value=itemgetter(0), least=16)]
    columns += [Column(heading=one, value=itemgetter(index), right=True) for index, one in enumerate(headings, 1)]
    rows = [
        (
            name,
            *(f"{look.shares[index]:.1%}" for look in looks.values()),
            f"{weights[index]:.3g}" if weights[index] else "no pixel",
        )
        for index, name in enumerate(task.classes)
    ]
    if task.ignores_pixels:
        rows.append(("(ignored, of all pixels)", *(f"{look.ignored:.1%}" for look in looks.values()), ""))
    return Sheet("class balance: share of the labelled pixels", columns, rows)


def _drift_table(drifts: Sequence[Drift]) -> Sheet:
    title = "drift from train, tile by tile (d: standardised mean difference; p: Kolmogorov-Smirnov, after Holm)"
    columns = [Column(heading="feature", value=itemgetter(0), least=16)]
    for split in dict.fromkeys(drift.split for drift in drifts):
        for name in ("d", "p", "drift"):
            right = name != "drift"
            columns.append(Column(heading=f"{split} {name}", value=itemgetter(len(columns)), right=right))
    rows = []
    for feature in dict.fromkeys(drift.feature for drift in drifts):
        cells = [feature]
        for drift in drifts:
            if drift.feature == feature:
                cells += [f"{drift.difference:+.2f}".replace("+nan", "-"), f"{drift.probability:.2f}", drift.verdict]
        rows.append(tuple(cells))
    return Sheet(title, columns, rows)


def _say_scenes(report: Report, output: Output) -> None:
    """Count the tiles of every scene."""
    names = {split: [files.name for files in tiles] for split, tiles in report.splits.items()}
    scenes = scenes_of([name for found in names.values() for name in found], report.scenes.of, None, ())
    say(output.results, "scenes", report.scenes.origin)
    counts = {split: Counter(scenes.of[name] for name in found) for split, found in names.items()}
    total = sum(counts.values(), Counter())
    if len(total) == total.total():
        return
    rows = [
        (scene, total[scene], *(counts[split][scene] for split in counts)) for scene in sorted(total, key=natural_order)
    ]
    columns = [Column(heading="scene", value=itemgetter(0), least=16)]
    columns += [
        Column(heading=heading, value=itemgetter(index), right=True)
        for index, heading in enumerate(("tiles", *counts), 1)
    ]
    output.results.print(Sheet("tiles of each scene", columns, rows[:MOST_SCENES]))
    if len(rows) > MOST_SCENES:
        output.results.print(f"and {len(rows) - MOST_SCENES} more; --json lists all")
    for scene, tiles, *parts in rows:
        output.events.emit("scene", scene=scene, tiles=tiles, splits=dict(zip(counts, parts, strict=True)))


def _say_twins(splits: Mapping[str, Sequence[CheckedTile]], output: Output, watch: Watch) -> None:
    """List tiles that show the same ground, also within a split."""
    tiles = [files for found in splits.values() for files in found]
    twins = find_leaks({"all": tiles}, {}, watch)
    output.results.print(f"{'near-duplicates':{LABEL_WIDTH}} {len(twins) or 'none'}")
    for twin in twins[:MOST_TWINS]:
        output.results.print(f"  {twin}")
    if len(twins) > MOST_TWINS:
        output.results.print(f"  and {len(twins) - MOST_TWINS} more; --json lists all")
    for twin in twins:
        output.events.emit("near_duplicate", first=twin.first, second=twin.second, how=twin.how)
