"""The leaderboard: a row a contender, with the study's columns and what chance may have done."""

from __future__ import annotations

import csv
import io
import json
from functools import cached_property
from operator import itemgetter
from typing import Any

import pyarrow as pa
from rich.console import Console

from sweep.cli.durations import duration
from sweep.cli.tables import ALWAYS, Column, Sheet
from sweep.records.experiment import Experiment
from sweep.records.store import TRIALS_FILE, gather, write_tables
from sweep.results.classes import ClassRow, class_rows, class_table, task_of
from sweep.results.entries import Readings, read_entries
from sweep.results.figures import write_comparison
from sweep.results.scaling import Scaling, scalings
from sweep.results.standings import Standing, stand
from sweep.results.verdict import TIE_MARK, caveats, share, verdict
from trainables.errors import StorageError
from trainables.escaping import csv_cell, markdown_cell
from trainables.task import Task

COLUMNS = {
    "rank": "right",
    "model": "left",
    "weights": "left",
    "LR": "right",
    "aug": "left",
    "dropout": "right",
    "loss": "right",
    "best epoch": "right",
    "val IoU": "right",
    "val F1": "right",
    "P(best)": "right",
    "test IoU": "right",
    "test F1": "right",
    "time": "right",
}
PRIORITIES = {
    "rank": ALWAYS,
    "model": ALWAYS,
    "val IoU": ALWAYS,
    "test IoU": 2,
    "weights": 3,
    "P(best)": 4,
    "test F1": 6,
    "val F1": 7,
    "best epoch": 8,
    "time": 9,
    **dict.fromkeys(("LR", "aug", "dropout", "loss"), 10),
}
"""What a narrow terminal keeps, see ``Column.priority``; a column that is not listed has 5."""
COMMON = ("weights", "LR", "aug", "dropout", "loss")
"""Columns that are said once above the table where all rows agree."""
MODEL_WIDTH = 24
"""Characters down to which the models' names are wrapped before another column leaves."""
SCORES = {"val IoU": "val_iou", "val F1": "val_f1", "test IoU": "test_iou", "test F1": "test_f1"}
AGAIN_MARK = "*"
LEAK_MARK = "[leak]"
COLLAPSE_MARK = "[collapsed]"


class Leaderboard:
    """The ranked contenders of an experiment, best val IoU first: test is no ground for a choice.

    Attributes:
        experiment: Whose.
        trials: Every trial's row.
        entries: The contenders with their scores a tile.
        standings: The contenders that may be ranked together; those of the largest tile budget first.
        rows: All of their rows in that order, with test scores where the ledger has a reading; a contender that has no
            finished training yet is there with its first trial.
        tables: File name to table, as ``gather`` returns them.
        written: Whether they were written into the experiment, too.

    Args:
        experiment: Whose contenders; its tables are gathered again.
        must_write: Fail where the tables cannot be written into the experiment.

    Raises:
        ExperimentError: The experiment cannot be read, or its records are damaged, or see above.
    """

    def __init__(self, experiment: Experiment, *, must_write: bool = True) -> None:
        self.experiment = experiment
        readings = Readings(experiment)
        self._earlier = readings.earlier
        self.tables = gather(experiment)
        try:
            write_tables(experiment, self.tables)
            self.written = True
        except StorageError:
            if must_write:
                raise
            self.written = False
        self.trials: list[dict[str, Any]] = self.tables[TRIALS_FILE].to_pylist()
        self.entries = read_entries(experiment, self.trials, readings)
        self.standings: list[Standing] = stand(self.entries)
        self.rows: list[dict[str, Any]] = [row for standing in self.standings for row in standing.rows]

    @property
    def failures(self) -> list[str]:
        """Contenders of which a training failed."""
        return [row["entry"] for row in self.rows if row["repeats_failed"]]

    @property
    def title(self) -> str:
        """Name of experiment and data, and whether the data was drawn by a program."""
        data = self.experiment.description["data"]
        kind = " (synthetic tiles, not photographs)" if data["synthetic"] else ""
        return f"{self.experiment.name} on {data['name']}{kind}"

    @property
    def answer(self) -> list[str]:
        """What came out, in words: a sentence or two for each number of train tiles, and what more would bring."""
        lines = [
            line for standing in self.standings for line in verdict(standing, self.experiment.description["phase"])
        ]
        return lines + [scaling.sentence for scaling in self.scalings]

    @cached_property
    def scalings(self) -> list[Scaling]:
        """How val IoU grows with the number of train tiles; none where only one number was trained on."""
        return scalings(self.entries) if len(self.standings) > 1 else []

    @property
    def notes(self) -> list[str]:
        """What a reader has to know to trust the numbers."""
        notes = []
        leaks = self.experiment.description["data"].get("leaks", [])
        if leaks:
            more = f" and {len(leaks) - 1} more" if len(leaks) > 1 else ""
            notes.append(f"{LEAK_MARK} Splits share ground, so no score can be trusted: {leaks[0]}{more}.")
        random = dict.fromkeys(row["slug"] for row in self.rows if row["weights"] == "random")
        if random:
            notes.append(f"Started from random weights, not from the pretrained ones they want: {', '.join(random)}.")
        notes += caveats(self.standings, self.entries)
        if any(row["test_readings"] > 1 for row in self.rows):
            notes.append(f"{AGAIN_MARK} test was read more than once; the ledger says why.")
        if self._earlier:
            notes.append("Test was read before by an earlier training under this name, whose scores are not shown.")
        if not task_of(self.experiment).binary:
            notes.append("IoU and F1 are means over the classes that a tile's truth or prediction show.")
        if not any(row["test_readings"] for row in self.rows):
            notes.append("Test has not been read yet.")
        return notes

    def sheet(self) -> Sheet:
        """Draw the table for a terminal; rank, model and val IoU are there at any width."""
        columns = [
            Column(
                heading=name,
                value=itemgetter(index),
                right=justify == "right",
                priority=PRIORITIES.get(name, 5),
                least=MODEL_WIDTH if name == "model" else 0,
                common=name in COMMON,
            )
            for index, (name, justify) in enumerate(COLUMNS.items())
        ]
        rows = [_cells(row, "\n{low:.2f}-{high:.2f}") for row in self.rows]
        return Sheet(self.title, columns, rows, elsewhere="leaderboard.csv has them")

    def markdown(self) -> str:
        """Return title, answer, table and notes as Markdown."""
        rules = ["---" if justify == "left" else "--:" for justify in COLUMNS.values()]
        cells = [[markdown_cell(cell) for cell in _cells(row, " ({low:.2f} to {high:.2f})")] for row in self.rows]
        table = [f"| {' | '.join(row)} |" for row in (list(COLUMNS), rules, *cells)]
        answer = [markdown_cell(line) for line in self.answer]
        lines = [f"# {markdown_cell(self.title)}", "", *answer, "", *table, ""]
        return "\n".join([*lines, *(f"- {markdown_cell(note)}" for note in self.notes), ""])

    def csv(self) -> str:
        """Return the table as CSV; a cell that a spreadsheet would run as a formula gets a quote in front."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        ends = [f"{name} {end}" for name in SCORES for end in ("low", "high")]
        writer.writerow([*COLUMNS, *ends, "trainings", "tied", "collapsed"])
        for row in self.rows:
            intervals = [_score(row[f"{key}_{end}"]) for key in SCORES.values() for end in ("low", "high")]
            rank = "" if row["rank"] is None else str(row["rank"])
            cells = [rank, *_cells(row, "")[1:], *intervals, str(len(row["attempts"])), "yes" if row["tied"] else "no"]
            writer.writerow([csv_cell(cell) for cell in (*cells, row["collapsed"])])
        return text.getvalue()

    def print(self, console: Console) -> None:
        """Show table, answer, notes and where everything lies."""
        console.print(self.sheet())
        self.print_notes(console)

    @cached_property
    def class_rows(self) -> list[ClassRow]:
        """The contenders' scores a class; none for a binary task."""
        read = {row["attempt"] for entry in self.entries for row in entry.trainings if row["test_iou"] is not None}
        scored = {"val": {row["attempt"] for row in self.trials}, "test": read}
        return class_rows(self.experiment, self.rows, scored, self.tables)

    def print_notes(self, console: Console) -> None:
        """Show scores a class, the answer, the notes and where everything lies."""
        if self.class_rows:
            console.print(class_table(task_of(self.experiment), self.class_rows))
        for line in (*self.answer, *self.notes):
            console.print(line, highlight=False)
        console.print(f"results        {self.experiment.address}", highlight=False, soft_wrap=True)

    def write(self) -> None:
        """Write ``leaderboard.{md,csv,parquet}`` and the comparison of predictions into the experiment."""
        self.experiment.write("leaderboard.md", self.markdown().encode())
        self.experiment.write("leaderboard.csv", self.csv().encode())
        self.experiment.write_table("leaderboard.parquet", pa.Table.from_pylist(self.rows))
        for split in ("val", "test"):
            write_comparison(self.experiment, self.rows, split, f"{self.title}: {split}")


def _cells(row: dict[str, Any], interval: str) -> list[str]:
    """Return a row as text, in the order of ``COLUMNS``.

    Args:
        row: A contender's.
        interval: How the ends ``low`` and ``high`` follow a mean.
    """
    mark = AGAIN_MARK if row["test_readings"] > 1 else ""

    def mean(key: str) -> str:
        low, high = row[f"{key}_low"], row[f"{key}_high"]
        ends = "" if low is None else interval.format(low=low, high=high)
        return _score(row[key]) + (mark if key.startswith("test") else "") + ends

    return [
        "" if row["rank"] is None else f"{row['rank']}{TIE_MARK if row['tied'] else ''}",
        _name(row),
        row["weights"],
        f"{row['learning_rate']:.2g}",
        row["augmentation"],
        f"{row['decoder_dropout']:.2g}",
        loss_name(row),
        "" if row["best_epoch"] is None else f"{row['best_epoch']}/{row['epochs']}",
        mean("val_iou"),
        mean("val_f1"),
        "" if row["probability_best"] is None else share(row["probability_best"]),
        mean("test_iou"),
        mean("test_f1"),
        "" if row["seconds"] is None else duration(row["seconds"]),
    ]


def loss_name(row: dict[str, Any]) -> str:
    """Return what a contender's loss is made of besides soft Dice."""
    kind = "BCE" if Task.from_dict(json.loads(row["task"])).binary else "CE"
    return f"{row['bce_weight']:.2g} {kind}"


def _name(row: dict[str, Any]) -> str:
    """Return a contender's name with what is particular about it."""
    name: str = row["title"]
    if row["entry"] != row["slug"]:
        name += f" ({row['entry']})"
    elif row["candidate"] not in ("", row["slug"]):
        name += f" ({row['candidate']})"
    if len(row["attempts"]) > 1:
        name += f", {len(row['attempts'])} trainings"
    if row["collapsed"]:
        name += f" {COLLAPSE_MARK}"
    if row["leaks"]:
        name += f" {LEAK_MARK}"
    return f"{name} [{row['unranked']}]" if row["unranked"] else name


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
