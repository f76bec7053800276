"""The two seams of every architecture: ``Architecture`` (how to build) and ``SegmentationModel`` (what is built)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from trainables.models.weights import Weights
from trainables.recipe import Recipe

Track = Literal["cnn", "sam"]
Needs = Literal["none", "imagenet-resnet34", "imagenet-efficientnet-lite0", "sam-vit-b"]


class SegmentationModel(nn.Module):
    """A network that maps images to logits of the same size and knows its encoder.

    Every subclass normalises its own input, so that all of them eat identical bytes.

    Attributes:
        encoder: The part that pretrained weights fill, or ``None`` for a model trained from scratch.
        encoder_is_fixed: The encoder is never trained; it is left out of checkpoints.
        mean: (1, 3, 1, 1) float buffer, subtracted from the input in [0, 1].
        std: (1, 3, 1, 1) float buffer, what the difference is divided by.
    """

    encoder: nn.Module | None = None
    encoder_is_fixed: bool = False
    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self._encoder_frozen = False

    def forward(self, images: Tensor) -> Tensor:
        """Segment a batch.

        Args:
            images: (B, 3, H, W) float in [0, 1].

        Returns:
            (B, C, H, W) float logits.
        """
        raise NotImplementedError

    def normalise(self, images: Tensor) -> Tensor:
        """Shift and scale (B, 3, H, W) images in [0, 1] to what the encoder was trained on."""
        return (images - self.mean) / self.std

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the encoder's parameters; empty for a model trained from scratch."""
        return list(self.encoder.parameters()) if self.encoder is not None else []

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Return every parameter that is not the encoder's."""
        encoder = {id(parameter) for parameter in self.encoder_parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in encoder]

    @property
    def encoder_frozen(self) -> bool:
        """Whether the encoder's weights and BatchNorm statistics stand still."""
        return self._encoder_frozen

    def freeze_encoder(self) -> None:
        """Stop the encoder's weights and BatchNorm statistics from changing, also after ``.train()``."""
        self._set_frozen(True)

    def unfreeze_encoder(self) -> None:
        """Let the encoder train again. Does nothing for a fixed encoder."""
        if not self.encoder_is_fixed:
            self._set_frozen(False)

    def _set_frozen(self, frozen: bool) -> None:
        if self.encoder is None:
            return
        self._encoder_frozen = frozen
        self.encoder.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> SegmentationModel:
        """Switch to training mode, but for a frozen encoder, which stays in evaluation mode."""
        super().train(mode)
        if self.encoder is not None and self._encoder_frozen:
            self.encoder.eval()
        return self


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An entry of the registry.

    Attributes:
        name: What users type.
        title: What tables print.
        track: ``cnn`` or ``sam``; decides the shared recipe's learning rate and batch size.
        needs: The pretrained weights that it wants.
        factory: Builds the model from a recipe and resolved weights.
    """

    name: str
    title: str
    track: Track
    needs: Needs
    factory: Callable[[Recipe, Weights], SegmentationModel]

    def build(self, recipe: Recipe, weights: Weights) -> SegmentationModel:
        """Build the model, its initial weights a function of ``recipe.seed`` and ``weights`` alone.

        Args:
            recipe: Uses ``seed``, ``decoder_dropout`` and ``model_size``.
            weights: What ``trainables.models.weights.resolve`` returned for ``needs``.

        Returns:
            The model on the CPU, in training mode, its encoder frozen only if it is fixed.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            return self.factory(recipe, weights)
