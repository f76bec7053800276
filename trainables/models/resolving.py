"""Finding pretrained weights on this machine, downloading them if allowed, and checking that they are whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from trainables.errors import WeightsError
from trainables.models.sources import SAM_SHA256, hub_sha256, source
from trainables.models.weights import Mode, Needs, Weights, how_to_get, load_tensors

SAM_WIDTHS = {768: "ViT-B", 1024: "ViT-L", 1280: "ViT-H"}


def resolve(
    needs: Needs,
    mode: Mode,
    *,
    model_size: str = "full",
    sam_checkpoint: Path | None = None,
    sam_sha256: str = SAM_SHA256,
    offline: bool = False,
    sha256: str = "",
) -> Weights:
    """Find, and if allowed download, the weights that an architecture needs.

    Args:
        needs: What it needs.
        mode: ``pretrained`` finds or downloads; ``available`` takes what is on disk, else random; ``random``.
        model_size: Tiny stand-ins take no pretrained weights.
        sam_checkpoint: SAM's file; None looks at ``$TILESWEEP_SAM_CHECKPOINT`` and then in the cache.
        sam_sha256: Digest that SAM's file must have: the official one, or that of a fine-tuned ViT-B.
        offline: Never download.
        sha256: Digest that the file must have beyond what its publisher says; empty for none.

    Returns:
        The weights, checked by checksum where one is known.

    Raises:
        WeightsError: They cannot be had, or the file named is not what it should be.
    """
    if needs == "none":
        return Weights(kind="none")
    if needs.startswith("own:"):
        from trainables.models.own import comes_pretrained

        pretrained = comes_pretrained(needs.removeprefix("own:"), model_size)
        return Weights(kind="own" if pretrained else "none", needs=needs)
    if mode == "random" or model_size == "tiny":
        return Weights(kind="random", needs=needs)
    origin = source(needs)
    is_sam = needs == "sam-vit-b"
    path = _named_file(needs, sam_checkpoint if is_sam else None) or origin.find(mode == "pretrained" and not offline)
    if path is None:
        if mode == "available":
            return Weights(kind="random", needs=needs)
        raise WeightsError(f"{needs}: no weights on this machine; {how_to_get(needs)}")
    kind: Literal["imagenet", "sam"] = "sam" if origin.kind == "sam" else "imagenet"
    found = Weights(kind=kind, needs=needs, path=str(path.resolve()), sha256=_digest(path))
    if is_sam:
        _check_sam(found)
    expected = sam_sha256 if is_sam else sha256 or origin.sha256 or hub_sha256(path)
    if not found.sha256.startswith(expected.lower()):
        raise found.wrong(f"checksum is {found.sha256[:12]}..., expected {expected[:12]}...")
    return found


def resolve_all(needs: Mapping[str, Needs], find: Callable[[Needs], Weights]) -> dict[str, Weights]:
    """Resolve the weights of several architectures by ``resolve``, whose other arguments ``find`` knows.

    Returns:
        Architecture name to weights.

    Raises:
        WeightsError: One error that lists everything that is missing and how to get it, a line each.
    """
    resolved: dict[Needs, Weights] = {}
    faults: list[str] = []
    for need in dict.fromkeys(needs.values()):
        try:
            resolved[need] = find(need)
        except WeightsError as error:
            users = ", ".join(name for name, wanted in needs.items() if wanted == need)
            faults += [f"--weights: {fault} (for {users})" for fault in error.faults]
    if faults:
        raise WeightsError([*faults, "--weights: bring what is missing here, or start with --weights random"])
    return {name: resolved[need] for name, need in needs.items()}


def on_this_node(weights: Weights) -> Weights:
    """Return weights whose file is here: the same, or found or fetched again on a node that lacks it."""
    if Path(weights.path).exists():
        return weights
    return resolve(weights.needs, "pretrained", sam_sha256=weights.sha256, sha256=weights.sha256)


def _check_sam(weights: Weights) -> None:
    """Refuse another SAM than ViT-B by name, before the checksum says merely that something is wrong."""
    patches = load_tensors(weights).get("image_encoder.patch_embed.proj.weight")
    if patches is None:
        raise weights.wrong("has no SAM image encoder")
    kind = SAM_WIDTHS.get(patches.shape[0], f"an encoder of width {patches.shape[0]}")
    if kind != "ViT-B":
        raise weights.wrong(f"is SAM {kind}; SAM ViT-B is needed")


def _named_file(needs: Needs, named: Path | None) -> Path | None:
    """Return the file that a flag or an environment variable names; None where neither does."""
    origin = source(needs)
    variable = os.environ.get(origin.variable) if origin.variable else None
    chosen = named or (Path(variable) if variable else None)
    if chosen is not None and not chosen.is_file():
        asked = "--sam-checkpoint" if named else origin.variable
        raise WeightsError(f"{asked} {chosen}: no such file; {how_to_get(needs)}")
    return chosen


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
