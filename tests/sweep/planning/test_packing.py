"""``--gpus-per-trial auto``: how many trials share a GPU, by fake measurements."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from rich.console import Console

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.planning.estimate import Estimator
from sweep.planning.measure import CONTEXT_BYTES, memory_needs
from sweep.planning.packing import MemoryNeeds, Packing, heaviest, largest_tiles, share_gpus
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.resources import ResourceRequest, Resources, read_share
from sweep.planning.run import Run
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan
from sweep.session import preview
from tests.conftest import WriteDataset
from tests.reports import plan_of
from tests.sweep.planning.fake_probe import GB, FakeProbe, needing
from trainables.data.batches import Batch
from trainables.data.tiles import TuningData
from trainables.errors import DivergedError, ExperimentError, InfeasibleError
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.stepping import Stepper
from trainables.storage import Storage
from trainables.training import Trainer

AUTO = ResourceRequest(gpus_per_trial="auto")


def _trial(name: str, **changes: str | float) -> TrialPlan:
    recipe = shared_recipe("unet", get_profile("smoke")).replace(**changes)
    return plan_of(name, recipe=recipe)


def _plan(trials: int) -> SweepPlan:
    return SweepPlan(trials=tuple(_trial(f"unet-{number}", seed=number) for number in range(trials)))


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


def _pack(
    data: TuningData,
    needs: MemoryNeeds,
    *,
    trials: int = 20,
    gpus: float = 1,
    cpus: int = 16,
    asked: ResourceRequest = AUTO,
) -> tuple[Resources, Packing | None]:
    whole = ResourceRequest(device=asked.device).divide(trials=trials, total_cpus=cpus, total_gpus=gpus)
    return share_gpus(asked, _plan(trials), data, whole, Console(quiet=True), probe=FakeProbe(needs))


@pytest.mark.parametrize(
    ("need", "fitting"),
    # 90 % of 80 GB are 72 GB: 72/36 = 2, 72/24 = 3, 72/23 = 3.1, 72/9 = 8, 72/8.9 = 8.1, 72/72 = 1, 72/73 = 0.99.
    [(36, 2), (24, 3), (24.000001, 2), (23, 3), (9, 8), (8.9, 8), (4, 18), (72, 1), (73, 0), (80, 0)],
)
def test_the_largest_architecture_decides_how_many_fit_beside_a_margin(need: float, fitting: int) -> None:
    assert needing(small=1, large=need).fitting == fitting


@pytest.mark.parametrize(
    ("trials", "share"),
    [(1, 1.0), (2, 0.5), (3, 0.3333), (4, 0.25), (5, 0.2), (6, 0.1666), (7, 0.1428), (8, 0.125)],
)
def test_shares_are_rounded_down_to_what_ray_counts_and_so_many_trials_fit(trials: int, share: float) -> None:
    assert Packing(trials_per_gpu=trials, needs=needing(unet=1)).share == share
    for gpus in (1, 2, 4):
        resources = ResourceRequest(gpus_per_trial=share).divide(trials=100, total_cpus=64, total_gpus=gpus)
        assert resources.concurrent == resources.fit(1000, gpus) == gpus * trials


def test_trials_are_packed_with_their_share_of_the_cores(data: TuningData) -> None:
    resources, packing = _pack(data, needing(unet=11.2, sam=23), gpus=2, cpus=14)
    assert packing and packing.trials_per_gpu == 3
    assert (resources.device, resources.gpus_per_trial, resources.concurrent) == ("cuda", 0.3333, 6)
    assert resources.cpus_per_trial == 2  # 14 cores among 6
    assert packing.lines == ["packing        3 trials per GPU (80.0 GB): unet 11.2 GB, sam 23.0 GB at most"]


@pytest.mark.parametrize(
    ("machine", "trials_per_gpu"),
    [
        ({}, 8),  # 72 would fit
        ({"cpus": 5}, 5),
        ({"cpus": 9, "gpus": 2}, 4),
        ({"trials": 5}, 5),
        ({"trials": 5, "gpus": 4}, 2),  # Ray fills a GPU before it takes the next: no more than one GPU in two idles
        ({"trials": 9, "asked": replace(AUTO, max_concurrent=3)}, 3),
    ],
)
def test_no_more_share_a_gpu_than_there_are_trials_and_cores_for(
    data: TuningData, machine: dict[str, Any], trials_per_gpu: int
) -> None:
    _, packing = _pack(data, needing(unet=1), **machine)
    assert packing and packing.trials_per_gpu == trials_per_gpu
    assert "(80.0 GB, room for 72)" in packing.lines[0]


def test_what_does_not_fit_alone_still_gets_a_whole_gpu_and_that_is_said(data: TuningData) -> None:
    resources, packing = _pack(data, needing(16, unet=3, sam=16))
    assert packing and (packing.trials_per_gpu, packing.share, resources.concurrent) == (1, 1.0, 1)
    assert packing.lines == [
        "packing        1 trial per GPU (16.0 GB): unet 3.0 GB, sam 16.0 GB at most",
        "packing        sam: does not fit a GPU with 10 % to spare; every trial gets a whole one, and saves memory "
        "where it runs out",
    ]


@pytest.mark.parametrize(
    ("asked", "gpus", "trials"),
    [
        (AUTO, 0, 4),
        (replace(AUTO, device="cpu"), 2, 4),
        (ResourceRequest(), 2, 4),
        (ResourceRequest(gpus_per_trial=0.5), 2, 4),
        (AUTO, 4, 4),  # a GPU each is there already
        (replace(AUTO, max_concurrent=1), 1, 4),
    ],
)
def test_nothing_is_measured_where_nothing_can_be_packed(
    data: TuningData, asked: ResourceRequest, gpus: float, trials: int
) -> None:
    whole = replace(asked, gpus_per_trial=None).divide(trials=trials, total_cpus=8, total_gpus=gpus)
    probe = FakeProbe(needing(unet=1))
    assert share_gpus(asked, _plan(trials), data, whole, Console(quiet=True), probe=probe) == (whole, None)
    assert probe.calls == 0


def test_a_cluster_that_grows_still_does(data: TuningData) -> None:
    whole = replace(ResourceRequest().divide(trials=20, total_cpus=16, total_gpus=1), grows=True)
    resources, _ = share_gpus(AUTO, _plan(20), data, whole, Console(quiet=True), probe=FakeProbe(needing(unet=30)))
    assert resources.grows and resources.gpus_per_trial == 0.5


def test_each_kind_of_training_is_measured_once_and_searches_at_their_largest() -> None:
    template = _trial("searched", batch_size=4)
    space = {
        "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "batch_size": IntDistribution(2, 16),
        "crop_size": CategoricalDistribution((64, 128, 96)),
        "ema_decay": CategoricalDistribution((0.0, 0.9)),
        "precision": CategoricalDistribution(("auto", "fp32")),
    }
    plan = SweepPlan(
        trials=(_trial("a"), _trial("b", seed=7, learning_rate=0.1), _trial("c", batch_size=8)),
        studies=(StudyPlan(template=template, space=space, trials=3),),
    )
    found = heaviest(plan)
    assert [trial.attempt for trial in found] == ["a", "c", "searched"]
    recipe = found[-1].recipe
    assert (recipe.batch_size, recipe.crop_size, recipe.ema_decay, recipe.precision) == (16, 128, 0.9, "fp32")
    assert recipe.learning_rate == template.recipe.learning_rate


def test_the_largest_tiles_stand_for_all(write_dataset: WriteDataset, tmp_path: Path) -> None:
    small = TuningData.read(write_dataset(tmp_path / "small", size=64))
    large = TuningData.read(write_dataset(tmp_path / "large", size=96))
    both = replace(small, train=(*small.train, large.train[1], *small.train), val=(*small.val, large.val[0]))
    assert largest_tiles(both).train == (large.train[1],) and largest_tiles(both).val == (large.val[0],)


def test_a_plan_shows_the_packing(data: TuningData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preview, "here", lambda asked, trials: asked.divide(trials=trials, total_cpus=8, total_gpus=1))
    console = Console(width=200)
    with console.capture() as shown:
        probe = FakeProbe(needing(79.1, unet=11.2, sam=23))
        experiment = Experiment(Storage.open(str(tmp_path)), "e")
        profile = get_profile("smoke")
        run = Run(experiment=experiment, phase="phase1", profile=profile, plan=_plan(6), data=data, request=AUTO)
        preview.show_plan(run, console, probe=probe)
    said = shown.get()
    assert "packing        measuring the memory of unet\n" in said
    assert "packing        3 trials per GPU (79.1 GB): unet 11.2 GB, sam 23.0 GB at most\n" in said
    assert "6 trials, 3 at a time, 0.3333 GPU and 2 CPU each, of 1 GPUs and 8 CPUs" in said


def test_an_estimate_counts_gpus_and_not_the_trials_that_share_them(data: TuningData) -> None:
    estimator = Estimator(data=data, device="cuda")
    whole = ResourceRequest().divide(trials=12, total_cpus=16, total_gpus=2)
    packed, _ = _pack(data, needing(unet=30), trials=12, gpus=2)
    assert packed.concurrent == 2 * whole.concurrent == 4
    assert estimator.sweep(_plan(12), packed) == estimator.sweep(_plan(12), whole)


class FakeGPU:
    """Stands in for ``torch.cuda``: 80 GB, of which each training reserves what it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, peaks: list[int]) -> None:
        self.peaks = iter(peaks)
        self.resets = 0
        self.trained: list[tuple[Recipe, int]] = []
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80 * GB))
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", self._reset)
        monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: next(self.peaks))
        monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
        train = Trainer.train_epoch

        def train_epoch(trainer: Trainer) -> EpochReport:
            result = train(trainer)
            self.trained.append((trainer.recipe, result.epoch))
            assert not result.encoder_frozen and trainer.steps_per_epoch == 2
            return result

        monkeypatch.setattr(Trainer, "train_epoch", train_epoch)

    def _reset(self, device: torch.device) -> None:
        self.resets += 1


def test_a_probe_trains_two_short_epochs_of_each_with_the_encoder_unfrozen(
    data: TuningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = FakeGPU(monkeypatch, [5 * GB, 9 * GB, 2 * GB])
    encoder = replace(_trial("b", architecture="smp_unet_resnet34"), weights=Weights(kind="random"))
    trials = [_trial("a", batch_size=2), _trial("a", batch_size=3, draws_per_epoch=7), encoder]
    needs = memory_needs(trials, largest_tiles(data), device="cpu")
    assert needs == MemoryNeeds(
        gpu_bytes=80 * GB,
        architectures={"unet": 9 * GB + CONTEXT_BYTES, "smp_unet_resnet34": 2 * GB + CONTEXT_BYTES},
    )
    assert [(recipe.architecture, recipe.batch_size, epoch) for recipe, epoch in gpu.trained] == [
        ("unet", 2, 1),
        ("unet", 2, 2),
        ("unet", 3, 1),
        ("unet", 3, 2),
        ("smp_unet_resnet34", 4, 1),
        ("smp_unet_resnet34", 4, 2),
    ]
    assert gpu.resets == 3 and torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    ("error", "need"),
    [
        (InfeasibleError("infeasible"), 80 * GB),
        (torch.OutOfMemoryError("CUDA out of memory"), 80 * GB),
        (DivergedError("loss is nan"), 5 * GB + CONTEXT_BYTES),
    ],
)
def test_what_runs_out_of_memory_needs_the_whole_gpu(
    data: TuningData, monkeypatch: pytest.MonkeyPatch, error: Exception, need: int
) -> None:
    FakeGPU(monkeypatch, [5 * GB])

    def fail(trainer: Trainer) -> EpochReport:
        raise error

    monkeypatch.setattr(Trainer, "train_epoch", fail)
    assert memory_needs([_trial("a")], data, device="cpu").architectures == {"unet": need}


def test_what_fits_only_with_half_batches_needs_the_whole_gpu(
    data: TuningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeGPU(monkeypatch, [5 * GB])
    step = Stepper._try

    def try_step(stepper: Stepper, batch: Batch) -> torch.Tensor:
        if stepper._memory.rung == 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(stepper, batch)

    monkeypatch.setattr(Stepper, "_try", try_step)
    assert memory_needs([_trial("a")], data, device="cpu").architectures == {"unet": 80 * GB}


def test_a_packing_survives_json_and_a_damaged_one_is_refused() -> None:
    packing = Packing(trials_per_gpu=3, needs=needing(unet=11.2, sam=23))
    saved = json.loads(json.dumps(packing.to_dict()))
    assert saved["share"] == 0.3333
    assert Packing.from_dict(saved) == packing
    for damaged in (None, [], {}, {**saved, "trials_per_gpu": 0}, {**saved, "needs": {"gpu_bytes": 1}}):
        with pytest.raises(ExperimentError, match=r"sweep\.json: its packing is damaged"):
            Packing.from_dict(damaged)


def test_a_share_is_a_number_or_auto() -> None:
    assert [read_share(text) for text in (None, "auto", "1", "0.5", "0")] == [None, "auto", 1.0, 0.5, 0.0]
    for text in ("banana", "", "1/2", "Auto"):
        with pytest.raises(ExperimentError, match=f"^--gpus-per-trial '{text}': give auto, 0, a share such as 0.5"):
            read_share(text)
