"""MobileSAM's encoder: TinyViT-5M that imitates SAM's ViT-H, here under the decoder of ``sam_vit_b_conv``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainables.models.sam import SamConv
from trainables.models.weights import Weights, load_tensors

PREFIX = "image_encoder."
RENAMED = (
    (r"^patch_embed\.seq\.0\.", "patch_embed.conv1."),
    (r"^patch_embed\.seq\.2\.", "patch_embed.conv2."),
    (r"\.c\.", ".conv."),
)
"""What TinyViT's own code calls parts, and what timm does."""


class MobileSamEncoder(nn.Module):
    """TinyViT without its classifier and with MobileSAM's neck.

    Args:
        trunk: timm's TinyViT; its last stage is kept at 1/16 of the size.
        width: Channels of the trunk's last stage.
        features: Channels of the neck.
    """

    def __init__(self, trunk: Any, width: int, features: int) -> None:
        from timm.layers import LayerNorm2d

        super().__init__()
        self.patch_embed = trunk.patch_embed
        self.stages = trunk.stages
        self.stages[-1].downsample.conv2.conv.stride = (1, 1)
        self.neck = nn.Sequential(
            nn.Conv2d(width, features, 1, bias=False),
            LayerNorm2d(features),
            nn.Conv2d(features, features, 3, padding=1, bias=False),
            LayerNorm2d(features),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map normalised (B, 3, H, W), H and W multiples of 16, to (B, C, H/16, W/16)."""
        result: Tensor = self.neck(self.stages(self.patch_embed(inputs)))
        return result


class MobileSamConv(SamConv):
    """Four stages of upsampling and convolution on MobileSAM's one map; see ``SamConv``."""

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return the one map of normalised (B, 3, H, W) inputs, without gradients: (B, C, H/16, W/16)."""
        with torch.no_grad():
            return [self.encoder(inputs)]

    @classmethod
    def feature_maps(cls, encoder: nn.Module, inputs: Tensor) -> list[Tensor]:
        """Return the one map: (B, C, H/16, W/16)."""
        return [encoder(inputs)]

    @classmethod
    def feature_maps_key(cls) -> str:
        """Return the name of the class: its encoder is of another kind than SAM's ViT."""
        return cls.__qualname__


def build_encoder(weights: Weights, *, tiny: bool) -> MobileSamEncoder:
    """Build MobileSAM's encoder, or a tiny stand-in of the same structure.

    Raises:
        WeightsError: The file is damaged or of another model.
    """
    from timm.models.tiny_vit import TinyVit

    widths = (8, 16, 16, 32) if tiny else (64, 128, 160, 320)
    trunk = TinyVit(
        num_classes=0,
        embed_dims=widths,
        depths=(1, 1, 1, 1) if tiny else (2, 2, 6, 2),
        num_heads=(1, 2, 2, 2) if tiny else (2, 4, 5, 10),
        window_sizes=(7, 7, 14, 7),
        drop_path_rate=0.0,
    )
    encoder = MobileSamEncoder(trunk, widths[-1], 32 if tiny else 256)
    if weights.path:
        _load(encoder, weights)
    return encoder


def renamed(name: str) -> str:
    """Return what timm calls a tensor of ``mobile_sam.pt``.

    TinyViT's own code ends a stage with the step to the next one's size, timm begins the next stage with it.
    """
    name = name.removeprefix(PREFIX)
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    if found := re.match(r"layers\.(\d+)\.(.+)", name):
        stage = int(found[1]) + found[2].startswith("downsample.")
        name = f"stages.{stage}.{found[2]}"
    return name


def _load(encoder: MobileSamEncoder, weights: Weights) -> None:
    tensors = {renamed(name): tensor for name, tensor in load_tensors(weights).items() if name.startswith(PREFIX)}
    if not tensors:
        raise weights.wrong("has no MobileSAM image encoder")
    wanted = encoder.state_dict()
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked") and name not in tensors:
            tensors[name] = tensor
        if name not in tensors:
            raise weights.wrong(f"has no tensor for {name!r}: a file of another model")
        if tensors[name].shape != tensor.shape:
            shapes: Sequence[Any] = (tuple(tensors[name].shape), tuple(tensor.shape))
            raise weights.wrong(f"tensor {name!r} has shape {shapes[0]}, not {shapes[1]}")
    encoder.load_state_dict({name: tensors[name] for name in wanted})
