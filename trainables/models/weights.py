"""Pretrained weights of one trial: their file, what a result row calls them, and their tensors."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trainables.errors import WeightsError
from trainables.models.sources import source

if TYPE_CHECKING:
    from torch import Tensor, nn

Needs = str
"""``none``, ``own:NAME``, ``imagenet:ENCODER`` or a name that ``trainables.models.sources`` lists."""
Mode = Literal["pretrained", "available", "random"]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Initial encoder weights of one trial, resolved before any trial starts.

    Attributes:
        kind: ``none`` (the architecture has no pretrained encoder), ``random``, ``imagenet``, ``sam``, or ``own``
            (the user's own code fills its encoder).
        needs: What the architecture needs, whether or not it got it.
        path: Absolute path of the file on the driver's machine; empty unless there is one.
        sha256: Hex digest of that file; empty unless there is one.
    """

    kind: Literal["none", "random", "imagenet", "sam", "own"]
    needs: Needs = "none"
    path: str = ""
    sha256: str = ""

    @property
    def label(self) -> str:
        """What a result row says: ``from scratch``, ``random``, ``ImageNet``, ``SAM``, ``own``."""
        if self.kind in ("imagenet", "sam"):
            return source(self.needs).label if self.needs != "none" else {"imagenet": "ImageNet"}.get(self.kind, "SAM")
        return {"none": "from scratch", "random": "random"}.get(self.kind, "own")

    @property
    def two_stages(self) -> bool:
        """Whether they fill an encoder that is frozen first and trained later."""
        return self.kind in ("imagenet", "own")

    @property
    def licence(self) -> str:
        """Terms of the file that the encoder started from; says so where there was none."""
        if self.kind == "own":
            return f"unknown: {self.needs.partition(':')[2]} fills its encoder itself"
        return (
            source(self.needs).licence
            if self.kind in ("imagenet", "sam")
            else f"none: {self.label}, no foreign weights"
        )

    def wrong(self, reason: str) -> WeightsError:
        """Return the error for a file that does not fit."""
        return WeightsError(f"{self.path}: {reason}; {how_to_get(self.needs)}")


def how_to_get(needs: Needs) -> str:
    """Tell how to get the weights of a kind."""
    return "none are needed" if needs == "none" or needs.startswith("own:") else source(needs).how_to_get


def load_tensors(weights: Weights, wanted: Mapping[str, Sequence[int]] | None = None) -> dict[str, Tensor]:
    """Load a file's tensors; nothing in it can run code.

    Args:
        weights: Resolved weights whose file is on this machine.
        wanted: Names and shapes that must be there; None takes all.

    Returns:
        Name to tensor, on the CPU: the wanted ones.

    Raises:
        WeightsError: The file is damaged, or lacks a tensor, or has one of another shape.
    """
    import torch
    from safetensors.torch import load_file

    path = Path(weights.path)
    tensors: Any
    try:
        if path.suffix == ".safetensors" or _is_safetensors(path):
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:
        raise weights.wrong(f"is damaged or no weights file ({type(error).__name__})") from error
    if isinstance(tensors, dict) and isinstance(tensors.get("model"), dict):
        tensors = tensors["model"]
    if not isinstance(tensors, dict):
        raise weights.wrong("holds no named tensors")
    found: dict[str, Tensor] = tensors
    if wanted is None:
        return found
    for name, shape in wanted.items():
        if name not in found:
            raise weights.wrong(f"has no tensor {name!r}: a file of another model")
        if tuple(found[name].shape) != tuple(shape):
            raise weights.wrong(f"tensor {name!r} has shape {tuple(found[name].shape)}, not {tuple(shape)}")
    return {name: found[name] for name in wanted}


def fill(module: nn.Module, weights: Weights, prefix: str = "") -> None:
    """Load a file's tensors, whose names begin with a prefix, into a module; does nothing where there is no file.

    Raises:
        WeightsError: See ``load_tensors``.
    """
    if weights.path:
        wanted = {f"{prefix}{name}": tensor.shape for name, tensor in module.state_dict().items()}
        tensors = load_tensors(weights, wanted)
        module.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})


def _is_safetensors(path: Path) -> bool:
    """Whether a file without that suffix is one: the hub's cache names files by their digests."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"
