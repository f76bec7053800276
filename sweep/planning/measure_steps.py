"""Trains a few steps of an architecture on the CPU, in fp32 and where it computes bf16 also in that, in turn."""

from __future__ import annotations

from sweep.planning.packing import largest_tiles
from sweep.planning.speeds import StepSpeed
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData

ROUNDS = 3
CLEAR = (1.0, 1.4)
"""A ratio outside is not measured again: noise does not take it across what is worth it."""


def measure_steps(trial: TrialPlan, data: TuningData, threads: int) -> StepSpeed:
    """Take one step to warm up, then one to three more in each precision, and return the shortest ones.

    Args:
        trial: What to train, as if no encoder were ever frozen for a while only; what unlabelled images add is left
            out.
        data: The tiles.
        threads: CPU threads that the trial would have.
    """
    import torch

    from trainables.precision import computes_bf16
    from trainables.training import Trainer

    torch.set_num_threads(threads)
    recipe = trial.recipe.replace(
        draws_per_epoch=trial.recipe.batch_size,
        validation_crop=trial.recipe.crop_size,
        frozen_epochs=0,
        max_epochs=ROUNDS + 1,
        patience=ROUNDS + 1,
        learning_rate=1e-6,
        consistency_weight=0.0,
    )
    few = largest_tiles(data)
    trainers = [
        Trainer(recipe.replace(precision=name), few, torch.device("cpu"), trial.weights, workers=threads)
        for name in (("fp32", "bf16") if computes_bf16() else ("fp32",))
    ]
    shortest = [float("inf")] * len(trainers)
    for number in range(ROUNDS + 1):
        seconds = [trainer.train_epoch().step_seconds for trainer in trainers]
        if not number:
            continue  # the first step also allocates and chooses kernels
        shortest = list(map(min, shortest, seconds))
        if len(trainers) > 1 and not CLEAR[0] <= shortest[0] / shortest[1] <= CLEAR[1]:
            break
    return StepSpeed(fp32=shortest[0], bf16=shortest[1] if len(trainers) > 1 else None)
