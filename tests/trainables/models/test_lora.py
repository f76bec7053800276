"""LoRA: what is trained and kept, what it is put beside, what merging changes, and where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search_spaces.custom import check_spaces
from search_spaces.phase1 import shared_recipe
from search_spaces.phase2 import ADAPTERS, space
from search_spaces.profiles import get_profile
from sweep.export.network import capture
from trainables.errors import RecipeError, SpaceError
from trainables.models.base import SegmentationModel
from trainables.models.lora import add_adapters, merged
from trainables.models.registry import build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.recipe import Recipe

pytest.importorskip("peft")

DINO = "dinov3_vit_s_dpt_lora"
ADAPTED = ("sam_vit_b_unet_lora", DINO, "smp:DPT/tu-vit_tiny_patch16_224+lora", "smp:FPN/mit_b0+lora")
LAYERS = {"sam_vit_b_unet_lora": 12, DINO: 12, "smp:DPT/tu-vit_tiny_patch16_224+lora": 6}
"""Attentions of the tiny stand-ins."""


def _build(name: str, **fields: object) -> SegmentationModel:
    recipe = Recipe(architecture=name, model_size="tiny", crop_size=64, **fields)  # type: ignore[arg-type]
    return build_model(recipe, resolve(get_architecture(name).needs, "random"))


def _adapters(model: SegmentationModel) -> dict[str, Tensor]:
    return {key: one for key, one in model.portable_state_dict().items() if key.startswith("encoder.")}


def _trained(name: str, **fields: object) -> SegmentationModel:
    """Return a model whose adapters do something: as they begin, they add nothing."""
    model = _build(name, **fields).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.encoder_parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        for name, parameter in model.named_parameters():
            if "gamma" in name:
                parameter.fill_(1.0)  # of timm's layer scale, which begins near 0 and would hide what a block does
    return model


def _apart(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference over the largest logit."""
    return float((found - expected).abs().max() / expected.abs().max())


def _images() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "layers"), LAYERS.items())
def test_adapters_are_in_checkpoints_and_what_they_adapt_is_not(name: str, layers: int) -> None:
    model = _build(name)
    adapters = _adapters(model)
    assert len(adapters) == len(model.encoder_parameters()) == 2 * layers
    assert all(".lora_" in key for key in adapters)


@pytest.mark.parametrize("rank", [4, 16])
def test_the_rank_decides_how_large_they_are(rank: int) -> None:
    found = sum(one.numel() for one in _adapters(_build(DINO, lora_rank=rank)).values())
    assert found == 12 * (rank * (32 + 96))  # twelve blocks; 32 numbers in, 96 out: queries, keys and values


@pytest.mark.parametrize(("targets", "in_block"), [("qkv", 1), ("attention", 2), ("all", 4)])
def test_they_stand_beside_the_layers_that_are_named(targets: str, in_block: int) -> None:
    found = {key.rpartition(".lora_")[0] for key in _adapters(_build(DINO, lora_targets=targets))}
    assert len(found) == 12 * in_block


def test_alpha_over_rank_scales_what_they_add() -> None:
    def added(alpha: float) -> Tensor:
        layer: Any = _trained(DINO, lora_alpha=alpha).get_submodule("encoder.model.blocks.0.attn.qkv")
        with torch.no_grad():
            return layer(torch.ones(1, 32)) - layer.base_layer(torch.ones(1, 32))

    assert added(8.0).abs().max() > 0
    assert torch.allclose(added(24.0), 3 * added(8.0), atol=1e-5)


@pytest.mark.parametrize("targets", ["qkv", "all"])
@pytest.mark.parametrize("name", ADAPTED)
def test_merging_leaves_no_adapter_and_changes_no_logit(name: str, targets: str) -> None:
    model = _trained(name, lora_targets=targets)
    whole = merged(model)
    with torch.no_grad():
        expected, found = model(_images()), whole(_images())
        for parameter in model.encoder_parameters():
            parameter.zero_()
        untouched = model(_images())
    assert not any(".lora_" in key for key in whole.state_dict())
    assert any(".lora_" in key for key in model.state_dict())
    assert _apart(found, expected) < 1e-3
    assert _apart(untouched, expected) > 2e-3


def test_a_model_without_adapters_is_not_copied() -> None:
    model = _build("unet")
    assert merged(model) is model


def test_an_exported_graph_has_merged_weights_and_the_same_logits() -> None:
    model = _trained(DINO)
    program = capture(model, 64)
    pixels = (_images() * 255).byte()
    with torch.no_grad():
        found = program.module()(pixels)
        assert _apart(found, model(pixels.float() / 255)) < 1e-3
    assert not any("lora" in key for key in program.state_dict)


def test_folds_adapt_one_and_the_same_encoder() -> None:
    recipe = Recipe(architecture=DINO, model_size="tiny")
    weights = resolve(get_architecture(recipe.architecture).needs, "random")
    one, other = (build_model(recipe, weights, seed=seed).state_dict() for seed in (1, 2))
    fixed = [key for key in one if key.startswith("encoder.") and ".lora_" not in key]
    assert fixed and all(torch.equal(one[key], other[key]) for key in fixed)
    assert not torch.equal(one["head.head.0.weight"], other["head.head.0.weight"])


@pytest.mark.parametrize("name", ["smp:Unet/resnet18+lora", "smp:UPerNet/timm:convnext_tiny+lora"])
def test_a_cnn_is_refused_in_a_line(name: str) -> None:
    with pytest.raises(RecipeError, match=r"LoRA adapts the attention of a vision transformer, and .* has none; leave"):
        get_architecture(name)


def test_an_encoder_without_attention_is_refused_when_it_is_built() -> None:
    encoder = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Linear(3, 3))
    with pytest.raises(RecipeError, match="and its encoder has none; leave LoRA out"):
        add_adapters(encoder, Recipe(architecture="mine"))


@pytest.mark.parametrize("name", ADAPTED)
def test_rank_alpha_and_targets_are_searched_where_there_are_adapters(name: str) -> None:
    assert space(name).keys() >= ADAPTERS.keys()
    assert not space("unet").keys() & ADAPTERS.keys()
    assert not space("dinov3_vit_s_dpt").keys() & ADAPTERS.keys()


def test_a_space_with_a_rank_is_refused_for_an_architecture_without_adapters() -> None:
    shared = {"unet": shared_recipe("unet", get_profile("smoke"))}
    with pytest.raises(SpaceError, match="lora_rank does nothing without LoRA"):
        check_spaces({"unet": {"lora_rank": ADAPTERS["lora_rank"]}}, shared, "--space mine.py")


@pytest.mark.parametrize("field", [{"lora_rank": 0}, {"lora_rank": 257}, {"lora_alpha": 0.0}, {"lora_targets": "mlp"}])
def test_an_impossible_adapter_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="recipe field lora_"):
        Recipe(**field)


@pytest.mark.parametrize("profile", ["paper", "demo"])
def test_adapters_are_trained_from_the_first_epoch(profile: str) -> None:
    assert shared_recipe("dinov3_vit_b_dpt_lora", get_profile(profile)).frozen_epochs == 0
