"""The leaderboard: a row per contender, with the study's columns and what may be chance."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import cached_property

import pyarrow as pa
from rich.console import Console

from sweep.cli.output import say
from sweep.cli.tables import Sheet
from sweep.records.experiment import Experiment
from sweep.records.store import gather, read_test_scores, write_tables
from sweep.results.classes import ClassRow, class_rows, class_table, task_of
from sweep.results.columns import AGAIN_MARK, COLUMNS, FOR_PEOPLE, LEAK_MARK, filled
from sweep.results.contenders import Readings, read_contenders
from sweep.results.figures import write_comparison
from sweep.results.floor import floor_lines, over_probes
from sweep.results.refits import refit_notes
from sweep.results.rows import LeaderboardRow
from sweep.results.scaling import Scaling, scalings
from sweep.results.standings import Standing, stand
from sweep.results.verdict import caveats, verdict
from trainables.errors import StorageError
from trainables.escaping import csv_cell, markdown_cell


class Leaderboard:
    """The ranked contenders of an experiment, best val IoU first: test is no ground for a choice.

    Attributes:
        experiment: Whose.
        trials: Every trial, but for those on all tiles.
        refits: Trainings on all tiles, which are not ranked or scored.
        contenders: The contenders with their scores per tile.
        over_probes: Trained contenders beside the probes of their encoders.
        standings: The contenders that may be ranked together; those of the largest tile budget first.
        rows: All of their rows in that order, with test scores where the ledger has a reading; a contender that has no
            finished training yet is there with its first trial.
        scores: Split to what its tiles were scored: ``val`` of trials that finished, ``test`` as scoring jobs wrote it.
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
        test_scores = read_test_scores(experiment)
        readings = Readings(experiment, test_scores)
        self._earlier = readings.earlier
        gathered = gather(experiment)
        self.tables, self.trials, self.refits = gathered.tables, gathered.trials, gathered.refits
        try:
            write_tables(experiment, self.tables)
            self.written = True
        except StorageError:
            if must_write:
                raise
            self.written = False
        self.scores = {"val": gathered.val_scores, "test": test_scores}
        self.contenders = read_contenders(experiment.description, self.trials, gathered.val_scores, readings)
        self.over_probes = over_probes(self.contenders)
        gaps = {one.contender: one.difference for one in self.over_probes}
        self.standings: list[Standing] = [
            replace(one, rows=tuple(replace(row, over_probe=gaps.get(row.contender)) for row in one.rows))
            for one in stand(self.contenders)
        ]
        self.rows: list[LeaderboardRow] = [row for standing in self.standings for row in standing.rows]

    @property
    def failures(self) -> list[str]:
        """Contenders of which a training failed, and failed trainings on all tiles."""
        failed = [row.contender for row in self.rows if row.repeats_failed]
        return failed + [row.attempt for row in self.refits if row.status == "failed"]

    @property
    def title(self) -> str:
        """Name of experiment and data, and whether the data was drawn by a program."""
        data = self.experiment.description["data"]
        kind = " (synthetic tiles, not photographs)" if data["synthetic"] else ""
        return f"{self.experiment.name} on {data['name']}{kind}"

    @property
    def answer(self) -> list[str]:
        """What came out, in words: a sentence or two for each number of train tiles, and what more would bring.

        Where a budget curve has one architecture, its table says the scores.
        """
        phase = self.experiment.description["phase"]
        curve = len(self.standings) > 1
        lines = [
            line
            for standing in self.standings
            if not (curve and len(standing.rows) == 1 and standing.ranked and not standing.inconclusive)
            for line in verdict(standing, phase)
        ]
        if not curve:
            lines += floor_lines(self.over_probes)
        return lines + [scaling.sentence for scaling in self.scalings]

    @cached_property
    def scalings(self) -> list[Scaling]:
        """How val IoU grows with the number of train tiles; none where only one number was trained on."""
        return scalings(self.contenders) if len(self.standings) > 1 else []

    @property
    def notes(self) -> list[str]:
        """What a reader has to know to trust the numbers."""
        notes = []
        leaks = self.experiment.description["data"].get("leaks", [])
        if leaks:
            more = f" and {len(leaks) - 1} more" if len(leaks) > 1 else ""
            notes.append(f"{LEAK_MARK} Splits share ground, so no score can be trusted: {leaks[0]}{more}.")
        random = dict.fromkeys(row.title for row in self.rows if row.weights == "random")
        if random:
            notes.append(f"Started from random weights instead of pretrained ones: {', '.join(random)}.")
        if again := self.experiment.description.get("filled"):
            notes.append(f"Trained on GPUs that would have been idle, so rows differ in trainings: {', '.join(again)}.")
        halved = dict.fromkeys(row.title for row in self.rows if row.recipe.precision == "bf16")
        if halved:
            notes.append(f"Trained in bf16 (sweep.json says what was measured): {', '.join(halved)}.")
        if folds := max((row.folds for row in self.rows), default=0):
            notes.append(
                f"Val IoU and F1 are out-of-fold: each tile is scored by the one of {folds} models that has not seen "
                "it, at the epoch that is best for the other folds."
            )
        notes += refit_notes(self.refits)
        notes += caveats(self.standings, self.contenders)
        if any(row.test_readings > 1 for row in self.rows):
            notes.append(f"{AGAIN_MARK} test was read more than once; the ledger says why.")
        if self._earlier:
            notes.append("Test was read before by an earlier training under this name, whose scores are not shown.")
        if not task_of(self.experiment).binary:
            notes.append("IoU and F1 are means over the classes that a tile's truth or prediction show.")
        if not any(row.test_readings for row in self.rows):
            notes.append("Test has not been read yet.")
        return notes

    def sheet(self) -> Sheet:
        """Draw the table for a terminal; rank, model and val IoU are there at any width."""
        return Sheet(self.title, FOR_PEOPLE, self.rows, elsewhere="leaderboard.csv has them")

    def markdown(self) -> str:
        """Return title, answer, table and notes as Markdown."""
        columns = filled(FOR_PEOPLE, self.rows)
        lines = [[column.heading for column in columns], ["--:" if column.right else "---" for column in columns]]
        lines += [[markdown_cell(column.in_line(row)) for column in columns] for row in self.rows]
        return "\n".join(
            [
                *(f"# {markdown_cell(self.title)}", "", *map(markdown_cell, self.answer), ""),
                *(f"| {' | '.join(line)} |" for line in lines),
                *("", *(f"- {markdown_cell(note)}" for note in self.notes), ""),
            ]
        )

    def csv(self) -> str:
        """Return the table as CSV; a cell that a spreadsheet would run as a formula gets a quote in front."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        means = [(column.name, column.interval) for column in COLUMNS if column.interval]
        ends = [f"{name} {end}" for name, _ in means for end in ("low", "high")]
        writer.writerow([*(column.name for column in COLUMNS), *ends])
        for row in self.rows:
            cells = [column.plain(row) for column in COLUMNS]
            for _, interval in means:
                one = interval(row)
                cells += ["" if end is None else f"{end:.3f}" for end in ((one.low, one.high) if one else (None, None))]
            writer.writerow(map(csv_cell, cells))
        return text.getvalue()

    def print(self, console: Console) -> None:
        """Show table, answer, notes and where everything is."""
        console.print(self.sheet())
        self.print_notes(console)

    @cached_property
    def class_rows(self) -> list[ClassRow]:
        """The contenders' scores per class; none for a binary task."""
        read = {row.attempt for contender in self.contenders for row in contender.trainings if row.test_iou is not None}
        scores = {"val": self.scores["val"], "test": [one for one in self.scores["test"] if one.attempt in read]}
        return class_rows(task_of(self.experiment), self.rows, scores)

    def print_notes(self, console: Console) -> None:
        """Show scores per class, the answer, the notes and where everything is."""
        if self.class_rows:
            console.print(class_table(task_of(self.experiment), self.class_rows))
        for line in (*self.answer, *self.notes):
            console.print(line, highlight=False)
        say(console, "results", self.experiment.address)

    def write(self) -> None:
        """Write ``leaderboard.{md,csv,parquet}`` and the comparison of predictions into the experiment."""
        self.experiment.write("leaderboard.md", self.markdown().encode())
        self.experiment.write("leaderboard.csv", self.csv().encode())
        self.experiment.write_table("leaderboard.parquet", pa.Table.from_pylist([row.to_dict() for row in self.rows]))
        for split in ("val", "test"):
            write_comparison(self.experiment, self.rows, self.scores[split], split, f"{self.title}: {split}")
