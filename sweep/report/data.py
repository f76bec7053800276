"""Everything of one experiment that a report shows, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from sweep.planning.plan import SweepPlan, read_plan
from sweep.records.experiment import Experiment
from sweep.records.labelling import (
    LABEL_AUDIT_FILE,
    NEXT_FILE,
    LabelAuditRecord,
    NextRecord,
    parse_labelling,
    read_label_audit,
)
from sweep.records.map_audits import MAP_AUDIT_FILE, MapAudit, parse_map_audit
from sweep.records.store import EPOCHS_FILE
from sweep.records.trial_result import TrialResult
from sweep.results.budget_chart import model_numbers
from sweep.results.gains import TuningGain, tuning_gains
from sweep.results.leaderboard import Leaderboard
from sweep.results.rows import LeaderboardRow
from sweep.results.search_summary import GroupSummary, summarise
from sweep.sealed.ledger import Ledger, Reading
from trainables.errors import ExperimentError
from trainables.wording import counted


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What learning curves show of an epoch; None is what was not measured.

    Attributes:
        epoch: From 1.
        train_loss: Mean over the epoch's draws.
        val_loss: Mean over the val tiles.
        val_iou: Mean over the val tiles' windows, in [0, 1].
    """

    epoch: int
    train_loss: float | None
    val_loss: float | None
    val_iou: float | None


@dataclass(frozen=True)
class ReportData:
    """An experiment's records.

    Attributes:
        experiment: Whose.
        board: Its leaderboard.
        phases: Of all experiments that share the page, one each.
        numbered: Architecture to the number of its colour and shape on the whole page; empty for the board's own.
        given_audit: How right a map is, where the user named a file; None looks beside the experiment.
    """

    experiment: Experiment
    board: Leaderboard
    phases: Sequence[str] = ("",)
    numbered: Mapping[str, int] = field(default_factory=dict)
    given_audit: MapAudit | None = None

    @classmethod
    def read(cls, experiment: Experiment, *, must_write: bool = True) -> ReportData:
        """Gather an experiment's records.

        Args:
            experiment: Whose.
            must_write: Fail where its tables cannot be written into it.

        Raises:
            TilesweepError: They are damaged, or from a newer version.
        """
        return cls(experiment, Leaderboard(experiment, must_write=must_write))

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the sweep was when it began."""
        return self.experiment.description

    @cached_property
    def map_audit(self) -> MapAudit | None:
        """How right a map by its model is; None where nobody has looked.

        Raises:
            ExperimentError: What is beside it is damaged.
        """
        if self.given_audit is not None:
            return self.given_audit
        content = self.experiment.find_file(MAP_AUDIT_FILE)
        return parse_map_audit(content, self.experiment.path(MAP_AUDIT_FILE)) if content is not None else None

    @cached_property
    def label_audit(self) -> LabelAuditRecord | None:
        """Which labels are probably wrong, by its model, else as found beside its dataset; None where nobody looked.

        Raises:
            ExperimentError: The record is damaged.
        """
        content = self.experiment.find_file(LABEL_AUDIT_FILE)
        if content is not None:
            return parse_labelling(content, LabelAuditRecord, self.experiment.path(LABEL_AUDIT_FILE))
        patches = str(self.description["data"]["path"])
        return None if "://" in patches else read_label_audit(Path(patches))

    @cached_property
    def next_tiles(self) -> NextRecord | None:
        """Which tiles to label next, by its model; None where nobody asked.

        Raises:
            ExperimentError: The record is damaged.
        """
        content = self.experiment.find_file(NEXT_FILE)
        return parse_labelling(content, NextRecord, self.experiment.path(NEXT_FILE)) if content is not None else None

    @cached_property
    def plan(self) -> SweepPlan:
        """What it set out to train."""
        return read_plan(self.experiment)

    @property
    def phase(self) -> str:
        """``phase1``, ``phase2`` or ``phase3``."""
        return str(self.description["phase"])

    @property
    def trials(self) -> Sequence[TrialResult]:
        """All trials."""
        return self.board.trials

    @property
    def rows(self) -> list[LeaderboardRow]:
        """The leaderboard's rows."""
        return self.board.rows

    @cached_property
    def summaries(self) -> list[GroupSummary]:
        """A summary per search."""
        return summarise(self.experiment, self.trials)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Contender to the number of its model's colour and shape, the same throughout the page, whatever its tiles."""
        return {row.contender: self.model_numbers[row.architecture] for row in self.rows}

    @cached_property
    def model_numbers(self) -> dict[str, int]:
        """Architecture to the number of its colour and shape."""
        return dict(self.numbered) or model_numbers(self.rows)

    @cached_property
    def gains(self) -> list[TuningGain]:
        """What each search's best recipe adds to the shared one."""
        return tuning_gains(self.description, self.summaries, self.trials, self.board.scores["val"])

    @cached_property
    def _titles(self) -> Counter[str]:
        return Counter(row.title for row in self.rows)

    def label(self, row: LeaderboardRow) -> str:
        """Return what a contender is called: its architecture's title, and what else distinguishes it."""
        if self._titles[row.title] < 2:
            return row.title
        return (
            f"{row.title}, {counted(row.tiles, 'tile')}" if self.phase == "phase3" else f"{row.title} ({row.contender})"
        )

    def epochs(self, attempts: set[str]) -> dict[str, list[CurvePoint]]:
        """Return the epochs of some trials, in order."""
        table = self.board.tables[EPOCHS_FILE].select(["attempt", *(one.name for one in fields(CurvePoint))])
        found: dict[str, list[CurvePoint]] = {}
        for row in table.filter(pc.is_in(table["attempt"], value_set=_strings(attempts))).to_pylist():
            found.setdefault(row.pop("attempt"), []).append(CurvePoint(**row))
        return found

    @cached_property
    def tile_scores(self) -> dict[str, dict[str, dict[str, float]]]:
        """Split to attempt to tile to IoU of whole tiles."""
        found: dict[str, dict[str, dict[str, float]]] = {"val": {}, "test": {}}
        own = {reading.attempt for reading in self.readings}
        for split, scores in self.board.scores.items():
            for one in scores:
                if split == "val" or one.attempt in own:
                    found[split].setdefault(one.attempt, {})[one.tile] = one.iou
        return found

    @cached_property
    def _ledger(self) -> list[Reading]:
        return Ledger(self.experiment.storage).readings()

    @property
    def ledger_lines(self) -> int:
        """Readings in the storage's ledger, other experiments' included; its chain has been checked."""
        return len(self._ledger)

    @cached_property
    def readings(self) -> list[Reading]:
        """This training's readings of test, in the ledger's order."""
        run = self.description.get("id", "")
        return [one for one in self._ledger if one.run == run and (run or one.experiment == self.experiment.name)]

    def text(self, relative: str) -> str:
        """Return a file's text; empty where it is not there or cannot be read."""
        try:
            if not self.experiment.has(relative):
                return ""
            return self.experiment.read(relative).decode(errors="replace")
        except ExperimentError:
            return ""


def _strings(values: set[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())
