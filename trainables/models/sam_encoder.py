"""SAM's ViT as a feature extractor for any size, with attention that never holds the attention matrix twice."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.models.weights import Weights, fill

PATCH = 16
"""Side of a patch in pixels: features are 1/16 of the image's size."""
BIAS_NUMBERS = 2**26
"""Most position biases at a time: four of the twelve heads at 1024 pixels, 256 MiB in float32."""
NATIVE_TOKENS = 64
"""Tokens per side of SAM's training images of 1024 pixels."""


def build_encoder(weights: Weights, *, tiny: bool) -> nn.Module:
    """Build ViT-B as SAM has it, or a tiny stand-in of the same structure.

    Args:
        weights: Filled into the encoder if they have a file.
        tiny: Width 32 and two heads instead of 768 and twelve.

    Raises:
        WeightsError: The file is damaged or of another model.
    """
    from segment_anything.modeling import ImageEncoderViT

    encoder: nn.Module = ImageEncoderViT(
        depth=12,
        embed_dim=32 if tiny else 768,
        img_size=NATIVE_TOKENS * PATCH,
        mlp_ratio=4,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=2 if tiny else 12,
        patch_size=PATCH,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=(2, 5, 8, 11),
        window_size=14,
        out_chans=32 if tiny else 256,
    )
    fill(encoder, weights, "image_encoder.")
    return encoder


def encode(encoder: Any, inputs: Tensor, taps: tuple[int, ...] = (), *, neck: bool = False) -> list[Tensor]:
    """Run the encoder on images of any size.

    Args:
        encoder: What ``build_encoder`` returned.
        inputs: (B, 3, H, W) normalised, H and W multiples of 16. Position embeddings are interpolated away from 1024.
        taps: Numbers of blocks, from 1, whose output is wanted; none is for the neck's.
        neck: Whether the neck's is wanted after those.

    Returns:
        Each tapped block's output (B, D, H/16, W/16), and last the neck's features (B, C, H/16, W/16) where wanted.
    """
    x: Tensor = encoder.patch_embed(inputs)  # (B, h, w, D)
    x = x + _positions(encoder.pos_embed, x.shape[1], x.shape[2])
    tapped = []
    for number, block in enumerate(encoder.blocks, start=1):
        x = _block(block, x)
        if number in taps:
            tapped.append(x.permute(0, 3, 1, 2))
    return tapped if taps and not neck else [*tapped, encoder.neck(x.permute(0, 3, 1, 2))]


def _positions(embedding: Tensor, height: int, width: int) -> Tensor:
    """Interpolate (1, 64, 64, D) absolute position embeddings to (1, height, width, D)."""
    if embedding.shape[1:3] == (height, width):
        return embedding
    resized = F.interpolate(embedding.permute(0, 3, 1, 2), (height, width), mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1)


def _block(block: Any, x: Tensor) -> Tensor:
    """Run one transformer block on (B, h, w, D) tokens."""
    attention = block.attn
    batch, height, width, dim = x.shape
    qkv: Tensor = attention.qkv(block.norm1(x))  # (B, h, w, 3D), real tokens only
    side = block.window_size
    if side:
        # The library pads normalised tokens with zeros, whose projection is the bias: so pad with the bias instead
        # of projecting padding. At 256 pixels two thirds of all window tokens are padding.
        rows, columns = -(-height // side), -(-width // side)
        padded = attention.qkv.bias.to(qkv.dtype).expand(batch, rows * side, columns * side, -1).clone()
        padded[:, :height, :width] = qkv
        qkv = padded.view(batch, rows, side, columns, side, -1).transpose(2, 3).reshape(-1, side, side, 3 * dim)
    mixed = _attend(attention, qkv)
    if side:
        mixed = mixed.view(batch, rows, columns, side, side, dim).transpose(2, 3)
        mixed = mixed.reshape(batch, rows * side, columns * side, dim)[:, :height, :width]
    x = x + attention.proj(mixed)
    result: Tensor = x + block.mlp(block.norm2(x))
    return result


def _attend(attention: Any, qkv: Tensor) -> Tensor:
    """Attend among (N, h, w, 3D) projected tokens; returns (N, h, w, D)."""
    from segment_anything.modeling.image_encoder import get_rel_pos

    count, height, width, _ = qkv.shape
    heads = attention.num_heads
    q, k, v = qkv.reshape(count, height * width, 3, heads, -1).permute(2, 0, 3, 1, 4)  # each (N, heads, h*w, d)
    rows: Tensor = get_rel_pos(height, height, attention.rel_pos_h).to(q.dtype)
    columns: Tensor = get_rel_pos(width, width, attention.rel_pos_w).to(q.dtype)
    # An exported graph attends once: how often to split depends on the batch, which it leaves open.
    at_once = heads if torch.compiler.is_exporting() else max(1, BIAS_NUMBERS // (count * (height * width) ** 2))
    parts = []
    for some_q, some_k, some_v in zip(*(one.split(at_once, dim=1) for one in (q, k, v)), strict=True):
        grid = some_q.reshape(count, -1, height, width, some_q.shape[-1])
        bias = torch.einsum("nchwd,hkd->nchwk", grid, rows).unsqueeze(-1)
        bias = bias + torch.einsum("nchwd,wkd->nchwk", grid, columns).unsqueeze(-2)
        bias = bias.reshape(count, -1, height * width, height * width)
        parts.append(F.scaled_dot_product_attention(some_q, some_k, some_v, bias))
    return torch.cat(parts, dim=1).transpose(1, 2).reshape(count, height, width, -1)
