"""What every sampler that ``--sampler`` knows promises."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.policy import NoHalving
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan, TrialRecords
from sweep.search.journal import open_studies
from sweep.search.samplers import SAMPLERS
from sweep.search.study_group import StudyGroup
from tests.reports import plan_of
from trainables.errors import ExperimentError
from trainables.recipe import Recipe
from trainables.storage import Storage

SPACE: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY")),
}
CHOICES: dict[str, BaseDistribution] = {
    "augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY", "EXTREME")),
    "decoder_dropout": CategoricalDistribution((0.0, 0.3)),
}


def _group(
    folder: Path, sampler: str, trials: int = 8, space: dict[str, BaseDistribution] = SPACE, seed: int = 1
) -> StudyGroup:
    plan = StudyPlan(template=plan_of(recipe=Recipe(learning_rate=1e-3)), space=space, trials=trials)
    experiment = Experiment(Storage.open(str(folder)), "e")
    storage = open_studies(experiment, None)
    return StudyGroup(plan, NoHalving(), storage, "e", TrialRecords(experiment), seed, sampler=sampler)


def _values(trial: TrialPlan, space: dict[str, BaseDistribution] = SPACE) -> tuple[Any, ...]:
    recipe = trial.recipe.to_dict()
    return tuple(recipe[name] for name in space)


def _end(group: StudyGroup, trial: TrialPlan) -> None:
    score = 1 - abs(trial.recipe.learning_rate - 0.01) * 5 - trial.recipe.decoder_dropout / 10
    group.on_end(
        trial.attempt, "finished", {"epoch": 1, "val_iou": score, "best_val_iou": score, "final_val_iou": score}
    )


def _search(
    folder: Path, sampler: str, space: dict[str, BaseDistribution] = SPACE, seed: int = 1
) -> list[tuple[Any, ...]]:
    group, found = _group(folder, sampler, space=space, seed=seed), []
    while trial := group.next():
        found.append(_values(trial, space))
        _end(group, trial)
    return found


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_seeds_decide_what_is_proposed_and_a_resume_proposes_the_same(sampler: str, tmp_path: Path) -> None:
    expected = _search(tmp_path / "a", sampler)
    assert _search(tmp_path / "b", sampler) == expected != _search(tmp_path / "c", sampler, seed=2)
    found = []
    while trial := (group := _group(tmp_path / "killed", sampler)).next():
        found.append(_values(trial))
        again = (group := _group(tmp_path / "killed", sampler)).next()  # the driver died with the trial just begun
        assert again == trial
        _end(group, again)
    assert found == expected


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_are_in_the_space_and_apart_from_running_ones(sampler: str, tmp_path: Path) -> None:
    group = _group(tmp_path, sampler)
    for _ in range(3):
        trial = group.next()
        assert trial
        _end(group, trial)
    running = [_values(trial) for trial in (group.next() for _ in range(5)) if trial]
    assert len(set(running)) == 5
    for rate, augmentation in running:
        assert 1e-4 <= rate <= 1e-1 and augmentation in ("LIGHT", "MEDIUM", "HEAVY")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_recipe_is_tried_twice_while_another_one_is_left(sampler: str, tmp_path: Path) -> None:
    tried = _search(tmp_path, sampler, CHOICES)
    assert len(tried) == 8 and Counter(tried).most_common(1)[0][1] == 1


def test_a_sampler_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="--sampler psychic: is none of tpe, "):
        _group(tmp_path, "psychic")


def test_samplers_differ(tmp_path: Path) -> None:
    assert len({str(_search(tmp_path / sampler, sampler)) for sampler in SAMPLERS}) == len(SAMPLERS)


def test_a_plan_names_its_sampler_and_an_earlier_one_is_tpe_s() -> None:
    plan = SweepPlan(sampler="gp")
    values = plan.to_dict()
    assert SweepPlan.from_dict(values) == plan
    del values["sampler"]
    assert SweepPlan.from_dict(values) == SweepPlan(sampler="tpe")
