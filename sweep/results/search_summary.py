"""What a search found: the best recipe of each group, its gain, and what halving saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from search_spaces.recipes import write_recipes
from sweep.engine.experiment import Experiment
from sweep.engine.search.plan import StudyPlan, SweepPlan
from sweep.results.winners import winners

RECIPES_FILE = "best_recipes.toml"


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """One search's outcome.

    Attributes:
        study: What was searched.
        rows: Its trials' rows, the shared recipe first.
    """

    study: StudyPlan
    rows: Sequence[dict[str, Any]]

    @property
    def best(self) -> dict[str, Any] | None:
        """The best finished trial by val IoU of whole tiles."""
        return winners(self.rows).get(self.study.template.contest)

    @property
    def shared_val_iou(self) -> float | None:
        """Val IoU of the shared recipe, in [0, 1]; None until it has finished."""
        value: float | None = self.rows[0]["val_iou"] if self.rows else None
        return value

    @property
    def gain(self) -> float | None:
        """Val IoU of the best recipe over the shared one's; never below 0, as that is one of the trials."""
        if self.best is None or self.shared_val_iou is None:
            return None
        gain: float = self.best["val_iou"] - self.shared_val_iou
        return gain

    @property
    def best_values(self) -> dict[str, Any]:
        """The best recipe's values of the searched fields."""
        if self.best is None:
            return {}
        recipe = json.loads(self.best["recipe"])
        return {name: recipe[name] for name in self.study.space}

    @property
    def epochs_run(self) -> int:
        """Epochs that its trials have run."""
        return sum(row["epochs"] for row in self.rows)

    @property
    def epochs_in_full(self) -> int:
        """Epochs if every trial that was given up had run to its last one."""
        return sum(row["max_epochs"] if row["status"] == "stopped" else row["epochs"] for row in self.rows)


def summarise(experiment: Experiment, trials: Sequence[dict[str, Any]]) -> list[GroupSummary]:
    """Summarise every search of an experiment.

    Args:
        experiment: Whose.
        trials: Its trials' rows.
    """
    plan = SweepPlan.from_dict(experiment.description["plan"])
    return [
        GroupSummary(study=study, rows=[row for row in trials if row["group"] == study.name]) for study in plan.studies
    ]


def write_best_recipes(experiment: Experiment, summaries: Sequence[GroupSummary]) -> list[str]:
    """Write ``best_recipes.toml``, or one file for each number of tiles where they differ.

    Returns:
        The files' paths.
    """
    files: dict[str, list[GroupSummary]] = {}
    for summary in summaries:
        if summary.best:
            tiles = len(summary.study.template.tiles)
            name = RECIPES_FILE.replace(".toml", f"-{tiles}tiles.toml") if tiles else RECIPES_FILE
            files.setdefault(name, []).append(summary)
    for name, found in files.items():
        recipes = {one.study.template.recipe.architecture: one.best_values for one in found}
        comments = {one.study.template.recipe.architecture: _origin(experiment, one) for one in found}
        experiment.write(name, write_recipes(recipes, comments).encode())
    return [experiment.path(name) for name in files]


def _origin(experiment: Experiment, summary: GroupSummary) -> str:
    assert summary.best
    gain = "" if summary.gain is None else f", {summary.gain:+.3f} over the shared recipe"
    return f"{experiment.name}, trial {summary.best['attempt']}: val IoU {summary.best['val_iou']:.3f}{gain}"


def print_summaries(summaries: Sequence[GroupSummary], console: Console) -> None:
    """Show a line a search, and the epochs that halving saved."""
    table = Table(title="searches", title_justify="left")
    table.add_column("search")
    for heading in ("trials", "finished", "stopped", "failed", "shared val IoU", "best val IoU", "gain"):
        table.add_column(heading, justify="right")
    table.add_column("best recipe")
    for summary in summaries:
        counts = {state: sum(row["status"] == state for row in summary.rows) for state in _STATES}
        table.add_row(
            summary.study.name,
            str(len(summary.rows)),
            *(str(counts[state]) for state in _STATES),
            "" if summary.shared_val_iou is None else f"{summary.shared_val_iou:.3f}",
            "" if summary.best is None else f"{summary.best['val_iou']:.3f}",
            "" if summary.gain is None else f"{summary.gain:+.3f}",
            ", ".join(f"{name} {_short(value)}" for name, value in summary.best_values.items()),
        )
    console.print(table)
    run, full = (sum(getattr(one, name) for one in summaries) for name in ("epochs_run", "epochs_in_full"))
    saved = f", {1 - run / full:.0%} saved" if full else ""
    console.print(f"epochs         {run} run of {full} that a search without halving runs{saved}", highlight=False)


_STATES = ("finished", "stopped", "failed")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
