"""Our pass through SAM's encoder against the library's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.models.sam_encoder import build_encoder, encode
from trainables.models.weights import Weights


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    """A tiny encoder whose zero-initialised position embeddings are filled, as training fills them."""
    torch.manual_seed(0)
    model = build_encoder(Weights(kind="random"), tiny=True).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "rel_pos" in name or "pos_embed" in name or name.endswith("bias"):
                parameter.normal_(0, 0.5)
    return model


def test_features_are_the_library_s_at_its_own_size(encoder: nn.Module) -> None:
    image = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = encoder(image)
        (features,) = encode(encoder, image)
    assert features.shape == expected.shape == (1, 32, 64, 64)
    assert torch.allclose(features, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [(4, 4), (16, 16), (10, 20)])
def test_blocks_are_the_library_s_at_other_sizes(encoder: nn.Module, tokens: tuple[int, int]) -> None:
    image = torch.randn(2, 3, 16 * tokens[0], 16 * tokens[1], generator=torch.Generator().manual_seed(2))
    embedding = encoder.pos_embed.detach().permute(0, 3, 1, 2)
    resized = nn.functional.interpolate(embedding, tokens, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    with torch.no_grad():
        x = encoder.patch_embed(image) + resized
        outputs = []
        for block in encoder.blocks:
            x = block(x)
            outputs.append(x.permute(0, 3, 1, 2))
        (features,) = encode(encoder, image)
        tapped = encode(encoder, image, taps=(3, 6, 9, 12))
    assert torch.allclose(features, encoder.neck(outputs[-1]), atol=1e-5, rtol=1e-5)
    for tap, number in zip(tapped, (3, 6, 9, 12), strict=True):
        assert tap.shape == (2, 32, *tokens)
        assert torch.allclose(tap, outputs[number - 1], atol=1e-5, rtol=1e-5)


def test_the_real_encoder_has_the_checkpoint_s_names() -> None:
    from segment_anything import sam_model_registry

    theirs = {key for key in sam_model_registry["vit_b"]().state_dict() if key.startswith("image_encoder.")}
    ours = {f"image_encoder.{key}" for key in build_encoder(Weights(kind="random"), tiny=False).state_dict()}
    assert ours == theirs
