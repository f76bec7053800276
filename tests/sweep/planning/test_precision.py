"""``precision = auto`` on a CPU: bf16 where a step was measured to be clearly faster in it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from rich.console import Console

from sweep.planning.measure_steps import measure_steps
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.precision import LEAST_STEPS, Precisions, choose_precisions, worth_measuring
from sweep.planning.resources import ResourceRequest, Resources
from sweep.planning.speeds import FILE, KnownSpeeds, StepSpeed
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.weights import Weights
from trainables.precision import computes_bf16, cpu_fingerprint
from trainables.recipe import Recipe

FAST, SLOW = StepSpeed(fp32=1.6, bf16=1.0), StepSpeed(fp32=1.1, bf16=1.0)
LONG = {"crop_size": 64, "draws_per_epoch": 8, "max_epochs": LEAST_STEPS // 2}
"""Just enough steps to be worth a measurement."""


def _trial(architecture: str, **changes: object) -> TrialPlan:
    recipe = Recipe(architecture=architecture).replace(**{**LONG, **changes})
    return TrialPlan(attempt=architecture, contest=architecture, recipe=recipe, weights=Weights(kind="none"))


class FakeSpeeds:
    """Says what it was told to, and remembers what it was asked."""

    def __init__(self, **speeds: StepSpeed | str) -> None:
        self.speeds = speeds
        self.asked: list[str] = []

    def __call__(self, trials: Sequence[TrialPlan], data: TuningData, threads: int) -> Mapping[str, StepSpeed | str]:
        names = [trial.recipe.architecture for trial in trials]
        self.asked += names
        return {name: self.speeds[name] for name in names}


@pytest.fixture
def known(tmp_path: Path) -> KnownSpeeds:
    return KnownSpeeds("torch 9, CPU f00", tmp_path)


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=400, quiet=False, file=io.StringIO())


def _resources(cores: int = 2) -> Resources:
    return ResourceRequest(device="cpu").divide(trials=2, total_cpus=cores, total_gpus=0)


def test_an_architecture_that_is_clearly_faster_in_bf16_takes_it_and_no_other(
    data: TuningData, known: KnownSpeeds, console: Console
) -> None:
    plan = SweepPlan(trials=(_trial("unet"), _trial("smp_unet_resnet34"), _trial("sam_vit_b_conv")))
    probe = FakeSpeeds(unet=FAST, smp_unet_resnet34=SLOW, sam_vit_b_conv=StepSpeed(fp32=0.63, bf16=1.0))
    found = choose_precisions(plan, data, _resources(), console, probe=probe, known=known)
    chosen = {trial.recipe.architecture: trial.recipe.precision for trial in found.applied(plan).trials}
    assert chosen == {"unet": "bf16", "smp_unet_resnet34": "fp32", "sam_vit_b_conv": "fp32"}
    said = console.export_text()
    assert "unet bf16 (1.60), smp_unet_resnet34 fp32 (1.10), sam_vit_b_conv fp32 (0.63)" in said


@pytest.mark.parametrize(("fp32", "faster"), [(1.15, "bf16"), (1.149, "fp32")])
def test_bf16_has_to_be_1_15_times_faster(fp32: float, faster: str) -> None:
    assert StepSpeed(fp32=fp32, bf16=1.0).faster == faster


def test_a_machine_measures_an_architecture_once_for_each_size_number_of_threads_and_torch(
    data: TuningData, tmp_path: Path, console: Console
) -> None:
    plan, probe = SweepPlan(trials=(_trial("unet"),)), FakeSpeeds(unet=FAST)

    def choose(plan: SweepPlan = plan, cores: int = 2, fingerprint: str = "torch 9") -> Precisions:
        known = KnownSpeeds(fingerprint, tmp_path)
        return choose_precisions(plan, data, _resources(cores), console, probe=probe, known=known)

    assert choose() == choose() == Precisions(speeds={"unet": FAST})
    assert len(probe.asked) == 1
    choose(SweepPlan(trials=(_trial("unet", crop_size=128),)))
    choose(cores=8)
    choose(fingerprint="torch 10")
    assert len(probe.asked) == 4
    choose()
    assert len(probe.asked) == 4


@pytest.mark.parametrize("content", ["", "{", '{"unet": 3}', "[1]"])
def test_a_damaged_file_of_speeds_is_measured_again(
    content: str, data: TuningData, tmp_path: Path, console: Console
) -> None:
    (tmp_path / FILE).write_text(content)
    plan, probe = SweepPlan(trials=(_trial("unet"),)), FakeSpeeds(unet=FAST)
    for _ in range(2):
        known = KnownSpeeds("torch 9", tmp_path)
        choose_precisions(plan, data, _resources(), console, probe=probe, known=known)
    assert probe.asked == ["unet"]


def test_a_speed_that_is_no_time_is_measured_again(data: TuningData, tmp_path: Path, known: KnownSpeeds) -> None:
    known.keep(_trial("unet").recipe, 1, FAST)
    assert known.find(_trial("unet").recipe, 1) == FAST
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("1.6", "0"))
    assert known.find(_trial("unet").recipe, 1) is None


def test_an_architecture_whose_measurement_fails_trains_in_fp32_and_the_sweep_says_so(
    data: TuningData, known: KnownSpeeds, console: Console
) -> None:
    plan = SweepPlan(trials=(_trial("unet"),))
    found = choose_precisions(plan, data, _resources(), console, probe=FakeSpeeds(unet="RuntimeError: no"), known=known)
    assert found.applied(plan) == plan and "unet: fp32, as its steps could not be measured (RuntimeError: no)" in (
        console.export_text()
    )


def test_what_is_not_worth_a_measurement_or_says_its_precision_is_left_alone() -> None:
    for changes in ({"precision": "fp16"}, {"model_size": "tiny"}, {"max_epochs": LEAST_STEPS // 2 - 1}):
        assert not worth_measuring(SweepPlan(trials=(_trial("unet", **changes),)))
    assert not worth_measuring(SweepPlan(trials=(_trial("probe:smp_unet_resnet34"),)))
    searched = StudyPlan(template=_trial("unet"), space={"precision": CategoricalDistribution(["fp32"])}, trials=2)
    assert not worth_measuring(SweepPlan(studies=(searched,)))
    assert worth_measuring(SweepPlan(trials=(_trial("unet"),)))


def test_a_probe_on_a_fixed_encoder_takes_the_precision_of_the_rows_whose_features_it_reads() -> None:
    sam, probe = "sam_vit_b_conv", "probe:sam_vit_b_conv"
    alone = SweepPlan(trials=(_trial(probe, max_epochs=1), _trial("probe:smp_unet_resnet34")))
    assert {name: one.recipe.architecture for name, one in worth_measuring(alone).items()} == {sam: sam}
    plan = SweepPlan(trials=(_trial(sam), *alone.trials))
    assert list(worth_measuring(plan)) == [sam]
    chosen = [one.recipe.precision for one in Precisions(speeds={sam: FAST}).applied(plan).trials]
    assert chosen == ["bf16", "bf16", "auto"]


def test_trials_of_a_search_and_its_finals_follow_the_decision() -> None:
    template = _trial("unet")
    study = StudyPlan(
        template=template,
        space={"learning_rate": FloatDistribution(1e-4, 1e-2)},
        trials=2,
        finals=(replace(template, attempt="final"),),
        confirm=1,
    )
    (found,) = Precisions(speeds={"unet": FAST}).applied(SweepPlan(studies=(study,))).studies
    trials = [found.trial(1, {"learning_rate": 1e-3}), *found.afterwards]
    assert {trial.recipe.precision for trial in trials} == {"bf16"}


def test_the_record_of_a_decision_is_read_back_and_a_damaged_one_is_refused() -> None:
    found = Precisions(speeds={"unet": FAST, "smp_unet_resnet34": SLOW})
    written = json.loads(json.dumps(found.to_dict()))
    assert written["unet"] == {"chosen": "bf16", "fp32": 1.6, "bf16": 1.0}
    assert Precisions.from_dict(written) == found
    for damaged in ([], {"unet": 1}, {"unet": {"fp32": 1}}, {"unet": {"fp32": -1, "bf16": 1}}):
        with pytest.raises(ExperimentError, match="precision is damaged"):
            Precisions.from_dict(damaged)


def test_a_step_is_measured_in_both_precisions(data: TuningData) -> None:
    found = measure_steps(_trial("unet", model_size="tiny"), data, 1)
    assert 0 < found.fp32 < 60 and 0 < found.bf16 < 60


def test_the_fingerprint_names_torch_and_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = cpu_fingerprint()
    assert torch.__version__ in before
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_bf16": True})
    assert cpu_fingerprint() != before and computes_bf16()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not computes_bf16()
