"""What a device could do at best: operations over its matrix rate, bytes over its copy rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.loops import random_weights
from benchmarks.report import Report, timed
from trainables.losses.ce_dice import bce_dice_loss
from trainables.models.registry import build_model
from trainables.recipe import Recipe
from trainables.training import choose_dtype


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What was measured on a device.

    Attributes:
        operations: Multiplications and additions a second, of one large product of matrices.
        bytes: Bytes a second, read and written, of one large copy.
        item_bytes: Of a number in the arithmetic that training uses.
    """

    operations: float
    bytes: float
    item_bytes: int


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a view's training step takes, forward and backward.

    Attributes:
        operations: Multiplications and additions, by ``torch.utils.flop_counter``.
        numbers: Numbers that its operations read and write, each by itself: kernels that fuse them move fewer.
    """

    operations: float
    numbers: float

    def floors(self, rates: Rates) -> tuple[float, float]:
        """Return views a second at most, by operations and by bytes."""
        return rates.operations / self.operations, rates.bytes / (self.numbers * rates.item_bytes)


def measure_rates(report: Report, device: torch.device, side: int) -> Rates:
    """Multiply and copy matrices of so many numbers a side."""
    dtype = choose_dtype("auto", device)
    first, second = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    operations = 2 * side**3 / timed(lambda: first @ second, device, 20)
    source = torch.empty(side * side, device=device)
    copied = 2 * source.numel() * 4 / timed(source.clone, device, 20)
    report.note(f"matrix rate, {str(dtype).removeprefix('torch.')}, Tflop/s", operations / 1e12)
    report.note("copy rate, read and written, GB/s", copied / 1e9)
    return Rates(operations=operations, bytes=copied, item_bytes=first.element_size())


class _Traffic(TorchDispatchMode):
    """Adds up the numbers that operations read and write; views move none."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.numbers += sum(tensor.numel() for tensor in _tensors((args, kwargs, result)))
        return result


def _tensors(values: object) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def count_work(recipe: Recipe, side: int) -> Work:
    """Count a step's work on the meta device, which holds no numbers, a view."""
    views = 2
    with torch.device("meta"):
        model = build_model(recipe, random_weights(recipe.architecture)).train()
        images, masks = torch.empty(views, 3, side, side), torch.empty(views, 1, side, side)
        with FlopCounterMode(display=False) as counter, _Traffic() as traffic:
            torch.autograd.backward(bce_dice_loss(model(images), masks, 0.5))
    return Work(operations=counter.get_total_flops() / views, numbers=traffic.numbers / views)
