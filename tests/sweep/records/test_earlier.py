"""Trials as versions before this one wrote them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from optuna.distributions import FloatDistribution

from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.records.trials import TrialPlan
from tests.reports import plan_of

TEMPLATE = plan_of()
FINAL = replace(TEMPLATE, attempt="unet-draw2", contest="unet-draw2", role="final", study="unet", draw=2)
STUDY = StudyPlan(
    template=TEMPLATE,
    space={"learning_rate": FloatDistribution(1e-4, 1e-2)},
    trials=12,
    finals=(FINAL,),
    confirm=1,
    repeats=2,
)


def _earlier(plan: TrialPlan, group: str, *, preliminary: bool = False) -> dict[str, Any]:
    values = plan.to_dict()
    del values["role"], values["study"]
    values["entry"] = values.pop("contender")
    return {**values, "group": group, "preliminary": preliminary}


@pytest.mark.parametrize(
    ("plan", "group"),
    [
        (TEMPLATE, "unet"),
        (replace(TEMPLATE, attempt="unet-1", contest="unet-1", contender="unet"), "unet-1"),
        (STUDY.trial(0, {}), "unet"),
        (STUDY.trial(7, {"learning_rate": 1e-3}), "unet"),
        (STUDY.trial(1234, {"learning_rate": 1e-3}), "unet"),
        (STUDY.confirmations(STUDY.trial(7, {"learning_rate": 1e-3}))[1], "unet-confirm"),
        (FINAL, "unet-finals"),
    ],
)
def test_role_and_contender_are_read_from_earlier_names(plan: TrialPlan, group: str) -> None:
    found = TrialPlan.from_dict(_earlier(plan, group, preliminary="-0" in plan.attempt))
    assert found == plan and found.group == group
    assert TrialPlan.from_dict(plan.to_dict()) == plan


def test_an_earlier_plan_is_the_same_plan() -> None:
    plan = SweepPlan(studies=(STUDY,))
    values = plan.to_dict()
    (study,) = values["studies"]
    study["template"] = _earlier(TEMPLATE, "unet")
    study["finals"] = [_earlier(FINAL, "unet-finals")]
    assert SweepPlan.from_dict(values) == plan


def test_the_roles_of_a_study_s_trials() -> None:
    trials = [STUDY.trial(number, {}) for number in range(3)]
    assert [trial.role for trial in (*trials, *STUDY.confirmations(trials[1]))] == [
        "baseline",
        "search",
        "search",
        "confirm",
        "confirm",
    ]
