"""What each trial is, and what became of it: the experiment's own record, written by the driver alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeVar

from sweep.records.earlier import with_present_names
from sweep.records.experiment import Experiment, check_name
from sweep.records.shapes import MAX_LINES, RecordShape, ReportShape, read_lines
from sweep.records.throttle import Throttle
from trainables.data.folds import Fold
from trainables.documents import DamagedError
from trainables.errors import ExperimentError, StorageError, TilesweepError
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.trial_states import REPORTS_FILE, TrialStates

TRIALS_FILE = "trials.jsonl"
ERROR_FILE = "error.txt"
"""In the folder of a trial that crashed: why."""
State = Literal["waiting", "running", "paused", "stopped", "failed", "finished"]
Role = Literal["planned", "baseline", "search", "confirm", "final", "refit"]
"""Of a trial: planned beforehand; a search's shared recipe, its other trials; its best recipes trained again for the
choice; its best recipe on other draws of the tiles; a recipe on the tiles of all folds, which nobody scores."""
SEARCHED: frozenset[Role] = frozenset(("baseline", "search"))
"""Roles of the trials that a study learns from."""
ENDED: frozenset[State] = frozenset(("stopped", "failed", "finished"))
WITHOUT_FOLDS = "has no folds, which say for how many epochs all tiles are trained on"
"""Why there is no refit."""
Parsed = TypeVar("Parsed")
READERS = 16
"""Files read at the same time; behind a network each of them takes a while."""
SMALL_BYTES = 256_000
"""A record up to this size, about 300 trials, is written with every change; a larger one when it is cheap."""


def refit_attempt(attempt: str) -> str:
    """Return the name of the training on all tiles that follows from a trial of folds."""
    return f"{attempt}-refit"


@dataclass(frozen=True, kw_only=True)
class TrialPlan:
    """One trial before it runs.

    Attributes:
        attempt: Its name, and its folder's.
        contest: Of the candidates of one contest, the best by val IoU is the winner, and it alone may read test.
        recipe: What it trains.
        weights: What its encoder starts from.
        tiles: Names of the train tiles that it sees; none is all of them.
        draw: Which draw of that many tiles, from 1; 0 where nothing is drawn.
        folds: The folds of its cross-validation, each with its own tiles; none trains once, on ``tiles``.
        candidate: Trials of one candidate train the same recipe with several seeds; empty is the trial alone.
        contender: What it counts for in the leaderboard, with the winners of other contests; empty is the contest.
        role: What it is trained for.
        study: The study that proposed its recipe, or whose best recipe it trains; empty for a planned trial.
        rates: Of a refit: the learning rate of each of its epochs.
    """

    attempt: str
    contest: str
    recipe: Recipe
    weights: Weights
    tiles: tuple[str, ...] = ()
    draw: int = 0
    folds: tuple[Fold, ...] = ()
    candidate: str = ""
    contender: str = ""
    role: Role = "planned"
    study: str = ""
    rates: tuple[float, ...] = ()

    @property
    def epochs(self) -> int:
        """Epochs of a full training."""
        return len(self.rates) or self.recipe.max_epochs

    @property
    def group(self) -> str:
        """Its name together with the trials that it is shown with: those of its study and role, or itself alone."""
        return {
            "planned": self.attempt,
            "baseline": self.study,
            "search": self.study,
            "confirm": f"{self.study}-confirm",
            "final": f"{self.study}-finals",
            "refit": "refit",
        }[self.role]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and for Tune's config."""
        plain = {**asdict(self), "tiles": list(self.tiles), "rates": list(self.rates)}
        plain["folds"] = [{"val": list(fold.val), "train": list(fold.train)} for fold in self.folds]
        return plain

    @property
    def division(self) -> str:
        """Hash of the tiles that each fold leaves out, which comparable scores share; empty for no folds."""
        left_out = json.dumps([fold.val for fold in self.folds])
        return hashlib.sha256(left_out.encode()).hexdigest()[:12] if self.folds else ""

    def train_tiles(self, available: int) -> int:
        """Return how many train tiles a training sees, of so many; the fewest of several folds."""
        if self.folds:
            return min(fold.train_tiles(available) for fold in self.folds)
        return len(self.tiles) or available

    def train_names(self, available: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the train tiles that a training sees, of those; of folds, those that any of them sees."""
        if not self.folds:
            return self.tiles or tuple(available)
        seen = {name for fold in self.folds for name in fold.train} or set(available)
        return tuple(name for name in available if name in seen)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrialPlan:
        """Read what ``to_dict`` returned, in this version or an earlier one.

        Raises:
            ExperimentError: The trial's name could leave the experiment's folder.
        """
        check_name(values["attempt"], "trial")
        values = with_present_names(values)
        return cls(
            **{
                **values,
                "recipe": Recipe.from_dict(values["recipe"]),
                "weights": Weights(**values["weights"]),
                "tiles": tuple(values["tiles"]),
                "rates": tuple(values.get("rates", ())),
                "folds": tuple(Fold.from_dict(fold) for fold in values.get("folds", ())),
            }
        )


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """A trial and what became of it.

    Attributes:
        plan: The trial.
        state: ``running`` also after its driver died: only the driver writes here.
        reason: Why it failed; else empty.
    """

    plan: TrialPlan
    state: State = "waiting"
    reason: str = ""


class TrialRecords:
    """The trials of an experiment in the order in which they were planned; a line each in ``trials.jsonl``.

    The file is written whole. That of thousands of trials would be most of what a driver does, so its changes may wait
    for a moment; a driver that dies before it loses nothing that a resume does not find in the studies and the trials'
    own states.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._records: dict[str, TrialRecord] = {}
        self._lines: dict[str, tuple[TrialRecord, str]] = {}
        self._throttle = Throttle()
        self._size = 0
        self._waiting = False
        if (data := experiment.find_file(TRIALS_FILE, MAX_LINES)) is not None:
            for record in _parse_lines(experiment, TRIALS_FILE, data, RecordShape, _parse_record):
                self._records[record.plan.attempt] = record

    def add(self, *plans: TrialPlan) -> None:
        """Record new trials as waiting; one that is known already stays as it is."""
        new = {plan.attempt: TrialRecord(plan=plan) for plan in plans if plan.attempt not in self._records}
        self._records |= new
        if new:
            self._write()

    def set_state(self, attempt: str, state: State, reason: str = "") -> None:
        """Record what became of a trial."""
        changed = replace(self._records[attempt], state=state, reason=reason)
        if changed != self._records[attempt]:
            self._records[attempt] = changed
            self._write()

    def give_up(self, attempt: str) -> None:
        """Record that a trial was stopped, and free the space of the states that it would have gone on from."""
        self.set_state(attempt, "stopped")
        TrialStates(self._experiment.folder(attempt)).clear()

    def all(self) -> list[TrialRecord]:
        """Return every record."""
        return list(self._records.values())

    def plan(self, attempt: str) -> TrialPlan:
        """Return a recorded trial's plan."""
        return self._records[attempt].plan

    def state(self, attempt: str) -> State:
        """Return a trial's state; ``waiting`` for one that is not recorded."""
        return self._records[attempt].state if attempt in self._records else "waiting"

    def _line(self, record: TrialRecord) -> str:
        """Return a record as a line, written again only where the record is another one than last time."""
        known, line = self._lines.get(record.plan.attempt, (None, ""))
        if known is not record:
            line = json.dumps({**record.plan.to_dict(), "state": record.state, "reason": record.reason})
            self._lines[record.plan.attempt] = (record, line)
        return line

    def _write(self) -> None:
        self._waiting = True
        self.write_if_due()

    def write_if_due(self) -> None:
        """Write changes that have waited, if it is time."""
        if self._waiting and (self._size <= SMALL_BYTES or self._throttle.due):
            self.write_waiting()

    def write_waiting(self) -> None:
        """Write changes that have waited."""
        if not self._waiting:
            return
        with self._throttle.done():
            lines = [self._line(record) for record in self._records.values()]
            data = "".join(f"{line}\n" for line in lines).encode()
            self._experiment.write(TRIALS_FILE, data)
        self._size, self._waiting = len(data), False


def read_reports(experiment: Experiment, attempt: str) -> list[dict[str, Any]]:
    """Read what a trial reported, an entry per epoch, in order; empty before the first one.

    Raises:
        ExperimentError: The file is damaged.
    """
    name = f"{attempt}/{REPORTS_FILE}"
    data = experiment.find_file(name, MAX_LINES)
    return [] if data is None else _parse_lines(experiment, name, data, ReportShape, dict)


def read_all_reports(
    experiment: Experiment, attempts: Iterable[str], faults: list[str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Read what many trials reported.

    Args:
        experiment: Whose trials.
        attempts: Which ones.
        faults: Gets a line for every damaged file, which then counts as empty.

    Returns:
        Attempt to reports.

    Raises:
        ExperimentError: A file is damaged and no ``faults`` are wanted.
        StorageError: The storage is out of reach.
    """

    def read(attempt: str) -> list[dict[str, Any]]:
        try:
            return read_reports(experiment, attempt)
        except StorageError:
            raise
        except ExperimentError as error:
            if faults is None:
                raise
            faults.append(str(error))
            return []

    names = list(attempts)
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _parse_record(values: dict[str, Any]) -> TrialRecord:
    state, reason = values.pop("state"), values.pop("reason")
    return TrialRecord(plan=TrialPlan.from_dict(values), state=state, reason=reason)


def _parse_lines(
    experiment: Experiment, name: str, data: bytes, shape: type[Any], parse: Callable[[Any], Parsed]
) -> list[Parsed]:
    """Parse the content of a file of a JSON object a line.

    Raises:
        ExperimentError: A line is damaged. These files are written whole or not at all, so no fault of ours does that.
    """
    found: list[Parsed] = []
    try:
        for values in read_lines(data, shape):
            found.append(parse(values))
    except (DamagedError, TilesweepError) as error:
        said = str(error) if isinstance(error, DamagedError) else f"line {len(found) + 1} is damaged ({error})"
        raise ExperimentError(
            f"{experiment.path(name)}: {said}; restore the file, or start again under another --name"
        ) from error
    return found
