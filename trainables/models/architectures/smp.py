"""The architectures of segmentation-models-pytorch that have a name of their own; all others are ``smp:`` ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.smp import SmpModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

LITE_BYTES = (20_958_868, 24_064_268, 27_025_228)
"""Of the checkpoints on EfficientNet-Lite0 to 2, whose ImageNet weights come from installable packages."""


@architecture(
    name="smp_unet_resnet34",
    title="SMP U-Net + ResNet34",
    track="cnn",
    staged=True,
    needs="imagenet-resnet34",
    known_bytes={"full": 97_821_876, "tiny": 654_148},
)
def build_unet_resnet34(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build 24.4 million parameters."""
    from trainables.models.smp import build_unet, fill_imagenet, supervise_unet

    model = fill_imagenet(build_unet("resnet34", recipe, channels), weights, bands)
    return supervise_unet(model, recipe, channels)


@architecture(
    name="smp_deeplabv3plus_resnet34",
    title="SMP DeepLabV3+ + ResNet34",
    track="cnn",
    needs="imagenet-resnet34",
    known_bytes={"full": 89_835_052, "tiny": 433_756},
)
def build_deeplabv3plus_resnet34(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build 22.4 million parameters."""
    from trainables.models.smp import build_deeplabv3plus, fill_imagenet

    return fill_imagenet(build_deeplabv3plus("resnet34", recipe, channels), weights, bands)


def build_unet_efficientnet_lite(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build a U-Net on the size that the recipe's architecture names."""
    from trainables.models.smp import build_unet_efficientnet_lite as build

    return build(f"tu-tf_{recipe.architecture.removeprefix('smp_unet_')}", recipe, weights, channels, bands)


for size, full in enumerate(LITE_BYTES):
    architecture(
        name=f"smp_unet_efficientnet_lite{size}",
        title=f"SMP U-Net + EfficientNet-Lite{size}",
        track="cnn",
        staged=True,
        needs=f"imagenet-efficientnet-lite{size}",
        known_bytes={"full": full, "tiny": 654_148},
    )(build_unet_efficientnet_lite)
