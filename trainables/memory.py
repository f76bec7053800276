"""What a training does when the device's memory does not suffice: half batches, then activation checkpointing."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from trainables.errors import InfeasibleError

RUNGS = ("", "half batches", "activation checkpointing")
"""What is done on each rung of the ladder; every rung keeps what the ones before it do."""
MIN_BATCH_TO_HALVE = 4
"""Draws: no half holds a single one, over which BatchNorm has no statistics."""


class MemoryLadder:
    """How far a training has gone to fit into memory.

    Half batches are accumulated into one step, so the effective batch and the learning rate stay, while BatchNorm
    sees halves.
    Activation checkpointing computes the forward pass of each block a second time and changes no number.

    Attributes:
        rung: Index into ``RUNGS``.
        news: Lines about what was done and is not yet in the trial's log.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.rung = 0
        self.news: list[str] = []

    @property
    def measures(self) -> str:
        """What is being done, for the trial's row: empty, or ``half batches, activation checkpointing``."""
        return ", ".join(RUNGS[1 : self.rung + 1])

    def parts(self, batch: int) -> int:
        """Return into how many parts a batch of so many draws is cut."""
        return 2 if self.rung and batch >= MIN_BATCH_TO_HALVE else 1

    def climb(self, batch: int, reason: str) -> None:
        """Do more after a step ran out of memory.

        Raises:
            InfeasibleError: There is nothing more to be done.
        """
        skipped = self.rung == 0 and batch < MIN_BATCH_TO_HALVE  # such batches cannot be halved
        target = self.rung + (2 if skipped else 1)
        if target >= len(RUNGS):
            raise InfeasibleError(
                f"infeasible: out of memory with {self.measures} at batches of {batch} ({reason}); "
                f"give it a larger GPU, or a smaller crop_size or batch_size"
            )
        self.go_to(target)
        self.news.append(f"out of memory ({reason}); continuing with {self.measures}, the same effective batch")

    def take_news(self) -> list[str]:
        """Return the news since the last call."""
        news, self.news = self.news, []
        return news

    def go_to(self, rung: int) -> None:
        """Climb to a rung, such as a saved training's."""
        if self.rung < 2 <= rung:
            checkpoint_blocks(self._model)
        self.rung = rung


def checkpoint_blocks(model: nn.Module) -> None:
    """Make every block of a model keep its input alone and compute the rest again in the backward pass.

    A block is a child of a ``Sequential`` or ``ModuleList`` that is in no other block. Dropout draws the same numbers
    in both passes, and BatchNorm's running statistics move once.

    Args:
        model: Is changed in place; its parameters and its state dict's keys stay.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
    """
    for block in list(_blocks(model)):
        block.forward = partial(_checkpointed, block, block.forward)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for name, child in module.named_children():
        if name == "encoder" and getattr(module, "encoder_is_fixed", False):
            continue  # no gradient enters it, and other trials share it
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from (block for block in child if any(True for _ in block.parameters()))
        else:
            yield from _blocks(child)


def _checkpointed(block: nn.Module, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    if not (torch.is_grad_enabled() and block.training):
        return forward(*inputs, **named)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _still_statistics(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)


@contextmanager
def _still_statistics(block: nn.Module) -> Iterator[None]:
    """Keep BatchNorm from counting a batch a second time."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, saved, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted


def random_state(device: torch.device) -> list[Tensor]:
    """Return the state of the random numbers that a step draws."""
    return [torch.get_rng_state()] + ([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])


def set_random_state(device: torch.device, state: list[Tensor]) -> None:
    """Put back what ``random_state`` returned."""
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process has held so far: the GPU's, on the CPU its own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
