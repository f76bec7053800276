"""SAM 2's image encoder, frozen, under the decoder of ``sam_vit_b_conv``."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD
from trainables.models.sam import SamConv
from trainables.models.weights import Weights, fill

PREFIX = "image_encoder."
STRIDE = 32
"""Hiera adds position embeddings of windows of eight tokens, each four pixels wide."""
LEVEL = 2
"""Of the neck's four maps: the one at 1/16 of the size, which SAM 2 hands to its mask decoder."""


class Sam2Conv(SamConv):
    """Four stages of upsampling and convolution on one map of SAM 2's feature pyramid; see ``SamConv``."""

    stride = STRIDE
    normalisation = (IMAGENET_MEAN, IMAGENET_STD)

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return one map of the pyramid of normalised (B, 3, H, W) inputs, without gradients."""
        encoder = cast("Any", self.encoder)
        with torch.no_grad():
            maps, _ = encoder.neck(encoder.trunk(inputs))
            return [maps[LEVEL]]

    @classmethod
    def feature_maps(cls, encoder: nn.Module, inputs: Tensor) -> list[Tensor]:
        """Return all maps of the pyramid, the finest first."""
        parts = cast("Any", encoder)
        return list(parts.neck(parts.trunk(inputs))[0])

    @classmethod
    def feature_maps_key(cls) -> str:
        """Return the name of the class: its encoder is of another kind than SAM's ViT."""
        return cls.__qualname__


def build_encoder(weights: Weights, *, tiny: bool) -> nn.Module:
    """Build Hiera-tiny with its feature pyramid as SAM 2.1 has them, or a tiny stand-in of the same structure.

    Raises:
        WeightsError: The file is damaged or of another model.
    """
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    width, features = (8, 32) if tiny else (96, 256)
    trunk = Hiera(
        embed_dim=width,
        num_heads=1,
        stages=(1, 1, 2, 1) if tiny else (1, 2, 7, 2),
        global_att_blocks=(3,) if tiny else (5, 7, 9),
        window_pos_embed_bkg_spatial_size=(7, 7),
    )
    neck = FpnNeck(
        position_encoding=PositionEmbeddingSine(num_pos_feats=features, normalize=True, warmup_cache=False),
        d_model=features,
        backbone_channel_list=trunk.channel_list,
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    encoder: nn.Module = ImageEncoder(trunk=trunk, neck=neck, scalp=1)
    fill(encoder, weights, PREFIX)
    return encoder
