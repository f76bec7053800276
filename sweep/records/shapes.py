"""What the files of an experiment hold, a shape for each: ``sweep.json``, ``trials.jsonl``, ``reports.jsonl``, tables.

What a version before this one did not write is optional; what a later one adds is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal, NotRequired, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from annotated_types import Ge, Gt, Le, MinLen
from typing_extensions import TypedDict

from search_spaces.limits import MAX_REPEATS, MAX_TRIALS
from trainables.documents import MIB, DamagedError, parse_json
from trainables.report import EPOCH_FIELDS, FINAL_FIELDS, ReportField

MAX_DESCRIPTION = 256 * MIB
MAX_LINES = 256 * MIB
"""Of a file of JSON lines; 100,000 trials take 90 MB."""
MAX_TABLE = 1024 * MIB
"""Of a table, on disk and in memory."""

Count = Annotated[int, Ge(0), Le(2**53)]
Name = Annotated[str, MinLen(1)]
MORE = {"extra": "allow"}
"""Fields of other versions stay as they are."""

Shape = TypeVar("Shape")


class WeightsShape(TypedDict):
    """``trainables.models.weights.Weights``."""

    kind: Literal["none", "random", "imagenet", "sam", "own"]
    needs: NotRequired[str]
    path: NotRequired[str]
    sha256: NotRequired[str]


class FoldShape(TypedDict):
    """``trainables.data.folds.Fold``."""

    val: list[str]
    train: list[str]


class PlannedShape(TypedDict):
    """``sweep.records.trials.TrialPlan``."""

    attempt: Name
    contest: str
    recipe: dict[str, str | int | float]
    weights: WeightsShape
    tiles: list[str]
    draw: NotRequired[Count]
    folds: NotRequired[list[FoldShape]]
    candidate: NotRequired[str]
    contender: NotRequired[str]
    role: NotRequired[Literal["planned", "baseline", "search", "confirm", "final", "refit"]]
    study: NotRequired[str]
    rates: NotRequired[list[float]]
    group: NotRequired[str]
    preliminary: NotRequired[bool]
    entry: NotRequired[str]


class RecordShape(PlannedShape):
    """A line of ``trials.jsonl``."""

    state: Literal["waiting", "running", "paused", "stopped", "failed", "finished"]
    reason: str


class StartShape(TypedDict):
    """``sweep.planning.starts.Start``."""

    values: dict[str, str | int | float]
    origin: str
    val_iou: float
    changed: NotRequired[list[str]]


class EvidenceShape(TypedDict):
    """``sweep.planning.starts.Evidence``."""

    origin: str
    val_iou: float
    probe: bool


class StudyShape(TypedDict):
    """``sweep.planning.plan.StudyPlan``."""

    template: PlannedShape
    space: dict[str, dict[str, Any]]
    trials: Annotated[int, Ge(1), Le(MAX_TRIALS)]
    finals: list[PlannedShape]
    confirm: NotRequired[Annotated[int, Ge(0), Le(MAX_REPEATS)]]
    repeats: NotRequired[Annotated[int, Ge(1), Le(MAX_REPEATS)]]
    starts: NotRequired[list[StartShape]]
    evidence: NotRequired[EvidenceShape | None]


class PlanShape(TypedDict):
    """``sweep.planning.plan.SweepPlan``."""

    trials: list[PlannedShape]
    studies: list[StudyShape]
    halving: dict[str, str | int | bool] | None
    sampler: NotRequired[Name]
    refits: NotRequired[Count]
    warm_from: NotRequired[str]


class DataShape(TypedDict):
    """What a sweep says of its tiles."""

    __pydantic_config__ = MORE  # type: ignore[misc]
    path: Name
    name: str
    synthetic: bool
    fingerprint: str
    train: list[str]
    val: list[str]
    metric: NotRequired[str]
    task: NotRequired[dict[str, Any]]
    imagery: NotRequired[dict[str, Any]]
    sheet: NotRequired[dict[str, Any]]
    leaks: NotRequired[list[Any]]
    leaks_checked: NotRequired[bool]


class GitShape(TypedDict):
    """The state of the source tree; empty outside a repository."""

    commit: NotRequired[str]
    dirty: NotRequired[bool]


class ProvenanceShape(TypedDict):
    """``sweep.records.provenance``."""

    __pydantic_config__ = MORE  # type: ignore[misc]
    created: NotRequired[str]
    command: NotRequired[str]
    python: NotRequired[str]
    platform: NotRequired[str]
    cpus: NotRequired[int | None]
    gpus: NotRequired[list[str]]
    packages: NotRequired[dict[str, str]]
    git: NotRequired[GitShape]


class VersionShape(TypedDict):
    """What every version's ``sweep.json`` begins with."""

    format: Count


class ScenesShape(TypedDict):
    """``trainables.data.scenes.Scenes``."""

    of: dict[str, str]
    origin: str
    joined: list[str]


class DescriptionShape(TypedDict):
    """``sweep.json``."""

    __pydantic_config__ = MORE  # type: ignore[misc]
    format: Count
    phase: Literal["phase1", "phase2", "phase3"]
    profile: Name
    ended: bool
    data: DataShape
    plan: PlanShape
    folds: NotRequired[Count]
    scenes: NotRequired[ScenesShape | None]
    id: NotRequired[str]
    stopped: NotRequired[str]
    options: NotRequired[dict[str, Any]]
    optuna_storage: NotRequired[str | None]
    packing: NotRequired[dict[str, Any] | None]
    filled: NotRequired[list[str] | None]
    precision: NotRequired[dict[str, dict[str, Any]] | None]
    costs: NotRequired[dict[str, Annotated[float, Gt(0)]]]
    code: NotRequired[dict[str, str]]
    provenance: NotRequired[ProvenanceShape]


class TileScoreShape(TypedDict):
    """A whole tile's scores."""

    iou: float
    f1: float
    confusion: NotRequired[list[list[Count]]]


def _kind(one: ReportField) -> Any:
    """Return what a field's value may be."""
    kind = Count if one.type is int else dict[str, TileScoreShape] if one.name == "final_tiles" else one.type
    return kind | None if one.optional else kind


ReportShape: type[dict[str, Any]] = TypedDict(  # type: ignore[misc]
    "ReportShape",
    {one.name: _kind(one) for one in (*EPOCH_FIELDS, *FINAL_FIELDS)} | {"done": bool, "finished": bool, "failure": str},
    total=False,
)
"""A line of ``reports.jsonl``: an epoch, the final scores, or why a trial failed."""
ReportShape.__pydantic_config__ = MORE  # type: ignore[attr-defined]


def read_lines(data: bytes, shape: type[Shape]) -> Iterator[Shape]:
    """Parse JSON lines, one after the other.

    Raises:
        DamagedError: A line is something else; says which one.
    """
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            yield parse_json(line, shape, MAX_LINES)
        except DamagedError as error:
            raise DamagedError(f"line {number} is damaged ({error})") from error


def parse_table(data: bytes, schema: pa.Schema | None = None, required: Collection[str] = ()) -> pa.Table:
    """Read a Parquet file.

    Args:
        data: Its content.
        schema: The columns that are wanted, with their types; None takes what is there. Others are left out, and those
            that an earlier version did not write are empty.
        required: Columns that are there and have no empty cell.

    Raises:
        DamagedError: It is no Parquet file, its columns are others, or it is too large.
    """
    try:
        # pq.read_table starts a thread even for these small tables, which can abort a process that ends right after it
        # (apache/arrow#34314).
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = range(file.metadata.num_row_groups)
        if sum(file.metadata.row_group(number).total_byte_size for number in groups) > MAX_TABLE:
            raise DamagedError(f"holds more than {MAX_TABLE:,} bytes")
        table = file.read(use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError(f"is no Parquet file ({type(error).__name__})") from error
    if schema is None:
        return table
    columns = []
    for field in schema:
        there = field.name in table.column_names
        column = table.column(field.name) if there else pa.nulls(table.num_rows, field.type)
        if field.name in required and (not there or column.null_count):
            raise DamagedError(f"has no column {field.name}" if not there else f"column {field.name} has empty cells")
        if column.type != field.type:
            raise DamagedError(f"column {field.name} holds {column.type}, not {field.type}")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)
