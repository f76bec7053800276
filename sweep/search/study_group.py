"""One group's search: an Optuna study that hears the truth about stopped trials, and survives its driver."""

from __future__ import annotations

import warnings
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sweep.planning.plan import StudyPlan
from sweep.planning.policy import TO_THE_END, Curves, Decision, Policy, RungState
from sweep.records.trials import TrialPlan, TrialRecords
from sweep.search.groups import Outcome, TrialGroup
from sweep.search.journal import study_name
from sweep.search.recipes_tried import key, propose
from sweep.search.samplers import find_sampler
from trainables.metrics import only_class

STATES: Mapping[TrialState, Outcome] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}
TOLD: Mapping[Outcome, TrialState] = {outcome: state for state, outcome in STATES.items()}
ORIGIN = "origin"
"""The attribute of a trial whose recipe comes from an earlier experiment: the training there."""
COLLAPSED = "collapsed"
"""The attribute of a trial that predicts a single class everywhere on val."""


class StudyGroup(TrialGroup):
    """Searches one group's recipes: a sampler proposes, a policy decides which trials get their next epochs.

    The study is the search's only memory: what is proposed follows from its trials and the seed, and what the policy
    decides from its intermediate values. So a killed search resumes with the same decisions. Optuna hears of a trial as
    COMPLETE with the best val IoU of its epochs when it finished, by its last epoch or by patience; as PRUNED, with its
    intermediate values, when it was stopped; as FAIL when it failed.

    Args:
        plan: What is searched; the shared recipe is the first trial, and is never stopped. Recipes of an earlier
            experiment come next, and are trials like all others.
        policy: Decides which trials get their next epochs.
        storage: Where the study is.
        experiment: The experiment's name, which goes into the study's.
        records: The experiment's record of trials.
        seed: Seeds every proposal, at least 0.
        warm: Curves of an earlier experiment that trials are compared with, too.
        sampler: Proposes recipes, by its name in ``SAMPLERS``.
    """

    def __init__(
        self,
        plan: StudyPlan,
        policy: Policy,
        storage: BaseStorage,
        experiment: str,
        records: TrialRecords,
        seed: int,
        warm: Curves | None = None,
        sampler: str = "tpe",
    ) -> None:
        self._plan = plan
        self._policy = policy
        self._records = records
        self._seed = seed
        self._sampler = partial(find_sampler(sampler), startup=max(1, min(10, plan.trials // 3)))
        self._study = optuna.create_study(
            study_name=study_name(experiment, plan.name),
            storage=storage,
            sampler=RandomSampler(),  # is never heard: every trial is enqueued with its values
            direction="maximize",
            load_if_exists=True,
        )
        self._running: dict[str, optuna.Trial] = {}
        self._views: dict[int, Uncopied] = {}
        self._to_resume: deque[FrozenTrial] = deque()
        self._curves = {name: dict(curve) for name, curve in (warm or {}).items()}
        for trial in self._trials():
            self._take_up(trial)
        self._finals: deque[TrialPlan] | None = None
        self._finals_running: set[str] = set()

    def _take_up(self, trial: FrozenTrial) -> None:
        """Bring a trial of an earlier driver into order."""
        self.launches += 1
        attempt = self._attempt(trial.number)
        self._curves[attempt] = dict(trial.intermediate_values)
        if set(trial.params) == set(self._plan.space):
            self._records.add(self._plan.trial(trial.number, trial.params))
        if stopped := trial.user_attrs.get("stopped"):  # the driver died between the decision and the telling
            if trial.state not in STATES:
                self._report(attempt, self._handle(trial), stopped["epoch"], stopped["val_iou"])
                self._study.tell(trial.number, state=TrialState.PRUNED)
            self._records.give_up(attempt)
        elif trial.state in STATES:
            if self._records.state(attempt) != STATES[trial.state]:
                self._records.set_state(attempt, STATES[trial.state])
        elif not self._standing(trial).paused:
            self._to_resume.append(trial)

    def _trials(self) -> list[FrozenTrial]:
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state is not TrialState.WAITING]

    def _attempt(self, number: int) -> str:
        return self._plan.trial(number, {}).attempt

    def _handle(self, trial: FrozenTrial) -> optuna.Trial:
        return optuna.Trial(self._study, trial._trial_id)

    def next(self) -> TrialPlan | None:
        """Hand out an unfinished trial, a promoted one, a new one, or one with the best recipes found."""
        trial = self._next()
        self.launches += trial is not None
        return trial

    def _next(self) -> TrialPlan | None:
        if self._to_resume:
            trial = self._to_resume.popleft()
            self.launches -= 1  # was counted when it was taken up
            handle = self._handle(trial)
            return self._launch(handle, trial.number, self._values(handle), self._until(trial))
        if self._policy.pauses and (promoted := self._promote()):
            return promoted
        if len(self._trials()) < self._plan.trials:
            return self._launch_new()
        if self._running:
            return None
        if self._finals is None:
            self._close()
        assert self._finals is not None
        if not self._finals:
            return None
        final = self._finals.popleft()
        self._finals_running.add(final.attempt)
        return final

    def _launch_new(self) -> TrialPlan:
        number = len(self._trials())
        if len(self._study.get_trials(deepcopy=False)) == number:  # else the driver died after this step
            values, origin = self._plan.given(number) or (self._propose(number), "")
            self._study.enqueue_trial(values, user_attrs={ORIGIN: origin} if origin else None)
        trial = self._study.ask()
        return self._launch(trial, number, self._values(trial), self._first_stop(number))

    def _values(self, trial: optuna.Trial) -> dict[str, Any]:
        """Return the values with which a trial was enqueued, putting those down that are not yet."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a shared recipe outside the user's own space is fine
            return {name: _suggest(trial, name, values) for name, values in self._plan.space.items()}

    def _first_stop(self, number: int) -> int:
        return self._policy.next_pause(0) if number else TO_THE_END

    def _launch(self, trial: optuna.Trial, number: int, values: Mapping[str, Any], until: int) -> TrialPlan:
        plan = self._plan.trial(number, values)
        self._records.add(plan)
        self._running[plan.attempt] = trial
        trial.set_user_attr("attempt", plan.attempt)
        trial.set_user_attr("until", until)
        return plan

    def _seed_of(self, number: int) -> int:
        words = [self._seed, zlib.crc32(self._plan.name.encode()), number]
        return int(np.random.SeedSequence(words).generate_state(1)[0])

    def _propose(self, number: int) -> dict[str, Any]:
        """Propose values that no trial has had; paused trials count as pruned, for as running ones they would be bad.

        A shared recipe outside the space is left out: it says nothing about what is inside.
        """
        view = optuna.create_study(direction="maximize", sampler=self._sampler(self._seed_of(number)))
        trials = self._trials()
        for trial in filter(_is_inside, trials):
            view.add_trial(self._views.get(trial.number) or self._view(trial))
        return propose(view, self._plan.space, {key(trial.params) for trial in trials}, self._seed_of(number))

    def _view(self, trial: FrozenTrial) -> Uncopied:
        """Return a trial as the sampler is to see it; that of an ended one is kept."""
        view = Uncopied.of(trial, paused=self._standing(trial).paused)
        if trial.state in STATES:
            self._views[trial.number] = view
        return view

    def _until(self, trial: FrozenTrial) -> int:
        return int(trial.user_attrs.get("until", self._first_stop(trial.number)))

    def _standing(self, trial: FrozenTrial) -> RungState:
        return RungState(
            number=trial.number,
            curve=trial.intermediate_values,
            until=self._until(trial),
            ended=trial.state in STATES,
        )

    def _promote(self) -> TrialPlan | None:
        trials = self._trials()
        standings = [self._standing(trial) for trial in trials]
        number = self._policy.promote(standings, all_started=len(trials) >= self._plan.trials)
        if number is None:
            return None
        until = self._policy.next_pause(standings[number].until)
        return self._launch(self._handle(trials[number]), number, trials[number].params, until)

    @property
    def done(self) -> bool:
        """Whether the search and the trials with its best recipes have ended."""
        return self._finals is not None and not self._finals and not self._finals_running

    def _close(self) -> None:
        """End the search: stop what is still paused, and plan the trials with the best recipes."""
        for trial in self._trials():
            if trial.state not in STATES:
                self._study.tell(trial.number, state=TrialState.PRUNED)
                self._records.give_up(self._attempt(trial.number))
        complete = [trial for trial in self._trials() if trial.state is TrialState.COMPLETE]
        complete.sort(key=_merit)
        finals = [
            replace(final, recipe=final.recipe.replace(**best.params))
            for best in complete[:1]
            for final in self._plan.finals
        ]
        # Two trials of one recipe have the same curve: a record of an earlier version may hold some.
        different = {key(trial.params): trial for trial in reversed(complete)}
        ranked = [trial for trial in complete if different[key(trial.params)] is trial]
        for trial in ranked[: self._plan.confirm]:
            finals += self._plan.confirmations(self._plan.trial(trial.number, trial.params))
        self._records.add(*finals)
        self._finals = deque(final for final in finals if self._records.state(final.attempt) != "finished")

    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> Decision:
        """Decide what becomes of a trial; report the epoch to Optuna where it continues.

        An epoch that is known comes from a trial that reports again what it did before; it was decided then.
        """
        trial = self._running.get(attempt)
        if trial is None or epoch in self._curves.get(attempt, ()):
            return Decision.CONTINUE
        self._curves.setdefault(attempt, {})[epoch] = val_iou
        if trial.number and (decision := self._policy.decide(attempt, epoch, self._curves)) is not Decision.CONTINUE:
            return decision  # Optuna hears of the epoch together with the decision, when the trial has ended
        self._report(attempt, trial, epoch, val_iou)
        return Decision.CONTINUE

    def _report(self, attempt: str, trial: optuna.Trial, epoch: int, val_iou: float) -> None:
        self._curves.setdefault(attempt, {})[epoch] = val_iou
        if epoch not in self._study._storage.get_trial(trial._trial_id).intermediate_values:
            trial.report(val_iou, epoch)

    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        """Tell Optuna how a trial ended."""
        if attempt in self._finals_running:
            self._finals_running.remove(attempt)
            return
        trial = self._running.pop(attempt)
        if outcome == "finished":
            trial.set_user_attr("whole_tiles_val_iou", report["final_val_iou"])
            if only_class([tile["confusion"] for tile in report.get("final_tiles", {}).values()]) is not None:
                trial.set_user_attr(COLLAPSED, True)
        if outcome == "stopped":
            trial.set_user_attr("stopped", {"epoch": report["epoch"], "val_iou": report["val_iou"]})
        if "epoch" in report:
            self._report(attempt, trial, report["epoch"], report["val_iou"])
        if outcome != "paused":
            best = report["best_val_iou"] if outcome == "finished" else None
            self._study.tell(trial.number, values=best, state=TOLD[outcome])


def _merit(trial: FrozenTrial) -> tuple[bool, float, int]:
    """Sort the best trial first; those that predict a single class everywhere come last."""
    return COLLAPSED in trial.user_attrs, -trial.user_attrs["whole_tiles_val_iou"], trial.number


class Uncopied(FrozenTrial):
    """A trial that nobody changes. Optuna copies every trial that it is shown, which was most of a proposal's time."""

    @classmethod
    def of(cls, trial: FrozenTrial, *, paused: bool) -> Uncopied:
        """Return a trial of a study; a paused one as pruned."""
        ended = paused or trial.state in STATES
        return cls(
            number=trial.number,
            trial_id=trial.number,
            state=TrialState.PRUNED if paused else trial.state,
            value=max(trial.intermediate_values.items())[1] if paused else trial.value,
            datetime_start=trial.datetime_start,
            datetime_complete=trial.datetime_complete or (trial.datetime_start if ended else None),
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={},
            system_attrs={},
            intermediate_values=trial.intermediate_values,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Uncopied:
        return self


def _is_inside(trial: FrozenTrial) -> bool:
    return not any(
        isinstance(values, FloatDistribution | IntDistribution) and not values.low <= trial.params[name] <= values.high
        for name, values in trial.distributions.items()
    )


def _suggest(trial: optuna.Trial, name: str, values: BaseDistribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(name, values.choices)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(name, values.low, values.high, step=values.step, log=values.log)
    assert isinstance(values, FloatDistribution)
    return trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
