"""Checkpoints: the state of a training, and the best weights with all that is needed to use them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainables.errors import ExperimentError, TilesweepError, WeightsError
from trainables.models.base import SegmentationModel
from trainables.models.registry import build_model
from trainables.models.weights import Weights
from trainables.recipe import Recipe

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class BestWeights:
    """What a best-weights file says of itself.

    Attributes:
        recipe: The recipe that trained it.
        weights: What its encoder started from.
        epoch: The epoch that it comes from.
        val_iou: Its val IoU in the epoch's validation, in [0, 1].
        data_fingerprint: Hash of the train and val tiles.
        encoder_sha256: Hash of the fixed encoder, which the file leaves out; empty where the file is complete.
    """

    recipe: Recipe
    weights: Weights
    epoch: int
    val_iou: float
    data_fingerprint: str
    encoder_sha256: str = ""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old or the new content and nothing between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Save plain tensors and numbers; the file appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    torch.save(state, temporary)
    temporary.replace(path)


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Load what ``save_state`` wrote; nothing in the file can run code.

    Raises:
        ExperimentError: The file is damaged or holds more than tensors and numbers.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise ExperimentError(f"{path}: not a readable checkpoint ({type(error).__name__}); delete it") from error
    return state


def save_best(path: Path, tensors: dict[str, Tensor], best: BestWeights) -> None:
    """Write best weights as safetensors, the description as metadata; whole or not at all."""
    metadata = {"tilesweep": json.dumps({"format": FORMAT, **asdict(best)})}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, temporary, metadata)
    temporary.replace(path)


def read_best(path: Path) -> BestWeights:
    """Read the description of a best-weights file.

    Raises:
        ExperimentError: Not a best-weights file, or one of a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads(file.metadata()["tilesweep"])
        if values.pop("format") > FORMAT:
            raise ExperimentError(f"{path}: written by a newer tilesweep; update tilesweep")
        values["recipe"] = Recipe.from_dict(values["recipe"])
        values["weights"] = Weights(**values["weights"])
        return BestWeights(**values)
    except TilesweepError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ExperimentError(f"{path}: not a tilesweep weights file ({error}); train the attempt again") from error


def load_best(path: Path) -> tuple[SegmentationModel, BestWeights]:
    """Rebuild the model of a best-weights file, in evaluation mode on the CPU.

    Raises:
        ExperimentError: The file is damaged.
        WeightsError: Its fixed encoder cannot be rebuilt as it was.
    """
    from trainables.models.base import encoder_fingerprint

    best = read_best(path)
    model = build_model(best.recipe, best.weights)
    if best.encoder_sha256 and encoder_fingerprint(model) != best.encoder_sha256:
        raise WeightsError(
            f"{path}: its frozen encoder ({best.weights.label}) cannot be rebuilt on this machine; "
            f"score it where it was trained, or with the same weights file and torch version"
        )
    with safe_open(path, framework="pt") as file:
        model.load_portable_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return model.eval(), best
