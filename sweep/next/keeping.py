"""Keeps what was chosen with the experiment whose model looked, so that its report shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sweep.cli.output import Output, say
from sweep.next.folder import SHEET
from sweep.next.labelled import LabelledSet
from sweep.next.options import NextOptions
from sweep.next.strategies.strategy import Strategy
from sweep.next.table import ChosenRow
from sweep.records.labelling import FORMAT, MOST_KEPT, NEXT_FILE, NextRecord, keep_with
from sweep.results.ensemble import Ensemble


def keep_chosen(
    options: NextOptions,
    rows: Sequence[ChosenRow],
    strategy: Strategy,
    windows: int,
    ensemble: Ensemble,
    labelled: LabelledSet,
    output: Output,
) -> None:
    """Write the choice beside the experiment; nothing where the model is a file by itself.

    Args:
        options: What the user typed.
        rows: What was chosen, the first one to label first.
        strategy: How.
        windows: Out of how many.
        ensemble: Looked at them.
        labelled: What was labelled before.
        output: Says where it is.
    """
    if ensemble.experiment is None:
        return
    record: NextRecord = {
        "format": FORMAT,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "fingerprint": labelled.data.fingerprint if labelled.data else "",
        "strategy": strategy.name,
        "windows": windows,
        "chosen": len(rows),
        "first": [
            {
                "name": row.name,
                "raster": row.raster,
                "x": row.left,
                "y": row.top,
                "size": row.size,
                "entropy": row.entropy,
            }
            for row in rows[:MOST_KEPT]
        ],
        "page": str((options.out / SHEET).resolve()),
    }
    if kept := keep_with(options.storage, ensemble.experiment.name, NEXT_FILE, json.dumps(record).encode()):
        say(output.results, "kept with", f"{kept.address}, so that its report shows it")
