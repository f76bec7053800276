"""What a study measures before it says how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sweep.cli.console import open_output
from sweep.planning.speed_processes import speeds_in_processes
from sweep.planning.speeds import StepSpeed
from sweep.records.trials import TrialPlan
from sweep.study.measuring import measure_first, unmeasured
from sweep.study.options import StudyOptions
from sweep.study.outline import StudyOutline
from sweep.study.plan_shown import show_outline
from tests.conftest import WriteDataset
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights
from trainables.precision import computes_bf16
from trainables.recipe import Recipe

LITE0 = "smp_unet_efficientnet_lite0"


@pytest.fixture
def options(tmp_path: Path, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch) -> StudyOptions:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    patches = write_dataset(tmp_path / "tiles", train=8)
    return StudyOptions(profile="demo", patches=patches, architectures=(LITE0,), device="cpu")


class Probe:
    """A machine whose steps take so many seconds each."""

    def __init__(self, speed: StepSpeed | str) -> None:
        self.speed = speed
        self.asked: list[str] = []

    def __call__(self, trials: Sequence[TrialPlan], data: TuningData, threads: int) -> Mapping[str, StepSpeed | str]:
        self.asked += [trial.recipe.architecture for trial in trials]
        return {trial.recipe.architecture: self.speed for trial in trials}


@pytest.mark.parametrize(
    "speed", [StepSpeed(fp32=0.002, bf16=0.001), StepSpeed(fp32=500.0, bf16=None)], ids=["fast, bf16", "slow, no bf16"]
)
def test_the_first_time_that_is_announced_follows_the_measured_steps(options: StudyOptions, speed: StepSpeed) -> None:
    console = open_output().console
    outline = StudyOutline.of(options, console)
    by_table = outline.costs(("phase1",)).of(outline.usual)
    assert unmeasured(outline) == [LITE0]
    probe = Probe(speed)
    for _ in range(2):
        measure_first(outline, console, probe=probe)
    assert probe.asked == [LITE0] and unmeasured(outline) == []
    measured = outline.costs(("phase1",)).of(outline.usual)
    assert measured < by_table if speed.bf16 else measured > 20 * by_table


def test_what_cannot_be_measured_is_said_and_estimated_by_the_table(options: StudyOptions) -> None:
    output = open_output()
    outline = StudyOutline.of(options, output.console)
    with output.console.capture() as said:
        measure_first(outline, output.console, probe=Probe("RuntimeError: no memory"))
    assert "RuntimeError: no memory" in said.get()
    assert unmeasured(outline) == [LITE0]


def test_a_plan_measures_nothing_and_says_so(options: StudyOptions, tmp_path: Path) -> None:
    from sweep.study.beginning import free_study
    from trainables.storage import Storage

    output = open_output()
    outline = StudyOutline.of(options, output.console)
    study = free_study(Storage.open(str(tmp_path / "r")), "mine")
    with output.results.capture() as said:
        show_outline(study, outline, outline.usual, ("phase1",), None, output)
    words = " ".join(said.get().split())
    assert (
        f"not measured on this machine yet; the study does so first, and then says better estimates: {LITE0}" in words
    )
    assert not (tmp_path / "cache" / "step_speeds.json").exists()


def test_a_process_of_its_own_measures_real_steps_and_says_what_kept_it_from_it(dataset: Path) -> None:
    def trial(name: str) -> TrialPlan:
        recipe = Recipe(architecture=name).replace(crop_size=64, batch_size=2, draws_per_epoch=4, model_size="tiny")
        return TrialPlan(attempt=name, contest=name, recipe=recipe, weights=Weights(kind="none"))

    data = TuningData.read(dataset)
    found = speeds_in_processes([trial("unet")], data, 1)["unet"]
    assert isinstance(found, StepSpeed) and 0 < found.fp32 < 60
    assert (found.bf16 is not None) == computes_bf16()
    broken = speeds_in_processes([trial("unet")], data, -1)["unet"]
    assert isinstance(broken, str) and "positive" in broken
