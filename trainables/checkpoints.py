"""Checkpoints: the state of a training, and the best weights with all that is needed to use them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from trainables.errors import ExperimentError, StorageError, TilesweepError, WeightsError
from trainables.models.registry import build_model, source_sha256
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.models.base import SegmentationModel

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
        task: What it predicts.
        source_sha256: Hash of the file that defines an architecture of one's own; empty for the others.
    """

    recipe: Recipe
    weights: Weights
    epoch: int
    val_iou: float
    data_fingerprint: str
    encoder_sha256: str = ""
    task: Task = field(default_factory=Task)
    source_sha256: str = ""


def dump_state(state: dict[str, Any]) -> bytes:
    """Serialise plain tensors, numbers and strings."""
    import torch  # here and below: commands that open no checkpoint start without it

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def parse_state(data: bytes, origin: str) -> dict[str, Any]:
    """Read what ``dump_state`` returned, tensors onto the CPU; nothing in it can run code.

    Args:
        data: The bytes.
        origin: Where they come from, for the error.

    Raises:
        ExperimentError: They are damaged or hold more than tensors, numbers and strings.
    """
    import torch

    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ExperimentError(f"{origin}: not a readable checkpoint ({type(error).__name__}); delete it") from error
    return state


def dump_best(tensors: dict[str, Tensor], best: BestWeights, also: Mapping[str, str] | None = None) -> bytes:
    """Serialise best weights as safetensors, the description as metadata.

    Args:
        tensors: All that a model's portable state holds.
        best: The description.
        also: More metadata, which ``read_best`` does not look at.
    """
    import safetensors.torch

    metadata = {
        **(also or {}),
        "tilesweep": json.dumps({"format": FORMAT, **asdict(best), "task": best.task.to_dict()}),
    }
    return safetensors.torch.save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, metadata)


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
        if "task" in values:
            values["task"] = Task.from_dict(values["task"])
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
    from trainables.models.kept import release

    best = read_best(path)
    name = best.recipe.architecture
    if best.source_sha256 and source_sha256(name) != best.source_sha256:
        raise ExperimentError(f"{path}: {name} has changed since these weights were trained; bring the old file back")
    if best.encoder_sha256:
        model = build_model(best.recipe, best.weights, best.task.channels)
        if encoder_fingerprint(model) != best.encoder_sha256:
            raise WeightsError(
                f"{path}: its frozen encoder ({best.weights.label}) cannot be rebuilt on this machine; "
                f"use it where it was trained, or with the same weights file and torch version"
            )
    else:  # the file holds every tensor, so what they started from is not needed
        release()
        model = build_model(best.recipe, replace(best.weights, path=""), best.task.channels)
    with safe_open(path, framework="pt") as file:
        model.load_portable_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    if not best.encoder_sha256:
        release()  # a fixed encoder's tensors have just been replaced: nobody else is to have it
    return model.eval(), best


def load_best_bytes(data: bytes) -> tuple[SegmentationModel, BestWeights]:
    """Rebuild the model of a best-weights file's content; see ``load_best``.

    Raises:
        StorageError: The folder of temporary files has no room for it.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "best.safetensors"
        try:
            path.write_bytes(data)
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be written ({error.strerror}); make room there, or name another folder by TMPDIR"
            ) from error
        return load_best(path)
