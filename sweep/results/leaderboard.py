"""The leaderboard: a row an attempt, with the study's columns."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table

from sweep.engine.durations import duration
from sweep.engine.experiment import Experiment
from sweep.results.figures import write_comparison
from sweep.results.ledger import Ledger
from sweep.results.store import collect
from sweep.results.winners import winners
from trainables.escaping import csv_cell, markdown_cell

COLUMNS = {
    "model": "left",
    "weights": "left",
    "LR": "right",
    "aug": "left",
    "dropout": "right",
    "loss": "right",
    "best epoch": "right",
    "val IoU": "right",
    "val F1": "right",
    "test IoU": "right",
    "test F1": "right",
    "time": "right",
}
RECIPE_COLUMNS = ("LR", "aug", "dropout", "loss")
FULL_WIDTH = 125
"""Characters that all columns need."""
AGAIN_MARK = "*"
LEAK_MARK = "[leak]"


class Leaderboard:
    """The ranked winners of an experiment's contests, best val IoU first: test is no ground for a choice.

    Attributes:
        experiment: Whose.
        trials: Every trial's row.
        rows: The winners' rows, with test scores where the ledger has a reading; a contest that nobody has won yet is
            there with its first trial.

    Args:
        experiment: Whose attempts; its tables are gathered anew.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        run = experiment.description.get("id", "")
        ledger = Ledger(experiment.storage).of(experiment.name)
        readings = {name: [one for one in found if one.run == run] for name, found in ledger.items()}
        self._earlier = any(one.run != run for found in ledger.values() for one in found)
        self.trials: list[dict[str, Any]] = collect(experiment).to_pylist()
        chosen = {**{row["contest"]: row for row in reversed(self.trials)}, **winners(self.trials)}
        self.rows: list[dict[str, Any]] = []
        for contest in dict.fromkeys(row["contest"] for row in self.trials):
            row = chosen[contest]
            own = readings.get(row["attempt"], [])
            last = own[-1] if own else None
            self.rows.append(
                {
                    **row,
                    "test_iou": last.iou if last else None,
                    "test_f1": last.f1 if last else None,
                    "test_readings": len(own),
                }
            )
        self.rows.sort(key=lambda row: -1.0 if row["val_iou"] is None else row["val_iou"], reverse=True)

    @property
    def failures(self) -> list[str]:
        """Contests without a winner, because their trials failed."""
        return [
            row["contest"]
            for row in self.rows
            if row["status"] != "finished"
            and any(one["status"] == "failed" for one in self.trials if one["contest"] == row["contest"])
        ]

    @property
    def title(self) -> str:
        """Name of experiment and data, and whether the data was drawn by a program."""
        data = self.experiment.description["data"]
        kind = " (synthetic tiles, not photographs)" if data["synthetic"] else ""
        return f"{self.experiment.name} on {data['name']}{kind}"

    @property
    def notes(self) -> list[str]:
        """What a reader has to know to trust the numbers."""
        notes = []
        leaks = self.experiment.description["data"].get("leaks", [])
        if leaks:
            more = f" and {len(leaks) - 1} more" if len(leaks) > 1 else ""
            notes.append(f"{LEAK_MARK} Splits share ground, so no score can be trusted: {leaks[0]}{more}.")
        random = dict.fromkeys(row["architecture"] for row in self.rows if row["weights"] == "random")
        if random:
            notes.append(f"Started from random weights, not from the pretrained ones they want: {', '.join(random)}.")
        if any(row["test_readings"] > 1 for row in self.rows):
            notes.append(f"{AGAIN_MARK} test was read more than once; the ledger says why.")
        if self._earlier:
            notes.append("Test was read before by an earlier training under this name, whose scores are not shown.")
        if not any(row["test_readings"] for row in self.rows):
            notes.append("Test has not been read yet.")
        return notes

    def cells(self) -> list[list[str]]:
        """Return the rows as text, in the order of ``COLUMNS``."""
        return [_cells(row) for row in self.rows]

    def rich(self, width: int) -> Table:
        """Draw the table for a terminal of some characters; a narrow one gets no columns of the recipe."""
        shown = [name for name in COLUMNS if width >= FULL_WIDTH or name not in RECIPE_COLUMNS]
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in shown:
            table.add_column(name, justify="left" if COLUMNS[name] == "left" else "right", no_wrap=name != "model")
        for cells in self.cells():
            table.add_row(*(cell for name, cell in zip(COLUMNS, cells, strict=True) if name in shown))
        return table

    def markdown(self) -> str:
        """Return title, table and notes as Markdown."""
        rules = ["---" if justify == "left" else "--:" for justify in COLUMNS.values()]
        rows = [list(COLUMNS), rules, *([markdown_cell(cell) for cell in cells] for cells in self.cells())]
        lines = [f"# {markdown_cell(self.title)}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]
        return "\n".join([*lines, *map(markdown_cell, self.notes), ""])

    def csv(self) -> str:
        """Return the table as CSV; a cell that a spreadsheet would run as a formula gets a quote in front."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for cells in self.cells():
            writer.writerow([csv_cell(cell) for cell in cells])
        return text.getvalue()

    def print(self, console: Console) -> None:
        """Show table, notes and where everything lies."""
        console.print(self.rich(console.width))
        self.print_notes(console)

    def print_notes(self, console: Console) -> None:
        """Show the notes and where everything lies."""
        for note in self.notes:
            console.print(note, highlight=False, soft_wrap=True)
        console.print(f"results        {self.experiment.address}", highlight=False, soft_wrap=True)

    def write(self) -> None:
        """Write ``leaderboard.{md,csv,parquet}`` and the comparison of predictions into the experiment."""
        self.experiment.write("leaderboard.md", self.markdown().encode())
        self.experiment.write("leaderboard.csv", self.csv().encode())
        self.experiment.write_table("leaderboard.parquet", pa.Table.from_pylist(self.rows))
        for split in ("val", "test"):
            write_comparison(self.experiment, self.rows, split, f"{self.title}: {split}")


def _cells(row: dict[str, Any]) -> list[str]:
    name = row["title"] if row["attempt"] == row["architecture"] else f"{row['title']} ({row['attempt']})"
    if row["leaks"]:
        name += f" {LEAK_MARK}"
    if row["status"] != "finished":
        name += f" [{row['status']}]"
    mark = AGAIN_MARK if row["test_readings"] > 1 else ""
    return [
        name,
        row["weights"],
        f"{row['learning_rate']:.2g}",
        row["augmentation"],
        f"{row['decoder_dropout']:.2g}",
        f"{row['bce_weight']:.2g} BCE",
        "" if row["best_epoch"] is None else f"{row['best_epoch']}/{row['epochs']}",
        _score(row["val_iou"]),
        _score(row["val_f1"]),
        _score(row["test_iou"]) + mark,
        _score(row["test_f1"]) + mark,
        "" if row["seconds"] is None else duration(row["seconds"]),
    ]


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
