"""The same trials in four ways, each a process of its own; ``benchmarks.sweep`` starts and times them.

    python -m benchmarks.sweep_ways WAY JOB.pickle [NUMBER]

writes the whole-tile val IoU of every trial, in the order of the recipes, to the file that the job names.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.recipe import Recipe

CONCURRENT = 2
"""Trials side by side on Ray, for both ways on it; the others run one by one."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a way is to train.

    Attributes:
        patches: The dataset.
        scratch: An empty folder for all that the way writes.
        recipes: One a trial.
    """

    patches: Path
    scratch: Path
    recipes: tuple[Recipe, ...]

    @property
    def scores(self) -> Path:
        """Where the val IoU of the trials go, as a JSON list."""
        return self.scratch / "scores.json"


def tilesweep(job: Job) -> list[float]:
    """Run a whole sweep, from reading tiles to the leaderboard, as ``python -m sweep.phase1`` does with its plan."""
    from search_spaces.profiles import get_profile
    from sweep.cli.console import open_output
    from sweep.cli.options import SweepOptions
    from sweep.planning.plan import SweepPlan
    from sweep.records.experiment import Experiment
    from sweep.records.store import TRIALS_FILE
    from sweep.records.trials import TrialPlan
    from sweep.session.session import Phase, run_sweep
    from trainables.storage import Storage

    def build(data: Any, weights: Any, folds: Any) -> SweepPlan:
        trials = [
            TrialPlan(
                attempt=f"trial-{number}",
                contest=recipe.architecture,
                recipe=recipe,
                weights=weights[recipe.architecture],
            )
            for number, recipe in enumerate(job.recipes)
        ]
        return SweepPlan(trials=tuple(trials))

    architectures = tuple(dict.fromkeys(recipe.architecture for recipe in job.recipes))
    options = SweepOptions(
        profile="smoke",
        patches=job.patches,
        storage=str(job.scratch / "ray_results"),
        name="sweep",
        max_concurrent=CONCURRENT,
    )
    phase = Phase(name="phase1", profile=get_profile("smoke"), architectures=architectures, build=build)
    code = run_sweep(phase, options, open_output())
    assert code == 0, code
    rows = Experiment(Storage.open(options.storage), "sweep").read_table(TRIALS_FILE).to_pylist()
    found = {row["attempt"]: row["val_iou"] for row in rows}
    return [found[f"trial-{number}"] for number in range(len(job.recipes))]


def ray_tune(job: Job) -> list[float]:
    """Run a function trainable under a Tuner, as Ray's guide to PyTorch teaches, with its defaults."""
    import tempfile

    import ray
    from ray import tune

    ray.init("local")  # what a Tuner does by itself, but that it would look for another cluster of this machine first
    cpus = max(1, (os.cpu_count() or 1) // CONCURRENT)

    def trial(config: dict[str, Any]) -> None:
        from benchmarks.naive import train

        with tempfile.TemporaryDirectory() as folder:

            def listen(figures: dict[str, float], improved: bool) -> None:
                tune.report(figures, checkpoint=tune.Checkpoint.from_directory(folder) if improved else None)

            iou = train(job.recipes[config["number"]], job.patches, Path(folder), threads=cpus, listen=listen)
        tune.report({"val_iou": iou, "final_val_iou": iou})

    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": cpus}),
        param_space={"number": tune.grid_search(list(range(len(job.recipes))))},
        tune_config=tune.TuneConfig(metric="val_iou", mode="max", max_concurrent_trials=CONCURRENT),
        run_config=tune.RunConfig(name="sweep", storage_path=str(job.scratch / "ray_results")),
    )
    found = {result.config["number"]: result.metrics["final_val_iou"] for result in tuner.fit()}
    return [found[number] for number in range(len(job.recipes))]


def optuna(job: Job) -> list[float]:
    """Run an Optuna study in one process, a trial after the other, with all cores each."""
    import optuna

    from benchmarks.naive import train

    def objective(trial: optuna.Trial) -> float:
        number = trial.suggest_int("number", 0, len(job.recipes) - 1)
        folder = job.scratch / f"trial-{number}"
        folder.mkdir()
        return train(job.recipes[number], job.patches, folder, threads=os.cpu_count() or 1)

    study = optuna.create_study(direction="maximize", storage=f"sqlite:///{job.scratch}/study.db")
    for number in range(len(job.recipes)):
        study.enqueue_trial({"number": number})
    study.optimize(objective, n_trials=len(job.recipes))
    return [float(trial.value or 0.0) for trial in study.trials]


def one_trial(job: Job, number: int) -> list[float]:
    """Train one trial, as a shell loop over a training script would."""
    from benchmarks.naive import train

    folder = job.scratch / f"trial-{number}"
    folder.mkdir()
    iou = train(job.recipes[number], job.patches, folder, threads=os.cpu_count() or 1)
    return [*(json.loads(job.scores.read_text()) if number else []), iou]


def main() -> None:
    """Run the way that the command line names."""
    job: Job = pickle.loads(Path(sys.argv[2]).read_bytes())
    ways = {"tilesweep": tilesweep, "tune": ray_tune, "optuna": optuna}
    scores = ways[sys.argv[1]](job) if sys.argv[1] in ways else one_trial(job, int(sys.argv[3]))
    job.scores.write_text(json.dumps(scores))


if __name__ == "__main__":
    main()
