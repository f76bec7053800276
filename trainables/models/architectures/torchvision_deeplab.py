"""torchvision's own DeepLabV3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.models.architecture import architecture

if TYPE_CHECKING:
    from trainables.models.torchvision_deeplab import TorchvisionDeepLab
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe


@architecture(
    name="torchvision_deeplabv3_resnet50",
    title="torchvision DeepLabV3 + ResNet50",
    track="cnn",
    needs="imagenet-resnet50",
    known_bytes={"full": 168_204_528, "tiny": 735_448},
)
def build_deeplabv3_resnet50(recipe: Recipe, weights: Weights, channels: int, bands: int) -> TorchvisionDeepLab:
    """Build it with the recipe's dropout, of whole channels, for its own; that of the auxiliary head is off."""
    from torch import nn

    from trainables.models.bands import take_bands
    from trainables.models.dropout import without_dropout
    from trainables.models.torchvision_deeplab import TorchvisionDeepLab, full_parts, tiny_parts
    from trainables.models.weights import fill

    backbone, head, auxiliary_head = (tiny_parts if recipe.model_size == "tiny" else full_parts)(channels)
    fill(backbone, weights)
    take_bands(backbone, bands, weights)
    without_dropout(auxiliary_head)
    head[0].project[3] = nn.Dropout2d(recipe.decoder_dropout)
    return TorchvisionDeepLab(backbone, head, auxiliary_head, bands)
