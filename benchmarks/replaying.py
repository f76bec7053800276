"""One search over recorded curves: the product's policies and samplers decide, and nothing is trained."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from benchmarks.curves import Recorded
from sweep.planning.policy import TO_THE_END, Decision, Policy, RungState
from sweep.search.recipes_tried import key, propose
from sweep.search.samplers import find_sampler
from sweep.search.study_group import Uncopied

Space = Mapping[str, BaseDistribution]
IN_ORDER = "in order"


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched, and how.

    Attributes:
        recorded: Recipes with their curves; the first is the shared one.
        space: Recipe field to what is searched.
        policy: Decides which trials get their next epochs.
        trials: How many recipes are tried, from 1 to as many as are recorded.
        epochs: Of a full training, from 1 to as many as are recorded.
        slots: Trials that run side by side, at least 1; an epoch takes all of them the same time.
        sampler: ``in order``, which takes the recorded recipes as they come; ``random``; or another of ``SAMPLERS``:
            the recorded recipe nearest to its proposal is tried.
        startup: Trials that such a sampler draws at random.
        starts: Recorded recipes that are tried right after the shared one, fewer than ``trials``.
        rivals: Curves of trainings that rungs compare with from the first trial on.
    """

    recorded: Sequence[Recorded]
    space: Space
    policy: Policy
    trials: int
    epochs: int
    slots: int = 1
    sampler: str = "random"
    startup: int = 10
    starts: tuple[int, ...] = ()
    rivals: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Trial:
    """A trial of a replayed search.

    Attributes:
        number: Its number; 0 is the shared recipe.
        recipe: Which recorded one it trains.
        until: The epoch at which it pauses.
        curve: Epoch to val IoU so far.
        outcome: ``finished``, ``stopped``, ``paused``; empty while it runs.
    """

    number: int
    recipe: int
    until: int
    curve: dict[int, float] = field(default_factory=dict)
    outcome: str = ""

    @property
    def ended(self) -> bool:
        """Whether it gets no more epochs."""
        return self.outcome in ("finished", "stopped")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a search came to.

    Attributes:
        trials: In the order in which they started.
        epochs: That were trained.
        best: The best val IoU of those that finished.
        length: From its start to its end, in epochs of one trial.
    """

    trials: Sequence[Trial]
    epochs: int
    best: float
    length: int


def replay(search: Search, seed: int) -> Outcome:
    """Run a search.

    Args:
        search: What is searched, and how.
        seed: Seeds its proposals, at least 0.
    """
    trials: list[Trial] = []
    order = Order(search, seed)
    curves = {name: dict(curve) for name, curve in search.rivals.items()}
    states: list[RungState] = []
    running: list[tuple[int, int, Trial]] = []
    serial, now = count(), 0

    def state_of(trial: Trial) -> RungState:
        return RungState(number=trial.number, curve=trial.curve, until=trial.until, ended=trial.ended)

    def next_trial() -> Trial | None:
        if search.policy.pauses:
            number = search.policy.promote(states, all_started=len(trials) >= search.trials)
            if number is not None:
                trial = trials[number]
                trial.until, trial.outcome = search.policy.next_pause(trial.until), ""
                return trial
        if len(trials) == search.trials:
            return None
        number = len(trials)
        until = search.policy.next_pause(0) if number else TO_THE_END
        trial = Trial(number=number, recipe=order.next(trials), until=until)
        trials.append(trial)
        curves[str(number)] = trial.curve
        states.append(state_of(trial))
        return trial

    while True:
        while len(running) < search.slots and (trial := next_trial()):
            states[trial.number] = state_of(trial)
            heapq.heappush(running, (now + 1, next(serial), trial))
        if not running:
            break
        now, _, trial = heapq.heappop(running)
        epoch = len(trial.curve) + 1
        trial.curve[epoch] = search.recorded[trial.recipe].curve[epoch - 1]
        trial.outcome = _outcome(search, trial, epoch, curves)
        if trial.outcome:
            states[trial.number] = state_of(trial)
        else:
            heapq.heappush(running, (now + 1, next(serial), trial))
    finished = [max(trial.curve.values()) for trial in trials if trial.outcome == "finished"]
    return Outcome(trials=trials, epochs=sum(len(trial.curve) for trial in trials), best=max(finished), length=now)


def _outcome(search: Search, trial: Trial, epoch: int, curves: Mapping[str, Mapping[int, float]]) -> str:
    """Say how a trial ends after an epoch; empty where it continues."""
    if epoch == search.epochs:
        return "finished"
    if not trial.number:
        return ""
    decision = search.policy.decide(str(trial.number), epoch, curves)
    return {Decision.STOP: "stopped", Decision.PAUSE: "paused", Decision.CONTINUE: ""}[decision]


class Order:
    """Which recorded recipe each trial has.

    A random search takes them in a random order, which is what drawing recipes at random comes to. Another sampler
    proposes a recipe, and the nearest one that has not been tried is taken: each field's range, on its own scale, is of
    length 1, and two choices are 1 apart.

    Args:
        search: What is searched.
        seed: At least 0.

    Attributes:
        at_random: All recorded recipes in the order of a random search; the shared one first.
    """

    def __init__(self, search: Search, seed: int) -> None:
        self._search = search
        self._dice = random.Random(seed)
        self._left = list(range(1, len(search.recorded)))
        if search.sampler != IN_ORDER:
            self._dice.shuffle(self._left)
        self.at_random = [0, *self._left]
        self._proposes = search.sampler not in (IN_ORDER, "random")
        if self._proposes:
            self._places = [place(one.values, search.space) for one in search.recorded]

    def next(self, trials: Sequence[Trial]) -> int:
        """Choose the next trial's recipe, knowing the trials so far."""
        if not trials:
            return 0
        if len(trials) <= len(self._search.starts):
            chosen = self._search.starts[len(trials) - 1]
        else:
            chosen = self._nearest(trials) if self._proposes else self._left[0]
        self._left.remove(chosen)
        return chosen

    def _nearest(self, trials: Sequence[Trial]) -> int:
        values = proposal(self._search, trials, self._dice.randrange(2**32))
        wanted = place(values, self._search.space)
        return min(self._left, key=lambda number: distance(wanted, self._places[number]))


def proposal(search: Search, trials: Sequence[Trial], seed: int) -> Mapping[str, Any]:
    """Propose a recipe as a search does, from what its trials have shown."""
    sampler = find_sampler(search.sampler)(seed=seed, startup=search.startup)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in trials:
        study.add_trial(_view(search, trial))
    return propose(study, search.space, {key(search.recorded[trial.recipe].values) for trial in trials}, seed)


STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "paused": TrialState.RUNNING,
    "": TrialState.RUNNING,
}


def _view(search: Search, trial: Trial) -> Uncopied:
    """Return a trial as a search's sampler sees it."""
    known = create_trial(
        state=STATES[trial.outcome],
        value=max(trial.curve.values()) if trial.outcome == "finished" else None,
        params=dict(search.recorded[trial.recipe].values),
        distributions=dict(search.space),
        intermediate_values=trial.curve,
    )
    return Uncopied.of(known, paused=trial.outcome == "paused")


Place = tuple[Any, ...]


def place(values: Mapping[str, Any], space: Space) -> Place:
    """Return where a recipe is in a cube of side 1; a choice stays what it is."""
    return tuple(_coordinate(one, values[name]) for name, one in space.items())


def _coordinate(one: BaseDistribution, value: Any) -> Any:
    if isinstance(one, CategoricalDistribution):
        return value
    assert isinstance(one, FloatDistribution)
    scale: Callable[[float], float] = math.log if one.log else float
    return (scale(value) - scale(one.low)) / (scale(one.high) - scale(one.low))


def distance(one: Place, other: Place) -> float:
    """Return the squared distance of two recipes; two choices are 1 apart."""
    return sum((a - b) ** 2 if isinstance(a, float) else float(a != b) for a, b in zip(one, other, strict=True))
