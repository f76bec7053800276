"""Many trials of no training: what the driver costs. ``benchmarks.scale`` starts and times each way as a process.

    python -m benchmarks.scale_ways WAY TRIALS FOLDER

writes the seconds between Ray's start and its end, and the driver's own CPU seconds, to ``FOLDER/seconds.json``.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray import tune

from benchmarks.report import seconds
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.cli.console import open_output
from sweep.cli.options import SweepOptions
from sweep.planning.plan import SweepPlan
from sweep.ray_tune import runner
from sweep.records.trials import TrialPlan
from sweep.session import driver
from sweep.session.session import Phase, run_sweep
from trainables.data.tiles import TuningData
from trainables.report import EPOCH_FIELDS, HISTORY_FIELDS, EpochReport, FinalReport, TrialReport
from trainables.segmentation import SegmentationTrainable

EPOCHS, CONCURRENT = 2, 2
NAME = "scale"


class NoTraining(SegmentationTrainable):
    """Reports canned epochs at once; takes trials up, reports and saves as the real one does."""

    def _try_epoch(self) -> TrialReport:
        epoch = len(self._reports) + 1
        numbers: dict[str, Any] = dict.fromkeys((one.name for one in EPOCH_FIELDS if one.type is float), 0.5)
        report = EpochReport(
            **numbers,
            epoch=epoch,
            tile_iou={"t": 0.5},
            worst_tile="t",
            encoder_frozen=False,
            peak_memory_bytes=1,
            memory_measures="",
            best_epoch=1,
        )
        if epoch < EPOCHS:
            return TrialReport(epoch=report)
        tiles = {"t": {"iou": 0.5, "f1": 0.5}}
        final = FinalReport(
            final_val_iou=0.5, final_val_f1=0.5, final_seconds=0.0, final_tiles=tiles, trainable_parameters=1
        )
        return TrialReport(epoch=report, final=final)


class Plain(tune.Trainable):  # type: ignore[misc]
    """The same epochs as a plain class trainable that saves nothing of its own."""

    def setup(self, config: dict[str, Any], data: TuningData | None = None) -> None:
        """Take up the first trial; tiles and imports come as for the other one, so that actors start alike."""
        importlib.import_module("trainables.segmentation")
        self.epoch = 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial."""
        self.epoch = 0
        return True

    def step(self) -> dict[str, Any]:
        """Report an epoch of as many figures."""
        self.epoch += 1
        return {**dict.fromkeys(HISTORY_FIELDS, 0.5), "epoch": self.epoch, "done": self.epoch == EPOCHS}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep what a start would continue from."""
        (Path(checkpoint_dir) / "state.json").write_text(json.dumps({"epoch": self.epoch}))

    def load_checkpoint(self, checkpoint: str) -> None:
        """Go on from a state."""
        self.epoch = json.loads((Path(checkpoint) / "state.json").read_text())["epoch"]


def tilesweep(trials: int, folder: Path) -> float:
    """Run a sweep of planned trials; its seconds are those of all trials, without Ray's start and the leaderboard."""
    runner.SegmentationTrainable = NoTraining  # type: ignore[misc]
    took: list[float] = []
    run = driver._run_trials

    def timed(*arguments: Any) -> Any:
        ends: list[Any] = []
        took.append(seconds(lambda: ends.append(run(*arguments))))
        return ends[0]

    driver._run_trials = timed
    recipe = shared_recipe("unet", get_profile("smoke"))
    rates = np.geomspace(1e-4, 1e-2, trials)

    def build(data: Any, weights: Any, folds: Any) -> SweepPlan:
        plan = partial(TrialPlan, contest="unet", weights=weights["unet"])
        return SweepPlan(
            trials=tuple(
                plan(attempt=f"unet-{number:04d}", recipe=recipe.replace(learning_rate=float(rate)))
                for number, rate in enumerate(rates)
            )
        )

    options = SweepOptions(
        profile="smoke",
        patches=folder / "patches",
        storage=str(folder / "tilesweep"),
        name=NAME,
        max_concurrent=CONCURRENT,
    )
    phase = Phase(name="phase1", profile=get_profile("smoke"), architectures=("unet",), build=build)
    assert run_sweep(phase, options, open_output()) == 0
    return took[0]


def plain(trials: int, folder: Path, *, checkpoints: bool) -> float:
    """Run plain Ray Tune over as many learning rates, its actors reused, too.

    Args:
        trials: How many.
        folder: Where it writes.
        checkpoints: Tune saves a state every epoch, as tilesweep's trials do by themselves.
    """
    data = TuningData.read(folder / "patches")
    ray.init("local", log_to_driver=False)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(Plain, data=data), {"cpu": 1}),
        param_space={"learning_rate": tune.grid_search(list(np.geomspace(1e-4, 1e-2, trials)))},
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=CONCURRENT),
        run_config=tune.RunConfig(
            name=NAME,
            storage_path=str(folder / ("checkpoints" if checkpoints else "plain")),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=int(checkpoints)),
        ),
    )
    try:
        return seconds(tuner.fit)
    finally:
        ray.shutdown()


def main() -> None:
    """Run the way that the command line names."""
    way, trials, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    ways = {
        "tilesweep": tilesweep,
        "plain": partial(plain, checkpoints=False),
        "checkpoints": partial(plain, checkpoints=True),
    }
    started = time.process_time()
    took = ways[way](trials, folder)
    figures = {"seconds": took, "driver_cpu_seconds": time.process_time() - started}
    (folder / "seconds.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
