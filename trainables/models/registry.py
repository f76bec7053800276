"""The architectures by name. Listing them loads no model code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, cast

from trainables.errors import RecipeError, WeightsError, nearest
from trainables.models.weights import Needs, Weights
from trainables.recipe import Recipe

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An entry of the registry.

    Attributes:
        name: What users type.
        title: What tables print.
        track: ``cnn`` or ``sam``; decides the shared recipe's learning rate and batch size.
        needs: The pretrained weights that it wants.
        factory: ``module:function`` that builds the model from a recipe, resolved weights and the number of channels.
        checkpoint_bytes: Size of the weights and statistics that its checkpoints hold, by ``Recipe.model_size``.
    """

    name: str
    title: str
    track: Literal["cnn", "sam"]
    needs: Needs
    factory: str
    checkpoint_bytes: Mapping[str, int]

    @property
    def fixed_encoder(self) -> bool:
        """Whether the encoder is never trained, and so the same for all trials with the same weights."""
        return self.needs == "sam-vit-b"

    def build(self, recipe: Recipe, weights: Weights, channels: int = 1) -> SegmentationModel:
        """Build the model, its initial weights a function of ``recipe.seed`` and ``weights`` alone.

        Args:
            recipe: Uses ``seed``, ``decoder_dropout`` and ``model_size``.
            weights: What ``trainables.models.weights.resolve`` returned for ``needs``.
            channels: Logits a pixel: 1 for a binary task, one a class else.

        Returns:
            The model on the CPU, in training mode, its encoder frozen only if it is fixed.

        Raises:
            WeightsError: Weights that are damaged, of another model, or asked for a tiny stand-in.
        """
        import torch

        if recipe.model_size == "tiny" and weights.path:
            raise WeightsError(f"{weights.path}: a tiny stand-in of {self.name} takes no pretrained weights")
        module, _, function = self.factory.partition(":")
        factory = getattr(import_module(module), function)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            return cast("SegmentationModel", factory(recipe, weights, channels))


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Architecture(
                name="unet",
                title="U-Net from scratch",
                track="cnn",
                needs="none",
                factory="trainables.models.unet:build_unet",
                checkpoint_bytes={"full": 31_075_860, "tiny": 491_460},
            ),
            Architecture(
                name="smp_unet_resnet34",
                title="SMP U-Net + ResNet34",
                track="cnn",
                needs="imagenet-resnet34",
                factory="trainables.models.smp:build_unet_resnet34",
                checkpoint_bytes={"full": 97_821_876, "tiny": 654_148},
            ),
            Architecture(
                name="smp_deeplabv3plus_resnet34",
                title="SMP DeepLabV3+ + ResNet34",
                track="cnn",
                needs="imagenet-resnet34",
                factory="trainables.models.smp:build_deeplabv3plus_resnet34",
                checkpoint_bytes={"full": 89_835_052, "tiny": 433_756},
            ),
            Architecture(
                name="sam_vit_b_conv",
                title="SAM ViT-B frozen + conv decoder",
                track="sam",
                needs="sam-vit-b",
                factory="trainables.models.sam:build_sam_conv",
                checkpoint_bytes={"full": 5_137_604, "tiny": 59_236},
            ),
            Architecture(
                name="sam_vit_b_unet",
                title="SAM ViT-B frozen + U-Net decoder",
                track="sam",
                needs="sam-vit-b",
                factory="trainables.models.sam:build_sam_unet",
                checkpoint_bytes={"full": 25_093_940, "tiny": 99_044},
            ),
            Architecture(
                name="smp_unet_efficientnet_lite0",
                title="SMP U-Net + EfficientNet-Lite0",
                track="cnn",
                needs="imagenet-efficientnet-lite0",
                factory="trainables.models.smp:build_unet_efficientnet_lite0",
                checkpoint_bytes={"full": 20_958_868, "tiny": 654_148},
            ),
        )
    }
)
GRID_OF_FIVE = tuple(ARCHITECTURES)[:5]
"""What Phase 1 compares; the sixth entry is pretrained without any hub."""


def get_architecture(name: str) -> Architecture:
    """Look an architecture up.

    Raises:
        RecipeError: No such name; the nearest one is suggested.
    """
    if name not in ARCHITECTURES:
        raise RecipeError(f"architecture {name!r} does not exist (--architectures); {nearest(name, ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build_model(recipe: Recipe, weights: Weights, channels: int = 1) -> SegmentationModel:
    """Build the model that a recipe names; see ``Architecture.build``."""
    return get_architecture(recipe.architecture).build(recipe, weights, channels)
