"""Tiles of other bands than red, green and blue alone: encoders take them by their libraries' own rule."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from tests.models import TINY
from trainables.errors import RecipeError
from trainables.models import trust
from trainables.models.bands import statistics_of_bands
from trainables.models.contract import CHECKS, ModelUnderTest, examine, verdict
from trainables.models.registry import ARCHITECTURES, build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.models.weights import Weights
from trainables.recipe import Recipe

RGB_ALONE = [one for one in TINY if ARCHITECTURES[str(one.values[0])].rgb_alone]
ANY_BANDS = [one for one in TINY if not ARCHITECTURES[str(one.values[0])].rgb_alone]
WIDE = """
from torch import nn

class Net(nn.Module):
    mean = {mean}

    def __init__(self, dropout, channels, bands):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(bands, 8, 3, padding=1), nn.Dropout2d(dropout), nn.Conv2d(8, channels, 1))

    def forward(self, x):
        return self.layers(x)

def build(recipe, channels, bands):
    return Net(recipe.decoder_dropout, channels, bands)
"""


def _filled(tmp_path: Path, architecture: str, bands: int, encoder: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Fill an architecture's encoder from a file of another one of its kind; return the file's first convolution."""
    generator = torch.Generator().manual_seed(3)
    file = {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in encoder.state_dict().items()
    }
    save_file(file, tmp_path / "model.safetensors")
    weights = Weights(
        kind="imagenet", needs=get_architecture(architecture).needs, path=str(tmp_path / "model.safetensors")
    )
    model = build_model(Recipe(architecture=architecture), weights, bands=bands)
    assert model.encoder is not None
    return file[_first(encoder)], model.encoder.state_dict()


def _first(encoder: nn.Module) -> str:
    return next(
        f"{name}.weight"
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == 3
    )


def _smp(name: str) -> nn.Module:
    from segmentation_models_pytorch.encoders import get_encoder

    return get_encoder(name, weights=None)


def test_a_fourth_band_gets_red_s_weights_and_all_are_scaled_by_three_quarters(tmp_path: Path) -> None:
    given, state = _filled(tmp_path, "smp_unet_resnet34", 4, _smp("resnet34"))
    found = state["conv1.weight"]
    assert found.shape == (64, 4, 7, 7)
    assert torch.equal(found, torch.cat([given, given[:, :1]], dim=1) * 0.75)


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [
        ("smp_unet_resnet34", "resnet34"),
        ("smp_deeplabv3plus_resnet34", "resnet34"),
        ("resnet34_unet", "resnet34"),
        ("segformer_b0", "mit_b0"),
        ("smp:Unet/mobileone_s0", "mobileone_s0"),
    ],
)
def test_the_first_convolution_of_smp_s_encoders_is_timm_s(
    tmp_path: Path, architecture: str, encoder: str, bands: int
) -> None:
    plain = _smp(encoder)
    given, state = _filled(tmp_path, architecture, bands, plain)
    first = _first(plain)
    assert torch.allclose(state[first], adapt_input_conv(bands, given), rtol=1e-6)
    assert sum(value.ndim == 4 and value.shape[1] == 3 and "dw" not in name for name, value in state.items()) == 0


def test_timm_s_own_files_fill_wider_encoders(tmp_path: Path) -> None:
    import timm

    given, state = _filled(tmp_path, "smp:Unet/tu-resnet18", 4, timm.create_model("resnet18"))
    assert torch.equal(state["model.conv1.weight"], adapt_input_conv(4, given))


def test_torchvision_s_backbone_and_lite0_follow_the_same_rule(tmp_path: Path) -> None:
    from torchvision.models.segmentation import deeplabv3_resnet50

    backbone = deeplabv3_resnet50(weights=None, weights_backbone=None).backbone
    given, state = _filled(tmp_path, "torchvision_deeplabv3_resnet50", 5, backbone)
    assert torch.allclose(state["conv1.weight"], adapt_input_conv(5, given), rtol=1e-6)
    found = resolve("imagenet-efficientnet-lite0", "available")
    lite0 = torch.load(found.path, weights_only=True)["_conv_stem.weight"]
    model = build_model(Recipe(architecture="smp_unet_efficientnet_lite0"), found, bands=4)
    assert torch.equal(model.encoder.state_dict()["model.conv_stem.weight"], adapt_input_conv(4, lite0))  # type: ignore[union-attr]


def test_three_bands_leave_the_file_s_weights_as_they_are(tmp_path: Path) -> None:
    given, state = _filled(tmp_path, "smp_unet_resnet34", 3, _smp("resnet34"))
    assert torch.equal(state["conv1.weight"], given)


def test_without_weights_the_first_convolution_is_drawn_anew_for_all_bands() -> None:
    weight = build_model(
        Recipe(architecture="smp_unet_resnet34", model_size="tiny"), Weights(kind="random"), bands=4
    ).encoder.state_dict()["model.conv_stem.weight"]  # type: ignore[union-attr]
    assert weight.shape[1] == 4 and not torch.equal(weight[:, 0], weight[:, 3])


def test_a_further_band_is_normalised_with_the_mean_of_the_three() -> None:
    assert statistics_of_bands((0.1, 0.2, 0.6), 5) == pytest.approx([0.1, 0.2, 0.6, 0.3, 0.3])
    assert statistics_of_bands((0.1, 0.2, 0.6), 3) == [0.1, 0.2, 0.6]
    assert statistics_of_bands((0.1, 0.2, 0.6), 1) == pytest.approx([0.3])
    assert statistics_of_bands((0.1, 0.2, 0.6, 0.9), 4) == [0.1, 0.2, 0.6, 0.9]
    model = build_model(Recipe(architecture="unet", model_size="tiny"), Weights(kind="none"), bands=4)
    images = torch.full((1, 4, 16, 16), 0.449)
    images[:, 0] = 0.485
    assert model.prepare(images)[0, :, 0, 0].tolist() == pytest.approx([0, -0.007 / 0.224, 0.043 / 0.225, 0], abs=1e-6)


@pytest.mark.parametrize("architecture", [*ANY_BANDS, "smp:FPN/efficientnet-b0", "smp:DPT/tu-vit_tiny_patch16_224"])
def test_it_keeps_the_contract_with_four_bands(architecture: str) -> None:
    subject = ModelUnderTest(
        entry=get_architecture(architecture), recipe=Recipe(architecture=architecture, model_size="tiny"), bands=4
    )
    assert [one for one in examine(subject, [check for check in CHECKS if check.quick]) if one.fault] == []


@pytest.mark.parametrize("architecture", RGB_ALONE)
def test_sam_refuses_other_bands(architecture: str) -> None:
    recipe = Recipe(architecture=architecture, model_size="tiny")
    with pytest.raises(RecipeError, match=f"{architecture}: its encoder takes three bands, and the images have 4"):
        build_model(recipe, Weights(kind="random"), bands=4)


def test_an_architecture_of_one_s_own_is_told_the_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_TRUSTED", {})
    trust.trust_everything()
    (tmp_path / "wide.py").write_text(WIDE.format(mean=(0.1, 0.2, 0.6)))
    name = f"{tmp_path / 'wide.py'}:build"
    recipe = Recipe(architecture=name, model_size="tiny")
    for bands, mean in ((3, [0.1, 0.2, 0.6]), (4, [0.1, 0.2, 0.6, 0.3])):
        assert verdict(name, 2, recipe, bands) == []
        model = build_model(recipe, Weights(kind="none"), 2, bands=bands)
        assert model.mean.flatten().tolist() == pytest.approx(mean)
        assert model(torch.rand(1, bands, 40, 40)).shape == (1, 2, 40, 40)
    (tmp_path / "wide.py").write_text(WIDE.format(mean=(0.1, 0.2, 0.6, 0.9)))
    model = build_model(recipe, Weights(kind="none"), bands=4)
    assert model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.6, 0.9])
    (fault,) = verdict(name, 2, recipe, 3)
    assert "mean is (0.1, 0.2, 0.6, 0.9); give three numbers, or one per band" in fault


def test_one_of_one_s_own_that_is_not_told_refuses_other_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_TRUSTED", {})
    trust.trust_everything()
    text = WIDE.format(mean=(0.1, 0.2, 0.6)).replace(
        "build(recipe, channels, bands)", "build(recipe, channels, width=3)"
    )
    (tmp_path / "narrow.py").write_text(text.replace("channels, bands)\n", "channels, width)\n"))
    name = f"{tmp_path / 'narrow.py'}:build"
    recipe = Recipe(architecture=name, model_size="tiny")
    (fault,) = verdict(name, 1, recipe, 4)
    assert fault.startswith(f"architecture {name}: takes red, green and blue, and the images have 4 bands; write")
    assert "build(recipe, channels, bands)" in fault and "\n" not in fault
