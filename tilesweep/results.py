"""``open``: an experiment's leaderboard, learning curves and report."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import pandas as pd

from sweep.records.experiment import Experiment
from sweep.records.store import EPOCHS_FILE
from sweep.results.budget_curve import CURVE_FILE
from sweep.results.columns import FOR_PEOPLE, filled
from sweep.results.leaderboard import Leaderboard
from tilesweep.calling import call
from trainables.storage import DEFAULT_STORAGE, Storage


def open(name: str | None = None, *, storage: str | Path = DEFAULT_STORAGE) -> Results:
    """Open an experiment, finished or not; it is read when something of it is asked for.

    Args:
        name: The experiment; None for the one that changed last.
        storage: Folder or URI that holds experiments.

    Raises:
        tilesweep.Error: There is none; the nearest name is suggested.
    """
    return Results(Experiment.find(Storage.open(str(storage)), name))


class Results:
    """What came out of a sweep; a notebook shows it as a table.

    Everything is read once: open a sweep that runs again for what it has done since.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._experiment.name

    @property
    def address(self) -> str:
        """Its folder or URI."""
        return self._experiment.address

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """The contenders, a row each, best val IoU first; columns as in ``leaderboard.parquet``.

        Among them ``rank``, ``tied``, ``architecture``, ``weights``, ``val_iou`` and its interval, ``test_iou`` (NaN
        before ``score``). See docs/statistics.md for what a tie is.
        """
        return pd.DataFrame([row.to_dict() for row in self._board.rows])

    @property
    def best(self) -> pd.Series:
        """The leaderboard's first row; where others are tied with it, ``tied`` is true.

        Raises:
            LookupError: No training has finished.
        """
        ranked = self.leaderboard[self.leaderboard["rank"].notna()] if len(self.leaderboard) else self.leaderboard
        if not len(ranked):
            raise LookupError(f"{self.name}: no training has finished")
        return ranked.iloc[0]

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Learning curves: a row per trial and epoch; columns as in ``epochs.parquet``."""
        return pd.DataFrame(self._board.tables[EPOCHS_FILE].to_pandas())

    @property
    def budget_curve(self) -> pd.DataFrame:
        """IoU by the number of train tiles, of a Phase 3.

        Raises:
            LookupError: It has none: of another phase, or unfinished.
        """
        if not self._experiment.has(CURVE_FILE):
            raise LookupError(f"{self.name}: has no budget curve, which Phase 3 writes at its end")
        return pd.DataFrame(self._experiment.read_table(CURVE_FILE).to_pandas())

    @property
    def answer(self) -> str:
        """What came out, in a few sentences."""
        return "\n".join(self._board.answer)

    @property
    def notes(self) -> list[str]:
        """What one has to know to trust the numbers."""
        return self._board.notes

    def report(self, out: str | Path | None = None, *, overwrite: bool = False) -> Path | str:
        """Write the report, one HTML page with everything in it, as ``python -m sweep.report`` does.

        Args:
            out: Where; None is ``report.html`` in the experiment's folder.
            overwrite: Replace a file that is not a report.

        Returns:
            Where the page is: a path, or a URI where the experiment is in a remote storage.

        Raises:
            tilesweep.Error: It cannot be written there.
        """
        more = {} if out is None else {"out": out}
        asked = {"names": (self.name,), "storage": self._experiment.storage.address, "overwrite": overwrite, **more}
        place = str(call("report", asked, quiet=True)["report"]["path"])
        return place if "://" in place else Path(place)

    @cached_property
    def _board(self) -> Leaderboard:
        return Leaderboard(self._experiment, must_write=False)

    def _repr_html_(self) -> str:
        columns = filled(FOR_PEOPLE, self._board.rows)
        cells = [[column.in_line(row) for column in columns] for row in self._board.rows]
        table = pd.DataFrame(cells, columns=[column.heading for column in columns]).to_html(index=False, border=0)
        said = pd.DataFrame({self._board.title: [*self._board.answer, *self.notes]}).to_html(index=False, border=0)
        return f"{table}{said}"

    def __repr__(self) -> str:
        return f"<tilesweep.Results {self.name!r}: {len(self._board.rows)} contenders in {self.address}>"
