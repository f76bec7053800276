"""No recipe is tried twice while another one is untried, and ``--confirm 3`` trains three different recipes anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from rich.console import Console

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.plan import StudyPlan
from sweep.planning.policy import NoHalving
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialRecords
from sweep.search.groups import Outcome
from sweep.search.journal import open_studies
from sweep.search.recipes_tried import holds, key, propose
from sweep.search.searches import limited_trials, say_limits
from sweep.search.study_group import StudyGroup
from tests.reports import plan_of
from trainables.storage import Storage

CHOICES: dict[str, BaseDistribution] = {
    "augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY", "EXTREME")),
    "decoder_dropout": CategoricalDistribution((0.0, 0.3)),
}
QUALITY = {"LIGHT": 0.5, "MEDIUM": 0.6, "HEAVY": 0.7, "EXTREME": 0.4}


def _search(
    folder: Path, space: Mapping[str, BaseDistribution], trials: int, confirm: int = 0, outcome: Outcome = "finished"
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Run a search with a pretended training; return the recipes that were tried and those that were confirmed."""
    experiment = Experiment(Storage.open(str(folder)), "e")
    template = plan_of(recipe=shared_recipe("unet", get_profile("smoke"), seed=42))
    plan = StudyPlan(template=template, space=space, trials=trials, confirm=confirm)
    group = StudyGroup(plan, NoHalving(), open_studies(experiment, None), "e", TrialRecords(experiment), 42)
    tried, confirmed = [], []
    while trial := group.next():
        recipe = trial.recipe.to_dict()
        score = QUALITY[recipe["augmentation"]] + recipe["decoder_dropout"] / 10
        report = {"epoch": 1, "val_iou": score, "best_val_iou": score, "final_val_iou": score}
        (confirmed if "-seed" in trial.attempt else tried).append(tuple(recipe[name] for name in space))
        group.on_end(trial.attempt, outcome, {} if outcome == "failed" else report)
    return tried, confirmed


@pytest.mark.parametrize("outcome", ["finished", "failed", "stopped"])
def test_eight_recipes_are_tried_in_eight_trials(tmp_path: Path, outcome: Outcome) -> None:
    tried, _ = _search(tmp_path, CHOICES, trials=8, outcome=outcome)
    assert Counter(tried).most_common(1)[0][1] == 1 and len(tried) == 8


def test_confirm_takes_the_three_best_different_recipes(tmp_path: Path) -> None:
    """Twelve trials of eight recipes, as an experiment of an earlier version has them."""
    tried, confirmed = _search(tmp_path, CHOICES, trials=12, confirm=3)
    assert len(tried) == 12 and len(set(tried)) == 8
    assert confirmed == [("HEAVY", 0.3), ("HEAVY", 0.0), ("MEDIUM", 0.3)]


@settings(max_examples=10)
@given(choices=st.integers(1, 3), steps=st.integers(0, 3), numbers=st.integers(0, 3), seed=st.integers(0, 9))
def test_every_recipe_of_a_small_space_is_proposed_once(choices: int, steps: int, numbers: int, seed: int) -> None:
    space: dict[str, BaseDistribution] = {
        "a": CategoricalDistribution(tuple(range(choices))),
        "b": FloatDistribution(0.1, round(0.1 + 0.1 * steps, 1), step=0.1),
        "c": IntDistribution(1, 1 + numbers),
    }
    shared = {"a": 0, "b": 0.1, "c": 1}
    size = choices * (steps + 1) * (numbers + 1)
    assert holds(space, shared) == size
    assert holds(space, {**shared, "c": 9}) == size + 1, "a shared recipe outside is a recipe more"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    tried: set[Any] = set()
    for number in range(size):
        values = propose(study, space, tried, seed + number)
        assert key(values) not in tried
        tried.add(key(values))
    assert set(propose(study, space, tried, seed)) == set(space), "then one is repeated, and nothing hangs"


def test_a_range_without_steps_holds_any_number_of_recipes() -> None:
    assert holds({"a": FloatDistribution(0.0, 1.0)}, {"a": 0.5}) is None
    assert holds({"a": FloatDistribution(0.5, 0.5)}, {"a": 0.5}) == 1
    assert holds({"a": IntDistribution(1, 1024, log=True)}, {"a": 1}) == 1024
    assert holds({"a": FloatDistribution(0.0, 1.0, step=1e-9)}, {"a": 0.0}) == 10**9 + 1, "without listing them"


def test_a_search_is_as_long_as_its_space_is_large_and_says_so() -> None:
    recipes = {"unet": shared_recipe("unet", get_profile("smoke"), seed=42)}
    found = limited_trials(12, {"unet": CHOICES}, recipes)
    console = Console(record=True, width=200)
    say_limits(12, found, console)
    assert found == {"unet": 8}
    assert console.export_text().startswith("unet: its space holds 8 recipes, so 8 trials instead of 12;")
