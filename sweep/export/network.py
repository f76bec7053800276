"""The network that is exported: bytes in, logits out, nothing else to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.errors import ExperimentError
from trainables.models.base import SegmentationModel
from trainables.models.lora import merged
from trainables.models.registry import get_architecture
from trainables.recipe import Recipe
from trainables.windows import GRID

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from trainables.data.tiles import Tile

INPUT, OUTPUT = "image", "logits"
MOST_IMAGES = 4096
"""Largest batch."""
FEWEST_CELLS, MOST_CELLS = 2, 1024
"""Smallest and largest free side, in units of 32 pixels: at one unit the encoder ends in a single pixel, which a traced
graph takes for a constant."""


class ExportNetwork(nn.Module):
    """A model with its normalisation inside.

    Args:
        model: In evaluation mode, on the CPU.
    """

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, N, H, W) uint8, N the model's bands, H and W multiples of 32, to (B, C, H, W) float32 logits."""
        return self.model.logits((image.float() / 255 - self.model.mean) / self.model.std)


class DeepnessNetwork(nn.Module):
    """A model as the QGIS plugin Deepness calls one: numbers from 0 to 1 in, probabilities out.

    Args:
        model: In evaluation mode, on the CPU.
        temperature: Logits are divided by it.
    """

    def __init__(self, model: SegmentationModel, temperature: float = 1.0) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, N, S, S) float32 in [0, 1] to (B, C, S, S) float32 probabilities: of the foreground, or per class."""
        # Tiles that were scaled to bytes held whole numbers.
        whole = (image * 255).round() / 255
        logits = self.model.logits((whole - self.model.mean) / self.model.std) / self.temperature
        return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def choose_side(model: SegmentationModel, recipe: Recipe, tiles: Sequence[Tile], asked: int | None) -> int | None:
    """Return the side in pixels that the exported network is fixed at; None where it takes any multiple of 32.

    Foundation models fit their positions to the size that they see, so a graph of one has one size: that of the views
    that it was trained on, the crop or the smaller tile. So has one of an encoder that pads by its input's size, as
    TensorFlow does: with free sides, torch traced EfficientNet-Lite0 for minutes without an end. And so has one of a
    decoder that averages over parts of the image, as UPerNet's does: ONNX has no such operation for free sides.
    """
    if asked is not None:
        return asked
    from timm.layers import Conv2dSame
    from torch.nn import AdaptiveAvgPool2d

    bound = get_architecture(recipe.architecture).track != "cnn" or any(
        isinstance(module, Conv2dSame)
        or (isinstance(module, AdaptiveAvgPool2d) and module.output_size not in (1, (1, 1)))
        for module in model.modules()
    )
    if not bound and recipe.crop_size >= GRID * FEWEST_CELLS:
        return None
    smallest = min(min(tile.mask.shape) for tile in tiles)
    return min(recipe.crop_size, int(smallest))


def capture(
    model: SegmentationModel, side: int | None, *, deepness: bool = False, temperature: float = 1.0
) -> ExportedProgram:
    """Trace a model into a graph whose batch is free, and also its height and width unless a side is given.

    Args:
        model: In evaluation mode, on the CPU; gradients are switched off in it. LoRA's adapters are merged.
        side: Fixed side in pixels, a multiple of 32, or None.
        deepness: As ``DeepnessNetwork``.
        temperature: Likewise.

    Raises:
        ExperimentError: torch cannot trace it.
    """
    whole = merged(model)
    network = DeepnessNetwork(whole, temperature) if deepness else ExportNetwork(whole)
    network.eval().requires_grad_(False)
    dim = torch.export.Dim
    free = {0: dim("batch", min=1, max=MOST_IMAGES)}
    if side is None:
        free |= {
            axis: GRID * dim(name, min=FEWEST_CELLS, max=MOST_CELLS) for axis, name in ((2, "rows"), (3, "columns"))
        }
    # Two images of unequal sides: a size of one, or two equal ones, would be taken for constants.
    example = torch.zeros(2, model.mean.numel(), side or 2 * GRID, side or 3 * GRID, dtype=torch.uint8)
    example = example.float() if deepness else example
    try:
        return torch.export.export(network, (example,), dynamic_shapes={INPUT: free})
    except Exception as error:  # torch raises many kinds, of its own and whatever the model's code does
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        sizes = "" if side else "fix its size with --size, or "
        raise ExperimentError(
            f"--format: torch cannot trace this architecture ({reason}); {sizes}take --format safetensors"
        ) from error
