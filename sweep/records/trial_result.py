"""A trial and what became of it: a row of ``trials.parquet``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa

from sweep.records.trials import ENDED, SEARCHED, Role, TrialRecord
from trainables.metrics import METRIC
from trainables.models.registry import described
from trainables.recipe import FIELDS, Recipe
from trainables.recipe_fields import COLUMN, marked
from trainables.report import TrialSummary
from trainables.task import Task

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_(), tuple: pa.list_(pa.string())}
RECIPE_COLUMNS = tuple(one.name for one in fields(Recipe) if one.name in marked(FIELDS, COLUMN))
"""The recipe's fields that have a column of their own; ``recipe`` has all of them."""


@dataclass(frozen=True, kw_only=True)
class TrialResult(TrialSummary):
    """A trial and what became of it.

    Attributes:
        attempt: The trial's name.
        recipe: What it trains.
        title: The architecture's name for people.
        slug: The architecture's name for folders.
        role: What it is trained for.
        study: The study that proposed its recipe, or whose best one it trains; empty for a planned trial.
        group: What it is shown with.
        contest: Whose best candidate by val IoU may read test.
        candidate: Trainings of one recipe with several seeds share it.
        contender: The leaderboard's row that it counts for; the files call it ``entry``.
        preliminary: Its recipe may be trained again for the choice.
        tiles: How many train tiles it sees.
        folds: Of its cross-validation; 0 for none.
        division: Hash of the tiles that each fold leaves out; empty for none.
        draw: Which draw of that many; 0 where nothing is drawn.
        tile_names: The train tiles that it sees; of folds, those that any of them trains on.
        status: ``waiting``, ``unfinished``, ``stopped``, ``failed`` or ``finished``.
        failure: Why it failed.
        weights: What its encoder starts from.
        weights_sha256: Of that file.
        dataset: The dataset's name.
        synthetic: Whether a program drew the dataset.
        data_fingerprint: Of the train and val tiles.
        metric: What a score is.
        task: What the masks mean.
        leaks: Pairs of tiles in different splits that show the same ground.
    """

    attempt: str
    recipe: Recipe
    title: str
    slug: str
    role: Role
    study: str
    group: str
    contest: str
    candidate: str
    contender: str
    preliminary: bool
    tiles: int
    folds: int
    division: str
    draw: int
    tile_names: tuple[str, ...]
    status: str
    failure: str | None
    weights: str
    weights_sha256: str | None
    dataset: str
    synthetic: bool
    data_fingerprint: str
    metric: str
    task: Task
    leaks: int

    @classmethod
    def of_record(
        cls, record: TrialRecord, description: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]
    ) -> TrialResult:
        """Put a trial and its reports together.

        Args:
            record: The trial.
            description: The experiment's.
            reports: What the trial reported.
        """
        plan, data = record.plan, description["data"]
        known = described(plan.recipe.architecture)
        begun = "unfinished" if reports else "waiting"
        task = Task.from_dict(data.get("task", {}))
        return cls(
            attempt=plan.attempt,
            recipe=plan.recipe,
            title=known.title,
            slug=known.slug,
            role=plan.role,
            study=plan.study,
            group=plan.group,
            contest=plan.contest,
            candidate=plan.candidate or plan.attempt,
            contender=plan.contender or plan.contest,
            preliminary=plan.role in SEARCHED and plan.study in _confirmed(description),
            tiles=plan.train_tiles(len(data["train"])),
            folds=len(plan.folds),
            division=plan.division,
            draw=plan.draw,
            tile_names=plan.train_names(data["train"]),
            status=record.state if record.state in ENDED else begun,
            failure=record.reason or None,
            weights=plan.weights.label,
            weights_sha256=plan.weights.sha256,
            dataset=data["name"],
            synthetic=data["synthetic"],
            data_fingerprint=data["fingerprint"],
            metric=data.get("metric", METRIC),
            task=task,
            leaks=len(data.get("leaks", [])),
            **asdict(TrialSummary.of(reports, task)),
        )

    @property
    def architecture(self) -> str:
        """The recipe's architecture."""
        return self.recipe.architecture

    @property
    def label(self) -> str:
        """The architecture with the weights that it starts from."""
        return f"{self.title} ({self.weights})"

    @property
    def finished(self) -> bool:
        """Whether it has its final scores."""
        return self.status == "finished"

    @property
    def final_iou(self) -> float:
        """The val IoU of a trial that has finished, in [0, 1].

        Raises:
            ValueError: It has none.
        """
        if self.val_iou is None:
            raise ValueError(f"{self.attempt} has no final score")
        return self.val_iou

    def to_dict(self) -> dict[str, Any]:
        """Return the row of ``trials.parquet``."""
        own = {("entry" if name == "contender" else name): value for name, value in vars(self).items()}
        recipe = self.recipe.to_dict()
        columns = {name: recipe[name] for name in RECIPE_COLUMNS}
        return {**own, **columns, "task": json.dumps(self.task.to_dict()), "recipe": json.dumps(recipe)}


def _confirmed(description: Mapping[str, Any]) -> set[str]:
    """Return the studies whose best recipes are trained again for the choice, which then decides alone."""
    studies = description.get("plan", {}).get("studies", ())
    return {study["template"]["attempt"] for study in studies if study.get("confirm")}


def _arrow(kind: Any) -> pa.DataType:
    """Return the type of a column: texts, and what is written as one, are strings."""
    kind = get_args(kind)[0] if isinstance(kind, UnionType) else kind
    return ARROW.get(get_origin(kind) or kind, pa.string())


def _schema() -> pa.Schema:
    """Return the columns: the recipe's stand behind the name, and all of the recipe at the end."""
    summary, recipe, own = (get_type_hints(cls) for cls in (TrialSummary, Recipe, TrialResult))
    kinds = {"attempt": str, **{name: recipe[name] for name in RECIPE_COLUMNS}}
    kinds |= {name: own[name] for name in own if name not in summary and name != "recipe"}
    kinds |= {**summary, "recipe": str}
    return pa.schema([("entry" if name == "contender" else name, _arrow(kind)) for name, kind in kinds.items()])


TRIALS_SCHEMA = _schema()
