"""Deep supervision: logits of a decoder's stages in the training loss, and nowhere else."""

from __future__ import annotations

import pytest
import torch

from trainables.models.encoder_decoder import OnFixedEncoder
from trainables.models.registry import build_model, get_architecture
from trainables.models.weights import Weights
from trainables.recipe import Recipe

RANDOM = Weights(kind="random")
STAGED = [
    "unet",
    "unet_bilinear",
    "resnet34_unet",
    "smp_unet_resnet34",
    "smp_unet_efficientnet_lite0",
    "smp:Unet/resnet18",
    "sam2_hiera_t_unet",
]


def _recipe(name: str, weight: float = 0.5) -> Recipe:
    return Recipe(architecture=name, model_size="tiny", crop_size=64, deep_supervision=weight)


@pytest.mark.parametrize("name", STAGED)
def test_smaller_sizes_have_logits_of_their_own_and_the_largest_is_what_it_was(name: str) -> None:
    plain, deep = (build_model(_recipe(name, weight), RANDOM, 4).eval() for weight in (0.0, 0.5))
    assert {key for key in deep.state_dict() if key not in plain.state_dict()} and plain.auxiliary == 0
    images = torch.rand(2, 3, 64, 96)
    assert torch.equal(plain(images), deep(images))
    inputs = deep.prepare(images)
    sizes = [tuple(one.shape) for one in deep.raw_logits_with_auxiliary(inputs)]
    assert sizes == [(2, 4, 64, 96), (2, 4, 32, 48), (2, 4, 16, 24), (2, 4, 8, 12)]
    assert (deep.auxiliary, deep.auxiliary_falls) == (0.5, 0.5) and get_architecture(name).staged


def test_kept_features_of_a_fixed_encoder_give_the_same_logits_of_every_size() -> None:
    model = build_model(_recipe("sam2_hiera_t_unet"), RANDOM, 4).eval()
    assert isinstance(model, OnFixedEncoder)
    images = torch.rand(2, 3, 64, 80)  # which is padded to 96
    encoded = model.forward_with_auxiliary(images)
    kept = model.forward_with_auxiliary(images, model.encode(images))
    assert len(kept) == 4 and all(torch.equal(one, other) for one, other in zip(encoded, kept, strict=True))
    assert {one.shape for one in kept} == {(2, 4, 64, 80)}
    plain = build_model(_recipe("sam2_hiera_t_unet", 0.0), RANDOM, 4).eval()
    assert isinstance(plain, OnFixedEncoder) and len(plain.forward_with_auxiliary(images, plain.encode(images))) == 1


@pytest.mark.parametrize("name", ["smp_deeplabv3plus_resnet34", "sam_vit_b_conv", "smp:FPN/resnet18"])
def test_a_decoder_without_such_stages_ignores_it(name: str) -> None:
    plain, deep = (build_model(_recipe(name, weight), RANDOM) for weight in (0.0, 0.5))
    assert plain.state_dict().keys() == deep.state_dict().keys() and deep.auxiliary == 0
    assert not get_architecture(name).staged
