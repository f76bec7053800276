"""torchvision's own DeepLabV3 on ResNet50, its auxiliary head in the training loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD, SegmentationModel

AUXILIARY = 0.5
"""Weight of the auxiliary head's loss, as in torchvision's references."""


class TorchvisionDeepLab(SegmentationModel):
    """A backbone with two outputs, DeepLabV3's head on the last one, and a small head on the one before in training.

    Args:
        backbone: Maps images to ``{"aux": ..., "out": ...}``.
        head: Maps ``out`` to logits.
        auxiliary_head: Maps ``aux`` to logits.
        bands: Bands of the images.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, auxiliary_head: nn.Module, bands: int) -> None:
        super().__init__(mean=IMAGENET_MEAN, std=IMAGENET_STD, stride=32, bands=bands)
        self.encoder: nn.Module = backbone
        self.head = head
        self.auxiliary_head = auxiliary_head
        self.auxiliary = AUXILIARY

    def raw_logits(self, inputs: Tensor) -> Tensor:
        """Map (B, N, H, W) to (B, C, H/8, W/8)."""
        result: Tensor = self.head(self.encoder(inputs)["out"])
        return result

    def raw_logits_with_auxiliary(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Map (B, N, H, W) to two times (B, C, H/8, W/8)."""
        features: Mapping[str, Tensor] = self.encoder(inputs)
        return self.head(features["out"]), self.auxiliary_head(features["aux"])


def full_parts(channels: int) -> tuple[nn.Module, Any, nn.Module]:
    """Return the backbone, the head and the auxiliary head."""
    from torchvision.models.segmentation import deeplabv3_resnet50

    model = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=channels, aux_loss=True)
    return model.backbone, model.classifier, model.aux_classifier


def tiny_parts(channels: int) -> tuple[nn.Module, Any, nn.Module]:
    """Return the same as ``full_parts``, on a thin MobileNetV2."""
    from torchvision.models import mobilenet_v2
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.segmentation.deeplabv3 import ASPP
    from torchvision.models.segmentation.fcn import FCNHead

    features = mobilenet_v2(width_mult=0.25).features
    backbone = IntermediateLayerGetter(features, return_layers={"13": "aux", "17": "out"})
    middle, last = features[13].out_channels, features[17].out_channels
    convolution = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    head = nn.Sequential(ASPP(last, (1, 2, 3), 16), *convolution, nn.Conv2d(16, channels, 1))
    return backbone, head, FCNHead(middle, channels)
