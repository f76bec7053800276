"""A sweep is not resumed with another version of a user's own architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.phase1 import grid
from search_spaces.profiles import get_profile
from sweep.planning.plan import SweepPlan
from sweep.session.own_code import own_code, require_same_code
from tests.reports import begin_experiment, plan_of
from trainables.errors import ExperimentError, RecipeError
from trainables.models.registry import trust_typed


def _plan(*architectures: str) -> SweepPlan:
    return SweepPlan(
        trials=tuple(
            plan_of(f"t{number}", recipe=recipe)
            for number, recipe in enumerate(grid(get_profile("smoke"), architectures))
        )
    )


def test_only_files_of_one_s_own_are_remembered(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def build(recipe, channels): ...\n")
    mine = f"{tmp_path / 'mine.py'}:build"
    assert list(own_code(_plan("unet", mine))) == [mine]
    assert own_code(_plan("unet")) == {}


def test_a_changed_or_missing_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def build(recipe, channels): ...\n")
    mine = f"{file}:build"
    experiment = begin_experiment(tmp_path / "results", name="mine", code=own_code(_plan(mine)))
    trust_typed([mine])
    require_same_code(experiment, _plan(mine))
    file.write_text("def build(recipe, channels): return None\n")
    with pytest.raises(ExperimentError, match=r"mine.py:build: has changed since mine began.*bring the file back"):
        require_same_code(experiment, _plan(mine))
    file.unlink()
    with pytest.raises(RecipeError, match=r"mine.py:build: there is no such file"):
        require_same_code(experiment, _plan(mine))


def test_a_sweep_of_an_earlier_version_remembers_none(tmp_path: Path) -> None:
    require_same_code(begin_experiment(tmp_path / "results"), _plan("unet"))
