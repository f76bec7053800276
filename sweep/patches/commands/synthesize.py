"""``python -m sweep.patches synthesize``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sweep.cli.output import Output
from sweep.patches.checking import Report, describe
from sweep.patches.commands.shared import check_counts, check_seed, check_size, finish, read_sound, say_made
from sweep.patches.folders import new_dataset
from sweep.patches.options import Synthesize
from sweep.patches.synthesis import KINDS, LICENCE, draw_tiles, split_names
from sweep.patches.synthetic.colour_baseline import fit_colour_threshold


def synthesize(options: Synthesize, output: Output) -> None:
    """Draw a dataset of synthetic scenes."""
    kind = KINDS[options.kind]
    size = kind.size if options.size is None else options.size
    check_size(size)
    check_seed(options.seed)
    check_counts(options.counts, "24,6,6")
    splits = split_names(options.counts)
    with new_dataset(options.dst, force=options.force) as root:
        sources = draw_tiles(root, splits, size=size, seed=options.seed, kind=options.kind)
        report = read_sound(root, task=kind.task)
        manifest = describe(
            report,
            name=f"synthetic-{options.kind}",
            origin=kind.origin,
            licence=LICENCE,
            synthetic=True,
            ground_sample_distance_m=kind.ground_sample_distance_m,
            sources=sources,
            notes=_colour_threshold(report) if kind.task.binary else {},
        )
        finish(root, manifest, report)
    say_made(options.dst, report, output)


def _colour_threshold(report: Report) -> Mapping[str, Any]:
    """Say what the best threshold on one colour channel reaches, fitted on train."""
    tiles = {split: [files.tile for files in found] for split, found in report.splits.items()}
    rule = fit_colour_threshold(tiles["train"], step=1)
    return {
        "colour_threshold": {
            **asdict(rule),
            "meaning": "foreground where low <= channel <= high; the best such rule on train",
            "train_iou": round(rule.score(tiles["train"]), 4),
            "val_iou": round(rule.score(tiles["val"]), 4),
        }
    }
