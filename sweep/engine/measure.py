"""Calibrates an estimate by training a few real steps."""

from __future__ import annotations

import time

from sweep.engine.estimate import Estimator
from sweep.engine.trials import TrialPlan
from trainables.data.tiles import TuningData


def measured_factor(trial: TrialPlan, data: TuningData, device: str, threads: int) -> float:
    """Train two short epochs and score one whole val tile here; compare with the estimate.

    Args:
        trial: What to train; as if its encoder were never frozen, which is the dearer case.
        data: The tiles.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads that the trial would have.

    Returns:
        Measured over estimated seconds of a full training.
    """
    import torch

    from trainables.scoring import forward_on, score_split
    from trainables.training import Trainer

    torch.set_num_threads(threads)
    recipe = trial.recipe
    short = recipe.replace(draws_per_epoch=2 * recipe.batch_size, frozen_epochs=0, max_epochs=2, patience=2)
    trainer = Trainer(short, data, torch.device(device), trial.weights, workers=threads)
    trainer.train_epoch()  # the first steps also allocate and choose kernels
    result = trainer.train_epoch()
    steps = -(-recipe.draws_per_epoch // recipe.batch_size)
    validation = result.seconds - result.step_seconds * trainer.steps_per_epoch
    started = time.perf_counter()
    forward = forward_on(trainer.model, trainer.device, trainer.dtype)
    score_split(trainer.model, forward, data.val[:1], recipe, batch_size=recipe.batch_size)
    final = (time.perf_counter() - started) * len(data.val)
    seconds = recipe.max_epochs * (steps * result.step_seconds + validation) + final
    cores = threads if device == "cpu" else 1
    return seconds * cores / Estimator(data=data, device=device).trial(recipe)
