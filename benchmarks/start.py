"""How soon things begin: commands, and trials on an actor that served another one. And what tiles take in memory.

Run with ``python -m benchmarks.start``; two minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import ray
import torch
from ray import tune

from benchmarks.loops import random_weights
from benchmarks.memory import environment, reported
from benchmarks.report import Report, Section, seconds
from benchmarks.tiles import synthetic_tiles
from trainables.data.tiles import TuningData
from trainables.models.registry import build_model
from trainables.recipe import Recipe
from trainables.segmentation import SegmentationTrainable
from trainables.training import Trainer

COMMANDS = (
    "phase1 --help",
    "phase2 --help",
    "phase3 --help",
    "score --help",
    "patches --help",
    "phase1 --profile demo --plan",
    "phase2 --profile demo --plan",
)


def command_seconds(words: str, patches: Path) -> float:
    """Run a command in a fresh process."""
    extra = ["--patches", str(patches)] if "--plan" in words else []
    name, *rest = words.split()
    command = [sys.executable, "-m", f"sweep.{name}", *rest, *extra]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


RAY_ALONE = """
import ray
from ray import tune
ray.init("local", include_dashboard={dashboard}, log_to_driver=False)
ray.get(ray.remote(lambda: 1).remote())
"""
TORCH_ALONE = "import torch, albumentations, segmentation_models_pytorch"


def first_epoch(patches: Path, architecture: str = "unet") -> float:
    """Return the seconds from typing a sweep to the report of its first epoch, which is one step of a tiny model."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        words = ["--profile", "smoke", "--architectures", architecture, "--patches", str(patches)]
        command = [sys.executable, "-m", "sweep.phase1", *words, "--storage", f"{folder}/results"]
        began = time.perf_counter()
        with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while run.poll() is None and not reported(Path(folder)):
                time.sleep(0.02)
            took = time.perf_counter() - began
            run.send_signal(signal.SIGINT)
        return took


def program_seconds(code: str) -> float:
    """Run code in a fresh process, up to its last line: how it ends is not counted."""
    program = f"{code}\nprint(flush=True)\nimport time; time.sleep(60)"
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout
        run.stdout.readline()
        took = time.perf_counter() - began
        run.terminate()
    return took


class _Timed(SegmentationTrainable):
    """Tells when it was asked to serve a trial, and when that trial's first step began."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.asked_at = time.time()
        return super().reset_config(new_config)

    def setup(self, config: dict[str, Any], data: TuningData | None = None) -> None:
        self.asked_at = time.time()
        super().setup(config, data)

    def _make_trainer(self) -> Trainer:
        trainer = super()._make_trainer()
        step = trainer.take_step
        self.began_at = 0.0

        def first(batch: Any, **more: Any) -> None:
            self.began_at = self.began_at or time.time()
            step(batch, **more)

        trainer.take_step = first  # type: ignore[method-assign]
        return trainer

    def step(self) -> dict[str, Any]:
        return {**super().step(), "asked_at": self.asked_at, "began_at": self.began_at, "ended_at": time.time()}


def trial_starts(data: TuningData, folder: Path, recipe: Recipe, trials: int) -> list[float]:
    """Train trials one after another on one actor under Ray Tune.

    Returns:
        Seconds from the end of one trial to the first step of the next, all but the first two trials'.
    """

    def config(number: int) -> dict[str, Any]:
        place = folder / f"{recipe.architecture}-{number}"
        place.mkdir(parents=True)
        return {
            "attempt": place.name,
            "recipe": recipe.to_dict(),
            "weights": vars(random_weights(recipe.architecture)),
            "tiles": [],
            "device": "cpu",
            "compiled": False,
            "trace": False,
            "folder": str(place),
        }

    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(_Timed, data=data), {"cpu": 2}),
        param_space={"trial": tune.grid_search([config(number) for number in range(trials)])},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(
            storage_path=str(folder / "tune"),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # trials keep their own states
        ),
    )
    with redirect_stdout(io.StringIO()):
        results = tuner.fit()
    rows = sorted((result.metrics for result in results if result.metrics), key=lambda row: row["began_at"])
    return [row["began_at"] - before["ended_at"] for before, row in pairwise(rows[1:])]


def tile_memory(data: TuningData, actors: int) -> float:
    """Return the MiB, by proportional set size, that so many actors on a node hold more by reading all tiles."""

    @ray.remote(num_cpus=0)
    class Reader:
        def __init__(self) -> None:
            self.data: Any = None

        def pss(self) -> int:
            return int(psutil.Process(os.getpid()).memory_full_info().pss)

        def read(self, data: TuningData) -> int:
            self.data = data
            return sum(int(tile.image.sum()) for tile in (*data.train, *data.val))

    readers = [Reader.remote() for _ in range(actors)]
    before = sum(ray.get([reader.pss.remote() for reader in readers]))
    place = ray.put(data)
    ray.get([reader.read.remote(place) for reader in readers])
    after = sum(ray.get([reader.pss.remote() for reader in readers]))
    for reader in readers:
        ray.kill(reader)
    return (after - before) / 2**20


def run(repeats: int) -> None:
    """Measure all of it."""
    report = Report(name="start")
    with synthetic_tiles((24, 6, 6), 1024) as patches:
        ways: dict[str, Callable[[], float]] = {words: partial(command_seconds, words, patches) for words in COMMANDS}
        report.compare("commands", ways, repeats, unit="s", baseline=COMMANDS[0])
        starts: dict[str, Callable[[], float]] = {
            "Ray alone, to its first task": partial(program_seconds, RAY_ALONE.format(dashboard=True)),
            "Ray alone, without its dashboard": partial(program_seconds, RAY_ALONE.format(dashboard=False)),
            "torch and the models alone": partial(program_seconds, TORCH_ALONE),
        }
        with synthetic_tiles((2, 1, 1), 64) as few:
            ours = {"tilesweep, to its first epoch": partial(first_epoch, few)}
            report.compare("from typing", ours | starts, repeats, unit="s", baseline=next(iter(ours)))
        data = TuningData.read(patches)
        size = sum(tile.image.nbytes + tile.mask.nbytes for tile in (*data.train, *data.val))
        report.note("decoded tiles, MiB", round(size / 2**20, 1))
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        memory = {f"{actors} actors": partial(tile_memory, data, actors) for actors in (1, 2, 4)}
        report.compare("tiles held by all actors, by PSS", memory, 1, unit="MiB", baseline="1 actors")
    with synthetic_tiles((2, 1, 1), 64) as little:  # whose scoring takes no time
        small = TuningData.read(little)
        for name in ("smp_unet_resnet34", "sam_vit_b_conv"):
            recipe = Recipe(
                architecture=name, crop_size=64, validation_crop=64, draws_per_epoch=2, batch_size=2, max_epochs=1
            )
            starts = trial_starts(small, little.parent / "trials", recipe, 2 + repeats)
            built = [seconds(partial(build_model, recipe, random_weights(name))) for _ in range(repeats)]
            title = f"{name}: next trial on the same actor, until its first step"
            values = {"whole": starts, "building the model alone": built}
            report.add(Section(title=title, unit="s", values=values, baseline="whole"))
        ray.shutdown()
    report.write()


if __name__ == "__main__":
    torch.set_num_threads(2)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="values per way")
    run(parser.parse_args().repeats)
