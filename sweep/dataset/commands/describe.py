"""``python -m sweep.patches describe``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from sweep.dataset.commands.shared import command, read_sound, title
from sweep.dataset.description import CHANNELS, Drift, SplitLook, find_drift, look_at_all
from sweep.dataset.description_picture import write_picture
from sweep.dataset.leaks import find_leaks
from sweep.dataset.options import Describe
from sweep.engine.output import LABEL_WIDTH, Output
from trainables.class_balance import inverse_frequency
from trainables.data.manifest import Leak
from trainables.data.tiles import TileFiles
from trainables.errors import DataError
from trainables.task import Task

DESCRIPTION_FILE = "description.png"
MOST_COMPARED = 150
"""Tiles that are all compared with each other for near-duplicates; the time grows with the square of their number."""


def describe(options: Describe, output: Output) -> None:
    """Describe a dataset in tables and a picture.

    Raises:
        DataError: It is not sound, or the picture cannot be written.
    """
    root = options.patches
    report = read_sound(root, leaks=False)
    looks = look_at_all(report.splits, report.task)
    drifts = find_drift(looks)
    weights = inverse_frequency(looks["train"].pixels)
    name = title(report.manifest) if report.manifest else root.resolve().name
    path = options.out or root / DESCRIPTION_FILE
    _write(path, name, looks, drifts, report.task)
    output.results.print(_looks_table(root, looks))
    output.results.print(_balance_table(looks, weights, report.task))
    output.results.print(_drift_table(drifts))
    _say_twins(report.splits, output)
    if not report.task.binary:
        line = f'class_weights = "{",".join(f"{weight:.4g}" for weight in weights)}"'
        output.results.print(f"{'for a recipe':{LABEL_WIDTH}}{line}", highlight=False, soft_wrap=True)
    output.results.print(f"{'picture':{LABEL_WIDTH}}{path}", highlight=False, soft_wrap=True)
    for split, look in looks.items():
        shares = dict(zip(report.task.classes, look.shares.tolist(), strict=True))
        means, deviations = look.means.tolist(), look.deviations.tolist()
        output.events.emit("look", split=split, tiles=look.tiles, shares=shares, means=means, deviations=deviations)
    for drift in drifts:
        output.events.emit(
            "drift",
            split=drift.split,
            feature=drift.feature,
            difference=drift.difference,
            statistic=drift.statistic,
            probability=drift.probability,
        )
    output.events.emit("class_weights", weights=dict(zip(report.task.classes, weights, strict=True)))
    output.next(command("phase1", root))


def _write(path: Path, name: str, looks: Mapping[str, SplitLook], drifts: Sequence[Drift], task: Task) -> None:
    try:
        write_picture(path, name, looks, drifts, task)
    except OSError as error:
        raise DataError(f"--out {path}: cannot be written ({error.strerror}); choose another place") from error


def _looks_table(root: Path, looks: Mapping[str, SplitLook]) -> Table:
    table = Table(title=f"{root}: what the tiles look like", title_justify="left")
    for heading in ("split", "tiles", "sizes", *(f"{one} mean ± sd" for one in CHANNELS), "sharpness (median)"):
        table.add_column(heading, justify="left" if heading in ("split", "sizes") else "right")
    for split, look in looks.items():
        sizes = ", ".join(f"{size} ({count})" for size, count in sorted(look.sizes.items())[:3])
        sizes += f" and {len(look.sizes) - 3} more" if len(look.sizes) > 3 else ""
        colours = [f"{mean:.0f} ± {sd:.0f}" for mean, sd in zip(look.means, look.deviations, strict=True)]
        sharpness = float(np.median(look.features["sharpness"]))
        table.add_row(split, str(look.tiles), sizes, *colours, f"{sharpness:.0f}")
    return table


def _balance_table(looks: Mapping[str, SplitLook], weights: Sequence[float], task: Task) -> Table:
    table = Table(title="class balance: share of the labelled pixels", title_justify="left")
    table.add_column("class", overflow="fold")
    for heading in (*looks, "suggested weight (train)"):
        table.add_column(heading, justify="right")
    for index, name in enumerate(task.classes):
        shares = [f"{look.shares[index]:.1%}" for look in looks.values()]
        table.add_row(name, *shares, f"{weights[index]:.3g}" if weights[index] else "no pixel")
    if task.ignores_pixels:
        table.add_row("(ignored, of all pixels)", *(f"{look.ignored:.1%}" for look in looks.values()), "")
    return table


def _drift_table(drifts: Sequence[Drift]) -> Table:
    heading = "drift from train, tile by tile (d: standardised mean difference; p: Kolmogorov-Smirnov, after Holm)"
    table = Table(title=heading, title_justify="left")
    table.add_column("feature", overflow="fold")
    for split in ("val", "test"):
        for column in ("d", "p", ""):
            table.add_column(f"{split} {column}".strip() if column else "", justify="right" if column else "left")
    for feature in dict.fromkeys(drift.feature for drift in drifts):
        cells = []
        for drift in drifts:
            if drift.feature == feature:
                cells += [f"{drift.difference:+.2f}", f"{drift.probability:.2f}", drift.verdict]
        table.add_row(feature, *(cell.replace("+nan", "-") for cell in cells))
    return table


def _say_twins(splits: Mapping[str, Sequence[TileFiles]], output: Output) -> None:
    """List tiles that show the same ground, also within a split."""
    tiles = [files for found in splits.values() for files in found]
    if len(tiles) > MOST_COMPARED:
        output.console.print(f"{len(tiles)} tiles are too many to look for near-duplicates here", highlight=False)
        return
    # A split of its own a tile: find_leaks compares tiles of different splits.
    twins: list[Leak] = find_leaks({files.image: (files,) for files in tiles})
    output.results.print(f"{'near-duplicates':{LABEL_WIDTH}} {len(twins) or 'none'}", highlight=False)
    for twin in twins:
        output.results.print(f"  {twin}", highlight=False, soft_wrap=True)
        output.events.emit("near_duplicate", first=twin.first, second=twin.second, how=twin.how)
