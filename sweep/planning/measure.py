"""Trains a few real steps, to calibrate an estimate and to see how much memory they take."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.planning.estimate import Estimator
from sweep.planning.packing import MemoryNeeds
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData

if TYPE_CHECKING:
    import torch

CONTEXT_BYTES = int(0.6 * 2**30)
"""What a process holds on a GPU besides PyTorch's own memory: CUDA's context, cuDNN's and cuBLAS's kernels. An
assumption from what such processes usually hold; not measured for this project."""


def measured_factor(trial: TrialPlan, data: TuningData, device: str, threads: int) -> float:
    """Train two short epochs, or fit a probe, and score one whole val tile here; compare with the estimate.

    Args:
        trial: What to train; as if its encoder were never frozen, which is the dearer case.
        data: The tiles.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads that the trial would have.

    Returns:
        Measured over estimated seconds of a full training.
    """
    import torch

    from trainables.cross_validation import trainer_of
    from trainables.losses.base import loss_of
    from trainables.models.probe_names import is_probe
    from trainables.scoring import forward_on, score_split

    torch.set_num_threads(threads)
    recipe = trial.recipe
    probe = is_probe(recipe.architecture)
    short = recipe.replace(draws_per_epoch=2 * recipe.batch_size, frozen_epochs=0, max_epochs=2, patience=2)
    trainer = trainer_of(recipe)(recipe if probe else short, data, torch.device(device), trial.weights, workers=threads)
    result = trainer.train_epoch()
    if probe:
        epochs = result.seconds
    else:
        result = trainer.train_epoch()  # the first steps also allocate and choose kernels
        steps = -(-recipe.draws_per_epoch // recipe.batch_size)
        validation = result.seconds - result.step_seconds * trainer.steps_per_epoch
        epochs = recipe.max_epochs * (steps * result.step_seconds + validation)
    started = time.perf_counter()
    forward = forward_on(trainer.model, trainer.device, trainer.dtype)
    loss = loss_of(recipe, data.task, data.train, trainer.device)
    score_split(trainer.model, forward, data.val[:1], recipe, loss, batch_size=recipe.batch_size)
    final = (time.perf_counter() - started) * len(data.val)
    cores = threads if device == "cpu" else 1
    return (epochs + final) * cores / Estimator(data=data, device=device).trial(recipe)


def memory_needs(trials: Sequence[TrialPlan], data: TuningData, device: str = "cuda") -> MemoryNeeds:
    """Train each trial for two short epochs here and see how much of the GPU it holds at most.

    Args:
        trials: What to train, as if no encoder were ever frozen, which takes more. An architecture's largest counts.
        data: The tiles; val tiles are scored whole, as at a trial's end.
        device: ``cuda``.
    """
    import torch

    here = torch.device(device)
    total = int(torch.cuda.get_device_properties(here).total_memory)
    torch.backends.cudnn.benchmark = True  # as in a trial: it tries kernels that take more
    needs: dict[str, int] = {}
    for trial in trials:
        name = trial.recipe.architecture
        needs[name] = max(needs.get(name, 0), _memory_need(trial, data, here, total))
    return MemoryNeeds(gpu_bytes=total, architectures=needs)


def _memory_need(trial: TrialPlan, data: TuningData, device: torch.device, total: int) -> int:
    """Return the bytes that a training holds at most; all of the GPU where even that does not suffice."""
    import torch

    from trainables.cross_validation import start_training
    from trainables.data.batches import batch_sizes
    from trainables.data.folds import Fold
    from trainables.errors import DivergedError, InfeasibleError

    largest = max(batch_sizes(trial.recipe.draws_per_epoch, trial.recipe.batch_size))
    short = trial.recipe.replace(
        batch_size=largest,
        draws_per_epoch=2 * largest,
        frozen_epochs=0,
        max_epochs=2,  # in the second one the best weights so far are beside those in training
        patience=2,
        validation_crop=0,
    )
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    try:
        whole = Fold(train=tuple(tile.name for tile in data.train), val=tuple(tile.name for tile in data.val))
        trainer = start_training(short, data, [whole] * len(trial.folds), device, trial.weights)
        while not trainer.finished:
            trainer.train_epoch()
        helped = bool(trainer.memory_measures)
    except (InfeasibleError, torch.OutOfMemoryError):
        helped = True
    except DivergedError:  # after steps of the usual size
        helped = False
    peak = int(torch.cuda.max_memory_reserved(device)) + CONTEXT_BYTES
    return total if helped else min(peak, total)
