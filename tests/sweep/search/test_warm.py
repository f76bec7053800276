"""What a search takes of an earlier experiment: its best recipes and its order, by val IoU alone, in as many trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.cli.output import Events, Output
from sweep.cli.terminal import Terminal
from sweep.phase2.command import Phase2Options
from sweep.planning.plan import StudyPlan, SweepPlan, read_plan
from sweep.planning.starts import Evidence, Start
from sweep.planning.warm_plans import starts_in_words, with_starts
from sweep.records.experiment import Experiment
from sweep.records.store import SCORES_SCHEMA, TEST_SCORES_FILE
from sweep.records.studies import StudyFolder
from sweep.records.trials import State, TrialPlan, TrialRecords
from sweep.search.warm import begun_with
from sweep.session.resolve import policy_of, profile_of
from sweep.study import stages
from sweep.study.division import Sizes
from sweep.study.options import StudyOptions
from tests.reports import begin_experiment, epoch_of, final_of, plan_of
from trainables.errors import ExperimentError
from trainables.recipe import Recipe
from trainables.report import TrialReport
from trainables.storage import Storage

SPACE = {
    "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
    "augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY")),
    "decoder_dropout": FloatDistribution(0.0, 0.6, step=0.1),
}


def _earlier(folder: Path, trained: Mapping[str, tuple[TrialPlan, float]], **changes: Any) -> Experiment:
    """Write an experiment whose trials have finished with these val IoU."""
    experiment = begin_experiment(folder, *(plan for plan, _ in trained.values()), name="p", **changes)
    records = TrialRecords(experiment)
    for plan, iou in trained.values():
        records.set_state(plan.attempt, "finished")
        report = TrialReport(epoch=epoch_of(1), final=final_of(iou)).to_dict()
        experiment.write(f"{plan.attempt}/reports.jsonl", f"{json.dumps(report)}\n".encode())
    return experiment


def _trials(*found: tuple[str, float, Mapping[str, Any]]) -> dict[str, tuple[TrialPlan, float]]:
    return {name: (plan_of(name, recipe=Recipe(**recipe)), iou) for name, iou, recipe in found}


def _search(architecture: str = "unet", trials: int = 9, **changes: Any) -> StudyPlan:
    template = plan_of(architecture.replace(":", "-"), recipe=Recipe(architecture=architecture))
    return StudyPlan(template=template, space=SPACE, trials=trials, **changes)


def _begun(earlier: Experiment, *studies: StudyPlan) -> SweepPlan:
    return begun_with(SweepPlan(studies=studies, warm_from="p"), earlier, "f")


FOUR = _trials(
    ("a", 0.3, {"learning_rate": 2e-3}),
    ("b", 0.6, {"learning_rate": 5e-2, "augmentation": "EXTREME"}),
    ("c", 0.5, {"learning_rate": 3e-3, "decoder_dropout": 0.26}),
    ("d", 0.4, {"learning_rate": 4e-3}),
    ("shared", 0.9, {}),
)


def test_the_best_recipes_come_first_within_the_space_and_what_changed_is_said(tmp_path: Path) -> None:
    plan = _begun(_earlier(tmp_path, FOUR), _search())
    (study,) = plan.studies
    assert study.trials == 9 and plan.total == 9, "they count within the budget"
    assert [(one.origin, one.val_iou) for one in study.starts] == [("p/b", 0.6), ("p/c", 0.5), ("p/d", 0.4)]
    assert [dict(one.values) for one in study.starts] == [
        {"learning_rate": 1e-2, "augmentation": "MEDIUM", "decoder_dropout": pytest.approx(0.3)},
        {"learning_rate": 3e-3, "augmentation": "MEDIUM", "decoder_dropout": pytest.approx(0.3)},
        {"learning_rate": 4e-3, "augmentation": "MEDIUM", "decoder_dropout": pytest.approx(0.3)},
    ]
    assert study.starts[0].changed == (
        "learning_rate 0.05 is outside the space, 0.01 instead",
        "augmentation EXTREME is outside the space, MEDIUM instead",
    )
    assert study.starts[1].changed == ("decoder_dropout 0.26 is outside the space, 0.3 instead",)
    said = starts_in_words(plan)
    assert said[0] == "unet tries first, after the shared recipe: p/b (0.600), p/c (0.500), p/d (0.400)"
    assert "p/b: learning_rate 0.05 is outside the space, 0.01 instead" in said


@pytest.mark.parametrize(("trials", "starts"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2), (7, 3), (30, 3)])
def test_at_most_half_of_the_trials_after_the_shared_one_come_from_there(
    tmp_path: Path, trials: int, starts: int
) -> None:
    (study,) = _begun(_earlier(tmp_path, FOUR), _search(trials=trials)).studies
    assert len(study.starts) == starts and study.trials == trials


def test_a_recipe_counts_by_the_mean_of_its_trainings_and_once(tmp_path: Path) -> None:
    lucky = [("a", 0.70, {"learning_rate": 2e-3}), ("a-seed43", 0.30, {"learning_rate": 2e-3, "seed": 43})]
    earlier = _earlier(tmp_path, _trials(*lucky, ("b", 0.55, {"learning_rate": 3e-3})))
    (study,) = _begun(earlier, _search()).studies
    assert [(one.origin, one.val_iou) for one in study.starts] == [("p/b", 0.55), ("p/a", 0.5)]


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": Recipe(architecture="smp_unet_resnet34", learning_rate=2e-3)},
        {"recipe": Recipe(model_size="tiny", learning_rate=2e-3)},
        {"recipe": Recipe(learning_rate=2e-3), "tiles": ("a",)},
    ],
    ids=["another architecture", "a stand-in", "fewer tiles"],
)
def test_what_was_trained_otherwise_gives_no_recipe(tmp_path: Path, other: dict[str, Any]) -> None:
    (study,) = _begun(_earlier(tmp_path, {"a": (plan_of("a", **other), 0.6)}), _search()).studies
    assert study.starts == () and study.evidence is None


@pytest.mark.parametrize("state", ["stopped", "failed", "running"])
def test_only_trials_that_finished_count(tmp_path: Path, state: State) -> None:
    earlier = _earlier(tmp_path, FOUR)
    TrialRecords(earlier).set_state("b", state)
    (study,) = _begun(earlier, _search()).studies
    assert [one.origin for one in study.starts] == ["p/c", "p/d", "p/a"]


def test_a_field_that_was_searched_there_alone_is_said_to_be_left(tmp_path: Path) -> None:
    there = StudyPlan(template=plan_of("unet"), space={"weight_decay": FloatDistribution(1e-6, 1e-2)}, trials=3)
    plan = SweepPlan(studies=(there,)).to_dict()
    recipe = Recipe(weight_decay=1e-3, learning_rate=2e-3)
    earlier = _earlier(tmp_path, {"a": (plan_of("unet-001", study="unet", recipe=recipe), 0.5)}, plan=plan)
    (study,) = _begun(earlier, _search()).studies
    assert study.starts[0].changed == ("weight_decay 0.001 is not searched here, it stays 0.0001",)


def test_architectures_are_in_the_order_of_what_is_known_of_them_or_of_their_encoder(tmp_path: Path) -> None:
    earlier = _earlier(
        tmp_path,
        _trials(
            ("unet", 0.4, {}),
            ("lite", 0.7, {"architecture": "smp_unet_efficientnet_lite0"}),
            ("probe", 0.5, {"architecture": "probe:smp_unet_resnet34"}),
        ),
    )
    names = ("sam_vit_b_conv", "unet", "smp_deeplabv3plus_resnet34", "smp_unet_efficientnet_lite0")
    plan = _begun(earlier, *map(_search, names))
    assert [study.name for study in plan.studies] == [
        "smp_unet_efficientnet_lite0",
        "smp_deeplabv3plus_resnet34",
        "unet",
        "sam_vit_b_conv",
    ]
    assert plan.studies[1].evidence == Evidence(origin="p/probe", val_iou=0.5, probe=True)
    assert {study.trials for study in plan.studies} == {9}, "all have the same budget whatever is known"
    assert starts_in_words(plan) == [
        "the first in each round by val IoU in p: smp_unet_efficientnet_lite0 (0.700), smp_deeplabv3plus_resnet34 "
        "(its encoder alone 0.500), unet (0.400), sam_vit_b_conv (nothing known)",
        "smp_unet_efficientnet_lite0, smp_deeplabv3plus_resnet34, unet, sam_vit_b_conv: p has no other finished recipe "
        "to begin with",
    ]


def test_test_scores_change_nothing(tmp_path: Path) -> None:
    earlier = _earlier(tmp_path, FOUR)
    before = _begun(earlier, _search())
    scores = [{"attempt": "a", "tile": "t", "iou": 1.0, "f1": 1.0, "confusion": [[1, 0], [0, 1]]}]
    earlier.write_table(TEST_SCORES_FILE, pa.Table.from_pylist(scores, schema=SCORES_SCHEMA))
    assert _begun(earlier, _search()) == before


def test_an_experiment_on_other_tiles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="--warm-from p: was trained on other tiles"):
        _begun(_earlier(tmp_path, FOUR, data={"fingerprint": "g"}), _search())


def test_the_plan_on_disk_says_what_came_from_where_and_is_kept_when_more_is_known(tmp_path: Path) -> None:
    asked = SweepPlan(studies=(_search(), _search("smp_unet_resnet34")), warm_from="p")
    begun = begun_with(asked, _earlier(tmp_path, FOUR), "f")
    assert SweepPlan.from_dict(json.loads(json.dumps(begun.to_dict()))) == begun
    assert with_starts(asked, begun) == begun
    other = replace(asked, warm_from="q")
    assert with_starts(other, begun) == other != begun


def test_a_damaged_recipe_to_begin_with_is_one_line(tmp_path: Path) -> None:
    begun = _begun(_earlier(tmp_path / "a", FOUR), _search()).to_dict()
    begun["studies"][0]["starts"][0]["values"]["learning_rate"] = 5.0
    with pytest.raises(ExperimentError, match=r"its plan is damaged .* learning_rate 5\.0"):
        read_plan(begin_experiment(tmp_path / "b", plan=begun))


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    space = {"batch_size": IntDistribution(2, 8, step=2), "learning_rate": SPACE["learning_rate"]}
    earlier = _earlier(tmp_path, _trials(("a", 0.5, {"batch_size": 16}), ("b", 0.4, {"batch_size": 5})))
    (study,) = begun_with(SweepPlan(studies=(replace(_search(), space=space),)), earlier, "f").studies
    assert [one.values["batch_size"] for one in study.starts] == [8, 6]
    assert all(type(one.values["batch_size"]) is int for one in study.starts)


@pytest.mark.parametrize(
    ("halving", "concurrent", "policy", "rungs_from"),
    [("auto", 1, "pause", ""), ("auto", 2, "stop", ""), ("stop", 1, "stop", "p"), ("pause", 1, "pause", "")],
)
def test_rungs_begin_with_earlier_curves_only_where_stop_was_asked_for(
    halving: str, concurrent: int, policy: str, rungs_from: str
) -> None:
    options = Phase2Options(profile="smoke", halving=halving, max_concurrent=concurrent, warm_from="p")
    found = policy_of(options, profile_of(options))
    assert found.name == policy or (concurrent == 2 and found.name == "pause"), "where one trial takes the machine"
    assert found.warm_from == rungs_from


@pytest.mark.parametrize(("given", "expected"), [(None, "s-phase1"), ("off", "off"), ("mine", "mine")])
def test_a_study_begins_its_search_with_its_own_phase_1_unless_told_otherwise(
    tmp_path: Path, given: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Phase2Options] = []

    def run(options: Phase2Options, output: Output) -> int:
        asked.append(options)
        return 0

    monkeypatch.setitem(stages.RUN, "phase2", (Phase2Options, run))  # type: ignore[arg-type]
    study = StudyFolder(Storage.open(str(tmp_path)), "s")
    silent = Terminal(quiet=True)
    output = Output(silent, silent, Events(None))
    sizes = Sizes(trials=4, draws=2)
    options = StudyOptions(warm_from=given)
    stages.run_phase(study, "phase2", options, output, seconds=None, architectures=("unet",), sizes=sizes)
    assert [one.warm_from for one in asked] == [expected]


def test_a_recipe_to_begin_with_must_be_of_the_space() -> None:
    values = {"values": {"learning_rate": 1e-3}, "origin": "p/a", "val_iou": 0.5}
    assert Start.from_dict(values, {"learning_rate": SPACE["learning_rate"]}).changed == ()
    with pytest.raises(ExperimentError, match="has the fields learning_rate"):
        Start.from_dict(values, SPACE)
