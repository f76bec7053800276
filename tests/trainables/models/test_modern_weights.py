"""Weights of today's encoders: found, checked, named as what they are, and where they come from if they are missing."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from search_spaces.grids import GRIDS, MODERN
from trainables.errors import RecipeError, WeightsError
from trainables.models import sources
from trainables.models.registry import ARCHITECTURES, build_model, get_architecture
from trainables.models.resolving import resolve, resolve_all
from trainables.models.weights import Weights
from trainables.recipe import Recipe

NAMES = GRIDS[MODERN].architectures
LABELS = {"dinov3": "DINOv3", "sam2": "SAM 2"}


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _timm_file(path: Path, name: str, **settings: object) -> dict[str, Tensor]:
    """Write what timm publishes of a model, with random numbers; return the tensors."""
    import timm

    torch.manual_seed(3)
    tensors = {key: one.clone() for key, one in timm.create_model(name, **settings).state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return tensors


@pytest.mark.parametrize(
    "name", ["dinov3_vit_s_dpt", "dinov3_vit_s_dpt_lora", "sam2_hiera_t_unet", "convnext_tiny_upernet"]
)
def test_a_file_in_the_cache_fills_the_encoder(name: str, nothing_cached: Path) -> None:
    needs = get_architecture(name).needs
    encoder = needs.removeprefix("imagenet:tu-")
    published = _timm_file(nothing_cached / f"{encoder}.safetensors", encoder.partition(".")[0])
    found = resolve(needs, "pretrained", offline=True)
    assert (found.kind, found.path) == ("imagenet", str(nothing_cached / f"{encoder}.safetensors"))
    assert found.label == next((label for part, label in LABELS.items() if part in name), "ImageNet")
    encoder_of = build_model(Recipe(architecture=name), found).encoder
    assert isinstance(encoder_of, nn.Module)
    state = {key: one for key, one in encoder_of.state_dict().items() if ".lora_" not in key}
    theirs = [one for one in state.values() if any(torch.equal(one, other) for other in published.values())]
    assert len(theirs) == len(state)


@pytest.mark.parametrize("name", NAMES)
def test_random_weights_are_never_called_pretrained(name: str) -> None:
    found = resolve(ARCHITECTURES[name].needs, "available")
    assert (found.label, found.path, found.two_stages) == ("random", "", False)
    assert found.licence == "none: random, no foreign weights"


def test_a_file_of_the_hub_s_cache_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = tmp_path / hashlib.sha256(b"whole").hexdigest()
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: str(link))
    needs = ARCHITECTURES["dinov3_vit_s_dpt"].needs
    blob.write_bytes(b"whole")
    assert resolve(needs, "available").sha256 == blob.name
    blob.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=f"checksum is {hashlib.sha256(b'damaged').hexdigest()[:12]}"):
        resolve(needs, "available")


def test_all_that_is_missing_is_one_error_with_a_line_per_file() -> None:
    needs = {name: ARCHITECTURES[name].needs for name in NAMES}
    with pytest.raises(WeightsError) as caught:
        resolve_all(needs, partial(resolve, mode="pretrained", offline=True))
    *files, last = caught.value.faults
    assert len(files) == len(set(needs.values())) and "or start with --weights random" in last
    (line,) = [one for one in files if "vit_small_patch16_dinov3" in one]
    assert "https://huggingface.co/timm/vit_small_patch16_dinov3.lvd1689m/resolve/main/model.safetensors" in line
    assert f"save it as {sources.cache() / 'vit_small_patch16_dinov3.lvd1689m.safetensors'}" in line
    assert "its licence: DINOv3 License" in line and "(for dinov3_vit_s_dpt, dinov3_vit_s_dpt_lora)" in line


def test_a_gated_file_says_how_its_licence_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    class GatedRepoError(Exception):
        pass

    def refuse(*_: object, **__: object) -> str:
        raise GatedRepoError("403 Client Error")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    with pytest.raises(WeightsError, match=r"licence to be accepted; do so at https://hugg.*/timm/vit_small.*hf auth"):
        resolve(ARCHITECTURES["dinov3_vit_s_dpt"].needs, "pretrained")


def test_terms_are_those_that_timm_states() -> None:
    import timm

    for name in NAMES:
        needs = ARCHITECTURES[name].needs
        if needs.startswith("imagenet:tu-"):
            stated = timm.get_pretrained_cfg(needs.removeprefix("imagenet:tu-")).license
            assert sources.source(needs).licence.lower().replace(" ", "-").startswith(stated)


def test_timm_s_name_is_an_encoder_of_an_smp_decoder_under_one_name() -> None:
    entry = get_architecture("smp:FPN/timm:convnext_tiny")
    assert entry == get_architecture("smp:FPN/tu-convnext_tiny")
    assert entry.name == "smp:FPN/tu-convnext_tiny"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "smp:Unet/timm:vit_tiny_patch16_224",
            r"Unet needs features at 1/4, .*; take smp:DPT/tu-vit_tiny",
        ),
        (
            "smp:DeepLabV3Plus/timm:sam2_hiera_tiny",
            r"DeepLabV3Plus dilates its encoder, which .* cannot; take Unet",
        ),
        ("smp:DPT/resnet18", r"smp:DPT/resnet18: SMP does not combine them \(Only Timm encoders"),
    ],
)
def test_an_encoder_without_what_the_decoder_needs_is_refused_in_a_line(name: str, said: str) -> None:
    recipe = Recipe(architecture=get_architecture(name).name)
    with pytest.raises(RecipeError, match=said) as caught:
        build_model(recipe, Weights(kind="random"))
    assert "\n" not in str(caught.value)
