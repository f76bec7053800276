"""MLflow, Weights & Biases and their like: one run per attempt, however often its trial was started."""

from __future__ import annotations

import logging
import math
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from sweep.observers.observer import Observer
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan
from sweep.search.groups import Outcome
from trainables.errors import ExperimentError
from trainables.report import EPOCH_FIELDS, FINAL_FIELDS, TRACKERS, EpochReport, FinalReport, shown_in
from trainables.secrets import hide_secret

logger = logging.getLogger(__name__)
TRACKED = tuple(one.name for one in shown_in(TRACKERS, (*EPOCH_FIELDS, *FINAL_FIELDS)))
CLOSE_SECONDS = 120
"""How long the end of a sweep waits for a tracker."""


class Tracker(Observer, ABC):
    """Writes to a service by its own client, and lets its errors through."""

    @abstractmethod
    def __init__(self, value: str, experiment: Experiment) -> None: ...

    @classmethod
    def require(cls, value: str) -> None:
        """Make sure that the service answers, before the first trial.

        Raises:
            ExperimentError: It does not.
        """


def require(trackers: Mapping[str, str]) -> None:
    """Make sure that trackers can be written to.

    Args:
        trackers: The option's name, which is also the package's and the extra's, to its value.

    Raises:
        ExperimentError: A package is missing, or a service does not answer.
    """
    for name, value in trackers.items():
        if find_spec(name) is None:
            raise ExperimentError(
                f"--{name}: needs the package {name}; install it with: pip install 'tilesweep[{name}]'"
            )
        _tracker(name).require(value)


def follow(trackers: Mapping[str, str], experiment: Experiment) -> list[Observer]:
    """Return the observers that write an experiment's trials to trackers."""
    return [Background(_tracker(name)(value, experiment)) for name, value in trackers.items()]


def _tracker(name: str) -> type[Tracker]:
    """Return the one tracker in the module of observers that has an option's name."""
    module = import_module(f"sweep.observers.{name}")
    (found,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Tracker) and one.__module__ == module.__name__
    )
    return found


class Background(Observer):
    """Calls an observer in a thread of its own: a service that is slow holds up no trial, one that fails no sweep.

    A fault is logged once per kind; of a trial that could not begin there, nothing more is passed on.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._faults: set[type[Exception]] = set()
        self._begun: set[str] = set()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="tilesweep-tracker", daemon=True)
        self._thread.start()
        self._calls.put(self._observer.open)

    def begin(self, plan: TrialPlan) -> None:
        """Pass it on."""
        self._calls.put(partial(self._begin, plan))

    def replay(self, plan: TrialPlan, report: EpochReport) -> None:
        """Pass it on."""
        self._put(plan, partial(self._observer.replay, plan, report))

    def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
        """Pass it on."""
        self._put(plan, partial(self._observer.epoch, plan, report))

    def end(self, plan: TrialPlan, outcome: Outcome, last: EpochReport | None, final: FinalReport | None) -> None:
        """Pass it on."""
        self._put(plan, partial(self._observer.end, plan, outcome, last, final))

    def failed(self, plan: TrialPlan, reason: str, traceback: str = "") -> None:
        """Pass it on."""
        self._put(plan, partial(self._observer.failed, plan, reason, traceback))

    def close(self) -> None:
        """Wait until everything is passed on, but not for ever."""
        if self._thread is None:
            return
        self._calls.put(self._observer.close)
        self._calls.put(None)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            logger.warning("experiment tracking did not end within %g s; it may lack the last epochs", CLOSE_SECONDS)
        self._thread = None

    def _put(self, plan: TrialPlan, call: Callable[[], None]) -> None:
        self._calls.put(lambda: call() if plan.attempt in self._begun else None)

    def _begin(self, plan: TrialPlan) -> None:
        self._begun.discard(plan.attempt)
        self._observer.begin(plan)
        self._begun.add(plan.attempt)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:  # every client has kinds of its own
                if type(error) not in self._faults:
                    self._faults.add(type(error))
                    logger.warning(
                        "experiment tracking failed, the sweep continues: %s: %s",
                        type(error).__name__,
                        hide_secret(str(error)),
                    )


def parameters(plan: TrialPlan) -> dict[str, str | int | float]:
    """Return what distinguishes a trial, as flat plain values: its recipe, weights and tiles."""
    return {
        **plan.recipe.to_dict(),
        "weights": plan.weights.kind,
        "tiles": len(plan.tiles) or "all",
        "draw": plan.draw,
        "folds": len(plan.folds),
    }


def numbers(report: EpochReport | FinalReport) -> dict[str, float]:
    """Return the numbers of a report that trackers get; a training on all tiles has no scores."""
    found = {name: float(getattr(report, name)) for name in TRACKED if hasattr(report, name)}
    return {name: value for name, value in found.items() if not math.isnan(value)}
