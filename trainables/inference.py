"""Trained models as forward passes: one alone, several as an ensemble, each view in its eight symmetries."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.errors import InfeasibleError
from trainables.models.base import SegmentationModel
from trainables.models.fold_ensemble import mean_logits
from trainables.precision import choose_dtype, computes_bf16
from trainables.recipe import Recipe
from trainables.scoring import Forward, forward_on

SYMMETRIES = tuple((turns, flipped) for flipped in (False, True) for turns in range(4))
"""The dihedral group D4: quarter turns, with and without a flip before them."""


def choose_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu`` or ``cuda`` means on this machine."""
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def ready(model: SegmentationModel, recipe: Recipe, device: torch.device) -> Forward:
    """Bring a model to a device and return its forward pass.

    Args:
        model: Is moved, and put into evaluation mode.
        recipe: What trained it: its precision is the arithmetic, see ``prediction_dtype``.
        device: Where to predict.
    """
    model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return forward_on(model, device, prediction_dtype(recipe, device))


def prediction_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """Return the arithmetic of predictions: that of the training, but float32 on a CPU that has to emulate bfloat16."""
    dtype = choose_dtype(recipe.precision, device)
    return torch.float32 if device.type == "cpu" and dtype is torch.bfloat16 and not computes_bf16() else dtype


def default_batch(window: int, device: torch.device) -> int:
    """Return how many windows go into a forward pass if nobody says otherwise.

    16 on a GPU. On a CPU two of 256 pixels: on two cores, four took from 8 % less to 18 % longer, one 0 to 11 %
    longer.

    Args:
        window: Side of a window in pixels.
        device: Where the model is.
    """
    return 16 if device.type == "cuda" else max(1, 2 * 256**2 // window**2)


def within_memory(forward: Forward) -> Forward:
    """Return a forward pass that halves its batches for good when the GPU's memory does not suffice.

    Raises:
        InfeasibleError: A single window does not fit.
    """
    largest: list[int] = []

    def careful(images: Tensor) -> Tensor:
        while True:
            try:
                return torch.cat([forward(some) for some in torch.split(images, min([len(images), *largest]))])
            except torch.OutOfMemoryError as error:
                size = min([len(images), *largest]) // 2
                if not size:
                    raise InfeasibleError(
                        f"out of memory with one window of {images.shape[-1]} pixels; free the GPU, or --device cpu"
                    ) from error
                largest[:] = [size]

    return careful


def ensemble(members: Sequence[Forward]) -> Forward:
    """Average the probabilities of several models.

    Args:
        members: Their forward passes, at least one, on the same device.

    Returns:
        Gives the logits of the mean probability; one member's alone are returned as they are.
    """

    def forward(images: Tensor) -> Tensor:
        return mean_logits(member(images) for member in members)

    return forward if len(members) > 1 else members[0]


def with_symmetries(forward: Forward) -> Forward:
    """Average the probabilities over the eight symmetries of each image (test-time augmentation by D4).

    Returns:
        Gives the logits of the mean probability.
    """

    def augmented(images: Tensor) -> Tensor:
        return mean_logits(_undo(forward(_apply(images, *one)), *one) for one in SYMMETRIES)

    return augmented


def _apply(images: Tensor, turns: int, flipped: bool) -> Tensor:
    return torch.rot90(images.flip(-1) if flipped else images, turns, (-2, -1))


def _undo(logits: Tensor, turns: int, flipped: bool) -> Tensor:
    turned = torch.rot90(logits, -turns, (-2, -1))
    return turned.flip(-1) if flipped else turned
