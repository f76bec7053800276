"""Pretrained weights of the further kinds, loaded from files with the real ones' names and shapes."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from trainables.errors import WeightsError
from trainables.models import mobile_sam, sources
from trainables.models.registry import ARCHITECTURES, build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.models.weights import Weights, load_tensors
from trainables.recipe import Recipe


@pytest.fixture(autouse=True)
def _no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)


def _random(shapes: dict[str, Tensor], seed: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=generator) if tensor.is_floating_point() else torch.zeros_like(tensor)
        for name, tensor in shapes.items()
    }


def _encoder_state(name: str, weights: Weights) -> dict[str, Tensor]:
    encoder = build_model(Recipe(architecture=name), weights).encoder
    assert encoder is not None
    return encoder.state_dict()


def _mobile_sam_names() -> dict[str, tuple[int, ...]]:
    """What ``mobile_sam.pt`` holds of the image encoder, as TinyViT's own code names it."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, out: int, into: int, side: int) -> None:
        shapes[f"{name}.c.weight"] = (out, into, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{part}"] = (out,)
        shapes[f"{name}.bn.num_batches_tracked"] = ()

    def linear(name: str, out: int, into: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, into), (out,)

    def norm(name: str, width: int) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)

    convolution("patch_embed.seq.0", 32, 3, 3)
    convolution("patch_embed.seq.2", 64, 32, 3)
    for block in range(2):
        convolution(f"layers.0.blocks.{block}.conv1", 256, 64, 1)
        convolution(f"layers.0.blocks.{block}.conv2", 256, 1, 3)
        convolution(f"layers.0.blocks.{block}.conv3", 64, 256, 1)
    widths, heads, windows = (64, 128, 160, 320), (2, 4, 5, 10), (7, 7, 14, 7)
    for stage, (narrow, wide) in enumerate(itertools.pairwise(widths)):
        convolution(f"layers.{stage}.downsample.conv1", wide, narrow, 1)
        convolution(f"layers.{stage}.downsample.conv2", wide, 1, 3)
        convolution(f"layers.{stage}.downsample.conv3", wide, wide, 1)
    for stage, blocks in ((1, 2), (2, 6), (3, 2)):
        width = widths[stage]
        for block in range(blocks):
            name = f"layers.{stage}.blocks.{block}"
            shapes[f"{name}.attn.attention_biases"] = (heads[stage], windows[stage] ** 2)
            norm(f"{name}.attn.norm", width)
            linear(f"{name}.attn.qkv", 3 * width, width)
            linear(f"{name}.attn.proj", width, width)
            norm(f"{name}.mlp.norm", width)
            linear(f"{name}.mlp.fc1", 4 * width, width)
            linear(f"{name}.mlp.fc2", width, 4 * width)
            convolution(f"{name}.local_conv", width, 1, 3)
    norm("norm_head", 320)
    linear("head", 1000, 320)
    shapes["neck.0.weight"], shapes["neck.2.weight"] = (256, 320, 1, 1), (256, 256, 3, 3)
    norm("neck.1", 256)
    norm("neck.3", 256)
    return {f"image_encoder.{name}": shape for name, shape in shapes.items()}


def test_mobile_sam_s_file_fills_timm_s_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {name: torch.zeros(shape) for name, shape in _mobile_sam_names().items()}
    tensors = _random(shapes)
    path = tmp_path / "mobile_sam.pt"
    torch.save({**tensors, "mask_decoder.iou_token.weight": torch.zeros(1, 256)}, path)
    monkeypatch.setenv(sources.MOBILE_SAM_VARIABLE, str(path))
    found = resolve("mobile-sam", "pretrained")
    assert (found.label, found.sha256) == ("MobileSAM", hashlib.sha256(path.read_bytes()).hexdigest())
    state = _encoder_state("mobile_sam_conv", found)
    assert torch.equal(
        state["stages.3.downsample.conv2.conv.weight"], tensors["image_encoder.layers.2.downsample.conv2.c.weight"]
    )
    used = {mobile_sam.renamed(name) for name in tensors} & state.keys()
    assert used == state.keys()  # nothing stays random
    left = {name for name in tensors if mobile_sam.renamed(name) not in state}
    assert {name.split(".")[1] for name in left} == {"norm_head", "head"}


def test_mobile_sam_s_file_must_be_the_one_that_was_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.pt"
    torch.save({"image_encoder.neck.0.weight": torch.zeros(1)}, path)
    monkeypatch.setenv(sources.MOBILE_SAM_VARIABLE, str(path))
    with pytest.raises(WeightsError, match=r"checksum is .*, expected abcd"):
        resolve("mobile-sam", "pretrained", sha256="abcd")
    found = resolve("mobile-sam", "pretrained")
    with pytest.raises(WeightsError, match="file of another model"):
        build_model(Recipe(architecture="mobile_sam_conv"), found)
    monkeypatch.setenv(sources.MOBILE_SAM_VARIABLE, str(tmp_path / "gone.pt"))
    with pytest.raises(WeightsError, match=rf"{sources.MOBILE_SAM_VARIABLE} .*no such file"):
        resolve("mobile-sam", "pretrained")


def test_without_a_file_mobile_sam_is_random_or_refused() -> None:
    assert resolve("mobile-sam", "available").label == "random"
    with pytest.raises(WeightsError, match=r"no weights on this machine; get .*mobile_sam\.pt"):
        resolve("mobile-sam", "pretrained")


def test_mobile_sam_s_last_stage_stays_at_a_sixteenth() -> None:
    encoder = mobile_sam.build_encoder(Weights(kind="random"), tiny=True).eval()
    with torch.no_grad():
        assert encoder(torch.rand(1, 3, 96, 64)).shape == (1, 32, 6, 4)


def test_sam_2_s_file_fills_its_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sam2")
    from sam2.build_sam import build_sam2

    # The names are those of the library's own model, as its own configuration builds it.
    whole = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu").state_dict()
    tensors = {name: tensor for name, tensor in _random(whole).items() if name.startswith("image_encoder.")}
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": tensors}, path)
    monkeypatch.setenv(sources.SAM2_VARIABLE, str(path))
    found = resolve("sam2-hiera-t", "available")
    assert found.label == "SAM 2"
    state = _encoder_state("sam2_hiera_t_conv", found)
    assert {f"image_encoder.{name}" for name in state} == tensors.keys()
    assert all(torch.equal(value, tensors[f"image_encoder.{name}"]) for name, value in state.items())


def test_the_address_of_resnet50_is_torchvision_s() -> None:
    from torchvision.models import ResNet50_Weights

    assert ResNet50_Weights.IMAGENET1K_V1.url == sources.RESNET50_URL


def test_torchvision_s_resnet50_fills_its_deeplab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import resnet50

    tensors = _random(resnet50().state_dict())
    path = tmp_path / "torch" / "hub" / "checkpoints" / "resnet50-0676ba61.pth"
    path.parent.mkdir(parents=True)
    torch.save(tensors, path)
    with pytest.raises(WeightsError, match="checksum"):  # not the published file, and so not its name's checksum
        resolve("imagenet-resnet50", "available")
    given = Weights(kind="imagenet", needs="imagenet-resnet50", path=str(path), sha256="x")
    state = _encoder_state("torchvision_deeplabv3_resnet50", given)
    assert all(torch.equal(value, tensors[name]) for name, value in state.items())
    assert set(tensors) - set(state) == {"fc.weight", "fc.bias"}


def test_a_failed_download_of_resnet50_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError, match=r"download failed \(network is unreachable\)"):
        resolve("imagenet-resnet50", "pretrained")
    with pytest.raises(WeightsError, match="no weights on this machine"):
        resolve("imagenet-resnet50", "pretrained", offline=True)


@pytest.mark.parametrize("name", ["segformer_b0", "smp:Unet/efficientnet-b0", "smp:FPN/mit_b0", "smp:Unet/vgg11_bn"])
def test_smp_s_files_fill_its_encoders(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segmentation_models_pytorch.encoders import encoders, get_encoder

    needs = get_architecture(name).needs
    encoder = needs.removeprefix("imagenet:")
    settings = encoders[encoder]["pretrained_settings"]["imagenet"]
    tensors = _random(get_encoder(encoder, weights=None).state_dict())
    save_file(tensors, tmp_path / "blob")  # the hub's cache gives files no suffix
    asked: list[tuple[str, str, str]] = []

    def cached(repository: str, file: str, revision: str) -> str:
        asked.append((repository, file, revision))
        return str(tmp_path / "blob")

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    found = resolve(needs, "available")
    assert asked == [(settings["repo_id"], "model.safetensors", settings["revision"])]
    state = _encoder_state(name, found)
    assert all(torch.equal(value, tensors[key]) for key, value in state.items())
    assert "non-commercial" in found.licence
    with pytest.raises(WeightsError, match="does not fit the encoder"):
        build_model(Recipe(architecture="smp:Unet/resnet18"), found)


def test_timm_s_files_fill_its_encoders_under_timm_s_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    whole = _random(timm.create_model("mobilenetv3_small_050").state_dict())
    save_file(whole, tmp_path / "blob")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: str(tmp_path / "blob"))
    name = "smp:Unet/tu-mobilenetv3_small_050"
    state = _encoder_state(name, resolve(get_architecture(name).needs, "available"))
    assert torch.equal(state["model.conv_stem.weight"], whole["conv_stem.weight"])
    assert sum(any(torch.equal(value, one) for one in whole.values()) for value in state.values()) == len(state)


def test_an_encoder_without_published_weights_says_so() -> None:
    with pytest.raises(WeightsError, match="no weights are published"):
        sources.published("tu-no_such_model")


def test_mean_and_deviation_do_not_depend_on_the_file() -> None:
    model = build_model(Recipe(architecture="smp:Unet/xception"), Weights(kind="random"))
    assert model.mean.flatten().tolist() == [0.5] * 3
    model = build_model(Recipe(architecture="smp:Unet/tu-tf_efficientnet_lite0"), Weights(kind="random"))
    assert model.mean.flatten().tolist() == [0.5] * 3


def test_every_kind_says_its_licence_and_how_to_get_it() -> None:
    for entry in ARCHITECTURES.values():
        if entry.needs != "none":
            origin = sources.source(entry.needs)
            assert origin.licence and origin.how_to_get and "\n" not in origin.licence + origin.how_to_get
    assert "unknown, see https://huggingface.co/timm/resnet18" in sources.source("imagenet:tu-resnet18").licence


def test_lora_starts_from_sam_s_weights(tmp_path: Path) -> None:
    from trainables.models.sam_encoder import build_encoder

    tensors = _random(build_encoder(Weights(kind="random"), tiny=False).state_dict())
    path = tmp_path / "sam.pth"
    torch.save({f"image_encoder.{name}": value for name, value in tensors.items()}, path)
    given = Weights(kind="sam", needs="sam-vit-b", path=str(path), sha256="x")
    state = _encoder_state("sam_vit_b_unet_lora", given)
    assert torch.equal(state["blocks.3.attn.qkv.base_layer.weight"], tensors["blocks.3.attn.qkv.weight"])
    assert load_tensors(given).keys() == {f"image_encoder.{name}" for name in tensors}
