"""What halving saves when one trial runs at a time, and what it costs: the same seeded search under every policy.

Run with ``python -m benchmarks.halving``; about three minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import ray
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.cli.console import open_output
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.policies import POLICIES, make_policy
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.ray_tune.runner import run_trials
from sweep.records.experiment import Experiment
from sweep.records.store import collect
from sweep.records.trials import TrialPlan
from trainables.data.tiles import Tile, TuningData
from trainables.models.weights import Weights
from trainables.storage import Storage

EPOCHS = 9
HALVING = {"max_epochs": EPOCHS, "grace_epochs": 1, "reduction_factor": 3}
SPACE = {
    "learning_rate": FloatDistribution(1e-5, 0.1, log=True),
    "decoder_dropout": FloatDistribution(0.0, 0.6),
}


def tile(number: int, size: int = 128) -> Tile:
    """Draw bright squares on noise."""
    random = np.random.default_rng(number)
    image: NDArray[np.uint8] = random.integers(40, 110, (size, size, 3), dtype=np.uint8)
    mask = np.zeros((size, size), dtype=np.uint8)
    for _ in range(4):
        top, left = random.integers(0, size - size // 4, 2)
        mask[top : top + size // 4, left : left + size // 4] = 1
    image[mask == 1] += np.uint8(120)
    return Tile(name=f"t{number}", image=image, mask=mask)


def search(folder: Path, way: str, seed: int, trials: int) -> tuple[int, float]:
    """Run one search; returns its epochs and the best val IoU found."""
    tiles = [tile(number) for number in range(1, 9)]
    data = TuningData(train=tuple(tiles[:4]), val=tuple(tiles[4:]), name="squares", synthetic=True, fingerprint="")
    recipe = shared_recipe("unet", get_profile("smoke"), seed=seed).replace(
        max_epochs=EPOCHS, patience=EPOCHS, draws_per_epoch=32, ema_decay=0.8
    )
    template = TrialPlan(attempt="unet", contest="unet", recipe=recipe, weights=Weights(kind="none"))
    study = StudyPlan(template=template, space=SPACE, trials=trials)
    plan = SweepPlan(studies=(study,), policy=make_policy(way, HALVING))
    experiment = Experiment(Storage.open(str(folder)), f"{way}-{seed}")
    names = {"train": [one.name for one in data.train], "val": [one.name for one in data.val]}
    described = {"path": "squares", "name": data.name, "synthetic": True, "fingerprint": "", **names}
    experiment.describe(
        {"phase": "phase2", "profile": "smoke", "ended": False, "plan": plan.to_dict(), "data": described}
    )
    resources = Resources(
        device="cpu", cpus_per_trial=2, gpus_per_trial=0.0, concurrent=1, total_cpus=2, total_gpus=0.0
    )
    with contextlib.redirect_stdout(io.StringIO()):
        run = Run(experiment=experiment, phase="phase2", profile=get_profile("smoke"), plan=plan, data=data)
        run_trials(run, resources, open_output())
    results = collect(experiment)
    best = max(one.best_epoch_val_iou or 0.0 for one in results if one.finished)
    return sum(one.epochs for one in results), best


def main() -> None:
    """Run every way with every seed and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12, help="of each search")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1])
    options = parser.parse_args()
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    rows = [["`--halving`", *(f"seed {seed}: epochs, best val IoU" for seed in options.seeds)]]
    rows.append(["---"] * len(rows[0]))
    with tempfile.TemporaryDirectory() as folder:
        for way in POLICIES:
            found = [search(Path(folder), way, seed, options.trials) for seed in options.seeds]
            rows.append([way, *(f"{epochs}, {best:.3f}" for epochs, best in found)])
    sys.stdout.write("".join(f"| {' | '.join(cells)} |\n" for cells in rows))


if __name__ == "__main__":
    main()
