"""The contract that every architecture keeps, in its full and in its tiny size."""

from __future__ import annotations

from pkgutil import iter_modules

import pytest
import torch
from torch import Tensor

from docs.architectures import PAGE, full_size, row, trainable
from tests.models import NAMES, TINY
from trainables.errors import RecipeError, WeightsError
from trainables.models import architectures
from trainables.models.architecture import architecture
from trainables.models.base import SegmentationModel, encoder_fingerprint
from trainables.models.contract import CHECKS, ContractCheck, ModelUnderTest
from trainables.models.registry import ARCHITECTURES, GRID_OF_FIVE, build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.models.weights import Weights
from trainables.recipe import Recipe

FULL_SIZE = [
    pytest.param(*one.values, marks=[*one.marks, *([] if one.values[0] in GRID_OF_FIVE else [pytest.mark.slow])])
    for one in NAMES
]
"""All built-in architectures; those beyond the grid of five are built at full size by ``make test-all`` alone."""
FAMILIES = (
    "smp:UnetPlusPlus/resnet18",
    "smp:FPN/efficientnet-b0",
    "smp:PAN/resnet18",
    "smp:DPT/tu-vit_tiny_patch16_224",
    "smp:DPT/tu-vit_tiny_patch16_224+lora",
    "smp:Segformer/mit_b0+lora",
)
STUDY_MILLIONS = {
    "unet": (7.0, 31.0),
    "smp_unet_resnet34": (24.3, 24.5),
    "smp_deeplabv3plus_resnet34": (22.3, 22.5),
    "sam_vit_b_conv": (1.0, 3.0),
    "sam_vit_b_unet": (5.0, 10.0),
}
"""Trainable parameters as the study has them."""


def _build(name: str, *, size: str = "tiny", seed: int = 42, dropout: float = 0.3) -> SegmentationModel:
    recipe = Recipe(architecture=name, model_size=size, seed=seed, decoder_dropout=dropout)
    return build_model(recipe, resolve(get_architecture(name).needs, "random"))


def _images(batch: int = 2, height: int = 64, width: int = 64) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name.replace(" ", "-"))
@pytest.mark.parametrize("architecture", (*TINY, *FAMILIES))
def test_it_keeps_the_contract(architecture: str, check: ContractCheck) -> None:
    recipe = Recipe(architecture=architecture, model_size="tiny")
    check.run(ModelUnderTest(entry=get_architecture(architecture), recipe=recipe))


def test_the_grid_is_the_study_s_five() -> None:
    assert GRID_OF_FIVE == (
        "unet",
        "smp_unet_resnet34",
        "smp_deeplabv3plus_resnet34",
        "sam_vit_b_conv",
        "sam_vit_b_unet",
    )


def test_every_file_of_architectures_has_entries_whose_builders_stand_there() -> None:
    modules = {one.name for one in iter_modules(architectures.__path__, f"{architectures.__name__}.")}
    assert {entry.factory.__module__ for entry in ARCHITECTURES.values()} == modules


def test_a_name_is_registered_by_one_file_alone() -> None:
    def build(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SegmentationModel:
        raise NotImplementedError

    with pytest.raises(ValueError, match=r"unet is registered by trainables\.models\.architectures\.unet and "):
        architecture(name="unet", title="another", track="cnn", needs="none")(build)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("smp_unet_resnet43", "'smp_unet_resnet34'"),
        ("smp:UnetPlusPlu/resnet34", "'UnetPlusPlus'"),
        ("smp:Unet/resnet43", "'resnet34'"),
        ("smp:Unet/tu-convnext_tny", "'convnext_tiny'"),
        ("smp:Unet", "smp:ARCHITECTURE/ENCODER"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(RecipeError, match=nearest):
        get_architecture(typed)


def test_slugs_are_names_of_folders_and_differ() -> None:
    slugs = {get_architecture(name).slug for name in (*ARCHITECTURES, *FAMILIES)}
    assert len(slugs) == len(ARCHITECTURES) + len(FAMILIES)
    assert all(set(slug) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") for slug in slugs)
    assert get_architecture("smp:Unet/resnet34").slug == "smp-Unet-resnet34"


@pytest.mark.slow
def test_a_thousand_pixels_of_zeros_give_as_many_logits(name: str) -> None:
    model = _build(name, size="full").eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 1024, 1024)).shape == (1, 1, 1024, 1024)


@pytest.mark.parametrize("name", FULL_SIZE)
def test_the_numbers_of_trainable_parameters_and_bytes_are_known(name: str) -> None:
    entry = ARCHITECTURES[name]
    assert row(entry) in PAGE.read_text(encoding="utf-8").splitlines(), "renew the table: python -m docs.architectures"
    low, high = STUDY_MILLIONS.get(name, (0, float("inf")))
    model = full_size(entry)
    assert low <= trainable(model) / 1e6 <= high
    _assert_checkpoint_bytes(model, name, "full")


def test_a_tiny_checkpoint_s_size_is_known_without_the_model(name: str) -> None:
    _assert_checkpoint_bytes(_build(name), name, "tiny")


def _assert_checkpoint_bytes(model: SegmentationModel, name: str, size: str) -> None:
    """A checkpoint's size is known without the model."""
    held = sum(tensor.numel() * tensor.element_size() for tensor in model.portable_state_dict().values())
    assert ARCHITECTURES[name].known_bytes[size] == ARCHITECTURES[name].checkpoint_bytes(size) == held


def test_a_family_s_checkpoint_size_is_measured() -> None:
    assert get_architecture("smp:Unet/resnet34").checkpoint_bytes("full") == 97_821_876


def test_tiny_models_are_tiny(name: str) -> None:
    assert sum(parameter.numel() for parameter in _build(name).parameters()) < 1e6


def test_a_tiny_model_takes_no_pretrained_weights(name: str) -> None:
    recipe = Recipe(architecture=name, model_size="tiny")
    with pytest.raises(WeightsError, match="tiny"):
        build_model(recipe, Weights(kind="imagenet", path="/some/file"))


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


def test_dropout_drops_whole_channels_and_is_the_only_kind(name: str) -> None:
    kinds = {type(m) for m in _build(name).modules() if "dropout" in type(m).__name__.lower() and getattr(m, "p", 0)}
    assert kinds == {torch.nn.Dropout2d}


def test_logits_of_a_quarter_are_upsampled_bilinearly() -> None:
    model = _build("segformer_b0").eval()
    images = _images()
    with torch.no_grad():
        quarter = model.raw_logits(model.prepare(images))
        whole = model(images)
    assert quarter.shape[-2:] == (16, 16)
    assert torch.equal(whole, torch.nn.functional.interpolate(quarter, (64, 64), mode="bilinear", align_corners=False))


def test_gradient_reaches_what_is_trainable_and_nothing_else(name: str) -> None:
    model = _build(name, dropout=0.0).train()
    torch.stack([one.square().mean() for one in model.forward_with_auxiliary(_images(4))]).sum().backward()
    for parameter in model.parameters():
        assert (parameter.grad is not None) == parameter.requires_grad


def test_an_auxiliary_head_is_seen_by_the_training_loss_alone(name: str) -> None:
    model = _build(name, dropout=0.0).train()
    outputs = model.forward_with_auxiliary(_images())
    assert len(outputs) == (2 if model.auxiliary else 1)
    assert bool(model.auxiliary) is (name == "torchvision_deeplabv3_resnet50")
    assert all(output.shape == (2, 1, 64, 64) for output in outputs)
    assert torch.allclose(outputs[0], model(_images()), atol=1e-5)


def test_parameters_are_fixed_or_the_encoder_s_or_the_decoder_s(name: str) -> None:
    model = _build(name)
    encoder, decoder = model.encoder_parameters(), model.decoder_parameters()
    fixed = [parameter for key, parameter in model.named_parameters() if model.is_fixed(key)]
    assert len(encoder) + len(decoder) + len(fixed) == len(list(model.parameters()))
    assert not {id(p) for p in encoder} & {id(p) for p in decoder}
    assert bool(encoder) is (model.encoder is not None and not model.encoder_is_fixed)


def test_an_encoder_unfreezes_but_for_what_is_fixed(name: str) -> None:
    model = _build(name)
    if model.encoder is None:
        return
    model.freeze_encoder()
    model.unfreeze_encoder()
    model.train()
    assert model.encoder_frozen is model.encoder_is_fixed
    assert model.encoder.training is not model.encoder_is_fixed
    assert all(p.requires_grad is not model.is_fixed(key) for key, p in model.named_parameters())


def test_fixed_encoders_are_those_of_foundation_models_without_lora(name: str) -> None:
    entry = ARCHITECTURES[name]
    assert _build(name).encoder_is_fixed is entry.fixed_encoder is (entry.track != "cnn" and not entry.lora)


def test_fixed_tensors_have_a_fingerprint_that_follows_them(name: str) -> None:
    model = _build(name)
    assert bool(encoder_fingerprint(model)) is any(model.is_fixed(key) for key in model.state_dict())
    if encoder_fingerprint(model):
        assert encoder_fingerprint(model) == encoder_fingerprint(_build(name))
        assert encoder_fingerprint(model) != encoder_fingerprint(_build(name, seed=1))


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.models.architecture.find_spec", lambda _: None)
    with pytest.raises(RecipeError, match=r"needs the package peft; .*'tilesweep\[lora\]'"):
        _build("sam_vit_b_unet_lora")
