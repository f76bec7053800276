"""The contract that every registered architecture keeps, in its full and in its tiny size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.errors import RecipeError, WeightsError
from trainables.models.base import SegmentationModel, encoder_fingerprint
from trainables.models.registry import ARCHITECTURES, GRID_OF_FIVE, build_model, get_architecture
from trainables.models.weights import Weights, resolve
from trainables.recipe import Recipe

NAMES = tuple(ARCHITECTURES)
TRAINABLE_MILLIONS = {
    "unet": (7.0, 31.0),
    "smp_unet_resnet34": (24.3, 24.5),
    "smp_deeplabv3plus_resnet34": (22.3, 22.5),
    "sam_vit_b_conv": (1.0, 3.0),
    "sam_vit_b_unet": (5.0, 10.0),
    "smp_unet_efficientnet_lite0": (4.0, 7.0),
}


def _build(name: str, *, size: str = "tiny", seed: int = 42, dropout: float = 0.3) -> SegmentationModel:
    recipe = Recipe(architecture=name, model_size=size, seed=seed, decoder_dropout=dropout)
    return build_model(recipe, resolve(ARCHITECTURES[name].needs, "random"))


def _images(batch: int = 2, height: int = 64, width: int = 64) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_grid_is_the_study_s_five() -> None:
    assert GRID_OF_FIVE == (
        "unet",
        "smp_unet_resnet34",
        "smp_deeplabv3plus_resnet34",
        "sam_vit_b_conv",
        "sam_vit_b_unet",
    )


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="'smp_unet_resnet34'"):
        get_architecture("smp_unet_resnet43")


def test_a_thousand_pixels_of_zeros_give_as_many_logits(name: str) -> None:
    model = _build(name, size="full").eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 1024, 1024)).shape == (1, 1, 1024, 1024)


def test_the_number_of_trainable_parameters_is_the_study_s(name: str) -> None:
    model = _build(name, size="full")
    millions = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad) / 1e6
    low, high = TRAINABLE_MILLIONS[name]
    assert low <= millions <= high


@pytest.mark.parametrize("size", ["full", "tiny"])
def test_a_checkpoint_s_size_is_known_without_the_model(name: str, size: str) -> None:
    with torch.device("meta"):  # shapes without memory
        state = _build(name, size=size).portable_state_dict()
    held = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert ARCHITECTURES[name].checkpoint_bytes(size) == held


def test_tiny_models_are_tiny(name: str) -> None:
    assert sum(parameter.numel() for parameter in _build(name).parameters()) < 1e6


def test_a_tiny_model_takes_no_pretrained_weights(name: str) -> None:
    recipe = Recipe(architecture=name, model_size="tiny")
    with pytest.raises(WeightsError, match="tiny"):
        build_model(recipe, Weights(kind="imagenet", path="/some/file"))


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (65, 100)])
def test_any_size_gives_logits_of_that_size(name: str, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert _build(name).eval()(_images(2, *size)).shape == (2, 1, *size)


def test_the_seed_alone_decides_the_initial_weights(name: str) -> None:
    first, second, third = _build(name), _build(name), _build(name, seed=43)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), third.parameters(), strict=True))


def test_building_leaves_the_global_random_state_alone(name: str) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    _build(name)
    assert torch.equal(torch.rand(1), expected)


def test_every_model_normalises_by_itself(name: str) -> None:
    model = _build(name).eval()
    seen: list[Tensor] = []
    logits = model.logits
    model.logits = lambda inputs: (seen.append(inputs), logits(inputs))[1]  # type: ignore[method-assign, func-returns-value]
    images = _images()
    with torch.inference_mode():
        model(images)
    assert torch.allclose(seen[0], (images - model.mean) / model.std)
    assert model.mean.shape == model.std.shape == (1, 3, 1, 1)


def test_dropout_bites_in_training_and_only_there(name: str) -> None:
    images = _images(4)
    for dropout, varies in ((0.5, True), (0.0, False)):
        model = _build(name, dropout=dropout).train()
        with torch.no_grad():
            assert torch.equal(model(images), model(images)) is not varies
        model.eval()
        with torch.no_grad():
            assert torch.equal(model(images), model(images))


def test_dropout_drops_whole_channels_and_is_the_only_kind(name: str) -> None:
    kinds = {type(m) for m in _build(name).modules() if "dropout" in type(m).__name__.lower() and getattr(m, "p", 0)}
    assert kinds == {torch.nn.Dropout2d}


def test_gradient_reaches_what_is_trainable_and_nothing_else(name: str) -> None:
    model = _build(name, dropout=0.0).train()
    model(_images(4)).square().mean().backward()
    for parameter in model.parameters():
        assert (parameter.grad is not None) == parameter.requires_grad


def test_parameters_are_the_encoder_s_or_the_decoder_s(name: str) -> None:
    model = _build(name)
    encoder, decoder = model.encoder_parameters(), model.decoder_parameters()
    assert len(encoder) + len(decoder) == len(list(model.parameters()))
    assert not {id(p) for p in encoder} & {id(p) for p in decoder}
    assert bool(encoder) is (model.encoder is not None)


def test_a_frozen_encoder_stands_still_statistics_included(name: str) -> None:
    model = _build(name, dropout=0.0)
    if model.encoder is None:
        return
    model.freeze_encoder()
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(_images(4)).square().mean().backward()
    optimizer.step()
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert not [key for key in changed if key.startswith("encoder.")]


def test_an_encoder_unfreezes_unless_it_is_fixed(name: str) -> None:
    model = _build(name)
    if model.encoder is None:
        return
    model.freeze_encoder()
    model.unfreeze_encoder()
    model.train()
    assert model.encoder_frozen is model.encoder_is_fixed
    assert model.encoder.training is not model.encoder_is_fixed
    assert all(p.requires_grad is not model.encoder_is_fixed for p in model.encoder_parameters())


def test_only_sam_s_encoder_is_fixed(name: str) -> None:
    assert _build(name).encoder_is_fixed is (ARCHITECTURES[name].track == "sam")


def test_the_state_round_trips_without_a_fixed_encoder(name: str) -> None:
    model, other = _build(name, seed=1).eval(), _build(name, seed=1).eval()
    with torch.no_grad():
        for parameter in model.decoder_parameters():
            parameter.add_(0.01)
    state = model.portable_state_dict()
    assert any(key.startswith("encoder.") for key in state) is (
        model.encoder is not None and not model.encoder_is_fixed
    )
    other.load_portable_state_dict(state)
    with torch.inference_mode():
        assert torch.equal(model(_images()), other(_images()))


def test_a_fixed_encoder_has_a_fingerprint_that_follows_its_weights(name: str) -> None:
    model = _build(name)
    assert bool(encoder_fingerprint(model)) is model.encoder_is_fixed
    if model.encoder_is_fixed:
        assert encoder_fingerprint(model) == encoder_fingerprint(_build(name))
        assert encoder_fingerprint(model) != encoder_fingerprint(_build(name, seed=1))


def test_a_batch_of_two_trains(name: str) -> None:
    _build(name).train()(_images(2)).mean().backward()
