"""What could have been seen: in eight of ten simulated sweeps, and what a plan says of it beforehand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.worlds import MODEL_SPREAD, NOISE, World
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.records.trials import TrialPlan
from sweep.results import foresight
from sweep.results.power import USUAL, Design, Power, Spread, smallest_seen
from sweep.results.power_words import foreseen, power_fields, unseen
from sweep.results.statistics import compare, is_behind, pair_level
from sweep.results.variances import Variation
from tests.reports import plan_of
from trainables.data.folds import Fold

SWEEPS = 1_000


@pytest.mark.parametrize("contenders", [2, 5])
@pytest.mark.parametrize(("tiles", "trainings", "folds"), [(6, 3, 0), (24, 3, 0), (30, 1, 5), (12, 2, 3)])
def test_a_difference_that_is_called_visible_is_seen_in_eight_of_ten_sweeps(
    contenders: int, tiles: int, trainings: int, folds: int
) -> None:
    spread = Spread(unit=2 * MODEL_SPREAD**2 + 2 * NOISE**2 / trainings, training=0.02**2, origin="")
    least = smallest_seen(Design(contenders=contenders, units=tiles, folds=folds, repeats=trainings), spread)
    assert least is not None
    world = World(
        merits=(least, *(0.0,) * (contenders - 1)),
        tiles=tiles, trainings=trainings, folds=folds, seeds=0.02, kind="alike",
    )  # fmt: skip
    random = np.random.default_rng(1)
    layout = world.layout(random)
    scores, _ = world.draw(random, layout, np.array([world.merits] * SWEEPS))
    means = np.stack([one.mean(axis=(1, 2)) for one in scores], axis=1)
    best = means.argmax(axis=1)
    halves = Variation.of(scores, layout).half_widths(best, pair_level(contenders))
    seen = is_behind(means - means.max(axis=1, keepdims=True), halves)[:, 1].mean()
    assert seen == pytest.approx(0.8, abs=3 * (0.8 * 0.2 / SWEEPS) ** 0.5 + 0.01)


def test_what_differences_vary_by_is_measured_from_scores() -> None:
    world = World(merits=(0.0,) * 6, tiles=30, trainings=2, folds=5, seeds=0.03, kind="alike")
    random = np.random.default_rng(2)
    layout = world.layout(random)
    scores, _ = world.draw(random, layout, np.zeros((200, 6)))
    found = [Spread.measured([one[study] for one in scores], layout) for study in range(200)]
    assert np.mean([one.training for one in found]) == pytest.approx(0.03**2, rel=0.15)
    assert np.mean([one.unit for one in found]) == pytest.approx(2 * 0.03**2 + 2 * 0.02**2 / 2, rel=0.15)


def test_one_training_each_sees_nothing_however_large() -> None:
    assert smallest_seen(Design(contenders=2, units=24), USUAL) is None
    assert smallest_seen(Design(contenders=2, units=1, repeats=3), USUAL) is None
    scores = [np.array([[0.9, 0.8, 0.9]]), np.array([[0.1, 0.2, 0.1]])]
    assert all(one.tied for one in compare(scores))


def test_more_of_anything_sees_smaller_differences() -> None:
    base = Design(contenders=3, units=6, repeats=3)
    power = Power(design=base, spread=USUAL, labelled=30)
    assert power.least is not None and set(power.wider) == {"folds", "repeats", "tiles"}
    assert all(least < power.least for _, least in power.wider.values())
    assert (power.wider["folds"][0].folds, power.wider["folds"][0].units) == (5, 30)
    folded = Power(design=Design(contenders=3, units=30, folds=5), spread=USUAL, labelled=30)
    assert set(folded.wider) == {"repeats", "tiles"} and folded.wider["repeats"][0].repeats == 2


def test_the_sentence_names_the_phase_s_own_flags() -> None:
    power = Power(design=Design(contenders=2, units=6, repeats=3), spread=USUAL, labelled=30)
    said = unseen(power, "phase3", 6)
    assert said.startswith(f"This sweep could not have shown differences under {power.least:.3f} IoU; 0.0")
    assert " would show with --folds 5, 0.0" in said and " with --draws 6, 0.0" in said
    assert " with 12 val tiles (" in said
    assert "in 80 % of sweeps; two contenders assumed to differ by 0.05 IoU" in said
    nothing = Power(design=Design(contenders=2, units=6), spread=USUAL, labelled=0)
    assert unseen(nothing, "phase2", 6).startswith("This sweep could not have shown any difference; 0.")
    assert " would show with --confirm 3 --repeats 3" in unseen(nothing, "phase2", 6)
    assert foreseen(nothing, "phase1", 6).startswith("no difference will show, whatever it is; 0.")
    assert power_fields(nothing, "phase1", 6)["least"] is None


def trial(name: str, contender: str = "", tiles: int = 0, folds: int = 0) -> TrialPlan:
    return plan_of(name, contender=contender, tiles=("t",) * tiles, folds=(Fold(val=("f",)),) * folds)


def test_a_plan_s_contenders_are_those_on_the_most_tiles() -> None:
    storage: Any = SimpleNamespace(names=list)
    train, val = tuple(f"t{one}" for one in range(24)), [f"v{one}" for one in range(6)]
    plan = {"trials": [{}], "studies": []}
    description = {"data": {"train": train, "val": val, "fingerprint": "f"}, "plan": plan, "scenes": None}
    repeats = SweepPlan(trials=tuple(trial(f"{name}-{one}", name) for name in "ab" for one in range(3)))
    power = foresight.foresee(repeats, description, storage)
    assert power is not None and power.design == Design(contenders=2, units=6.0, repeats=3) and power.spread is USUAL
    budgets = SweepPlan(trials=tuple(trial(f"{n}-{m}", f"{m}-{n}", n) for n in (5, 24) for m in "abc"))
    power = foresight.foresee(budgets, description, storage)
    assert power is not None and (power.design.contenders, power.design.repeats, power.least) == (3, 1, None)
    studies = tuple(StudyPlan(template=trial(name), space={}, trials=9, confirm=3, repeats=3) for name in "ab")
    power = foresight.foresee(SweepPlan(studies=studies), description, storage)
    assert power is not None and power.design.repeats == 3
    assert power.labelled == 30
    assert foresight.foresee(SweepPlan(trials=(trial("a"),)), description, storage) is None
    scenes = {name: name[-1] for name in (*train, *val)}
    folds = [{"val": [name for name in scenes if scenes[name] in one], "train": []} for one in ("012", "345", "6789")]
    plan["trials"], description = [{"folds": folds}], {**description, "scenes": {"of": scenes}}
    description["data"] = {**description["data"], "val": [*train, *val]}
    both = SweepPlan(trials=(trial("a", folds=3), trial("b", folds=3)))
    power = foresight.foresee(both, description, storage)
    assert power is not None and power.design.folds == 3 and 8.0 < power.design.units <= 10.0
    few, many = ((Fold(val=("v0",), train=train[:size]), Fold(val=("v1",), train=train[:size])) for size in (3, 12))
    budgets = SweepPlan(trials=tuple(plan_of(f"{n}{len(f[0].train)}", folds=f) for f in (few, many) for n in "ab"))
    power = foresight.foresee(budgets, description, storage)
    assert power is not None and power.design.contenders == 2, "those on 12 tiles in each fold"
