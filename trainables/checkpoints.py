"""Checkpoints: the state of a training, and the best weights with all that is needed to use them."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired

from safetensors import SafetensorError, safe_open
from typing_extensions import TypedDict

from trainables.data.imagery import RGB, Imagery
from trainables.documents import SHOWN, DamagedError, parse_json
from trainables.errors import ExperimentError, RecipeError, StorageError, TilesweepError, WeightsError
from trainables.models.registry import build_model, described, source_sha256
from trainables.models.sources import is_known
from trainables.models.weights import Weights
from trainables.owners import scratch_folder
from trainables.recipe import MAX_FOLDS, Recipe
from trainables.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.models.base import SegmentationModel

FORMAT = 1
LARGEST_CROP = 8192
"""Side in pixels of a view that a weights file may name: predictions are made in windows of it."""


@dataclass(frozen=True, kw_only=True)
class BestWeights:
    """What a best-weights file says of itself.

    Attributes:
        recipe: The recipe that trained it.
        weights: What its encoder started from.
        epoch: The epoch that it comes from.
        val_iou: Its val IoU in the epoch's validation, in [0, 1]; of a cross-validation, out of fold over all tiles;
            None of a training on all tiles.
        data_fingerprint: Hash of the train and val tiles.
        encoder_sha256: Hash of the fixed encoder, which the file leaves out; empty where the file is complete.
        task: What it predicts.
        imagery: The bands that it takes, and how their values became bytes.
        source_sha256: Hash of the file that defines an architecture of one's own; empty for the others.
        folds: Names of the tiles that each model of a cross-validation has not seen; the file holds all of them, and
            they predict together. One is the model of a fold by itself; none is a model of no cross-validation.
        fold_epochs: The epoch that each of them comes from; empty where a file does not say.
        refit: Whether it was trained on all labelled tiles, those of val too: there is none that it has not seen.
        metres_per_pixel: Of its tiles; None where nobody has said.
    """

    recipe: Recipe
    weights: Weights
    epoch: int
    val_iou: float | None
    data_fingerprint: str
    encoder_sha256: str = ""
    task: Task = field(default_factory=Task)
    imagery: Imagery = RGB
    source_sha256: str = ""
    folds: tuple[tuple[str, ...], ...] = ()
    fold_epochs: tuple[int, ...] = ()
    refit: bool = False
    metres_per_pixel: float | None = None


class _Metadata(TypedDict):
    """The metadata of a best-weights file; see ``BestWeights``."""

    format: int
    recipe: dict[str, Any]
    weights: Weights
    epoch: int
    val_iou: float | None
    data_fingerprint: str
    encoder_sha256: NotRequired[str]
    task: NotRequired[dict[str, Any]]
    imagery: NotRequired[dict[str, Any]]
    source_sha256: NotRequired[str]
    folds: NotRequired[list[list[str]]]
    fold_epochs: NotRequired[list[int]]
    refit: NotRequired[bool]
    metres_per_pixel: NotRequired[float | None]


def dump_state(state: dict[str, Any]) -> bytes:
    """Serialise plain tensors, numbers and strings."""
    import torch  # here and below: commands that open no checkpoint start without it

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def parse_state(data: bytes, origin: str) -> dict[str, Any]:
    """Read what ``dump_state`` returned, tensors onto the CPU; nothing in it can run code.

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

    values = {"format": FORMAT, **asdict(best), "task": best.task.to_dict(), "imagery": best.imagery.to_dict()}
    metadata = {**(also or {}), "tilesweep": json.dumps(values)}
    return safetensors.torch.save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, metadata)


def read_best(path: Path, origin: str = "") -> BestWeights:
    """Read the description of a best-weights file.

    Args:
        path: The file.
        origin: What the user calls it, for errors; its path where that is empty.

    Raises:
        ExperimentError: Not a best-weights file, or one of a newer version.
    """
    origin = origin or str(path)
    try:
        with safe_open(path, framework="pt") as file:
            values = parse_json((file.metadata() or {})["tilesweep"], _Metadata)
        if values["format"] > FORMAT:
            raise ExperimentError(f"{origin}: written by a newer tilesweep; update tilesweep")
        best = BestWeights(
            recipe=Recipe.from_dict(values["recipe"]),
            weights=values["weights"],
            epoch=values["epoch"],
            val_iou=values["val_iou"],
            data_fingerprint=values["data_fingerprint"],
            encoder_sha256=values.get("encoder_sha256", ""),
            task=Task.from_dict(values["task"]) if "task" in values else Task(),
            imagery=Imagery.from_dict(values.get("imagery", {})),
            source_sha256=values.get("source_sha256", ""),
            folds=tuple(map(tuple, values.get("folds", ()))),
            fold_epochs=tuple(values.get("fold_epochs", ())),
            refit=values.get("refit", False),
            metres_per_pixel=values.get("metres_per_pixel"),
        )
        _check(best)
        return best
    except ExperimentError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, TilesweepError) as error:
        raise ExperimentError(f"{origin}: not a tilesweep weights file ({error}); train the attempt again") from error


def _check(best: BestWeights) -> None:
    """Refuse what no training writes.

    Raises:
        DamagedError: As said.
    """
    if best.recipe.crop_size > LARGEST_CROP:
        raise DamagedError(f"recipe.crop_size is {best.recipe.crop_size}; at most {LARGEST_CROP} is possible")
    if len(best.folds) > MAX_FOLDS:
        raise DamagedError(f"it names {len(best.folds)} folds; at most {MAX_FOLDS} are possible")
    if best.metres_per_pixel is not None and not 0 < best.metres_per_pixel < math.inf:
        raise DamagedError(f"metres_per_pixel is {best.metres_per_pixel}, and must be more than 0")
    if best.fold_epochs and len(best.fold_epochs) != len(best.folds):
        raise DamagedError(f"it names {len(best.folds)} folds, but epochs of {len(best.fold_epochs)}")
    needs = best.weights.needs
    entry = described(best.recipe.architecture)
    own = entry.own and needs == entry.needs and best.weights.kind in ("own", "none")
    if not is_known(needs) and not own:
        raise DamagedError(f"weights.needs is {needs[:SHOWN]!r}, which {entry.title[:SHOWN]!r} has no use for")


def load_best(path: Path, origin: str = "") -> tuple[SegmentationModel, BestWeights]:
    """Rebuild the model of a best-weights file, in evaluation mode on the CPU.

    Args:
        path: The file.
        origin: What the user calls it, for errors; its path where that is empty.

    Raises:
        ExperimentError: The file is damaged, does not fit what it says of itself, or holds numbers that are not finite.
        RecipeError: It names code that the user has not allowed; see ``trainables.models.trust``.
        WeightsError: Its fixed encoder cannot be rebuilt as it was.
    """
    from trainables.models.encoder_cache import release

    origin = origin or str(path)
    best = read_best(path, origin)
    name = best.recipe.architecture
    try:
        changed = source_sha256(name) != best.source_sha256
    except RecipeError as error:
        raise RecipeError(f"{origin}: {error}") from error
    if changed:
        raise ExperimentError(
            f"{origin}: {name} is not the file that these weights were trained with; bring that one back"
        )
    try:
        model = _rebuild(best, origin)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _require_finite(tensors, {one for one, _ in model.named_parameters()}, origin)
        model.load_portable_state_dict(tensors)
    except RecipeError as error:
        raise RecipeError(f"{origin}: {error}") from error
    except (RuntimeError, ValueError, KeyError, TypeError, MemoryError, OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ExperimentError(
            f"{origin}: its tensors do not fit what it says of itself ({reason}); train the attempt again"
        ) from error
    if not best.encoder_sha256:
        release()  # a fixed encoder's tensors have just been replaced: nobody else is to have it
    return model.eval(), best


def _rebuild(best: BestWeights, origin: str) -> SegmentationModel:
    """Build the model, or the folds' models, that a file's tensors belong to."""
    model = _rebuild_one(best, origin)
    if len(best.folds) < 2:
        return model
    from trainables.models.fold_ensemble import FoldEnsemble

    members = [model]
    for _ in best.folds[1:]:
        members.append(_rebuild_one(best, origin))
        if model.encoder_is_fixed:
            members[-1].encoder = model.encoder
    return FoldEnsemble(members)


def _rebuild_one(best: BestWeights, origin: str) -> SegmentationModel:
    from trainables.models.base import encoder_fingerprint
    from trainables.models.encoder_cache import release
    from trainables.models.resolving import on_this_node

    bands = len(best.imagery.bands)
    if not best.encoder_sha256:  # the file holds every tensor, so what they started from is not needed
        release()
        return build_model(best.recipe, replace(best.weights, path=""), best.task.channels, bands=bands)
    model = build_model(best.recipe, on_this_node(best.weights), best.task.channels, bands=bands)
    if encoder_fingerprint(model) != best.encoder_sha256:
        raise WeightsError(
            f"{origin}: its frozen encoder ({best.weights.label}) cannot be rebuilt on this machine; "
            f"use it where it was trained, or with the same weights file and torch version"
        )
    return model


def _require_finite(tensors: Mapping[str, Tensor], parameters: Iterable[str], origin: str) -> None:
    """Refuse weights that predict nothing: NaN anywhere, or a parameter that is infinite.

    Raises:
        ExperimentError: As said.
    """
    trained = set(parameters)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        if not bool(tensor.isfinite().all()) and (name in trained or bool(tensor.isnan().any())):
            raise ExperimentError(
                f"{origin}: tensor {name} holds numbers that are not finite, so it predicts nothing; "
                f"train the attempt again"
            )


def read_best_bytes(data: bytes, origin: str = "") -> BestWeights:
    """Read the description in a best-weights file's content; see ``read_best``.

    Raises:
        StorageError: The folder of temporary files has no room for it.
    """
    with _as_file(data) as path:
        return read_best(path, origin)


def load_best_bytes(data: bytes, origin: str = "") -> tuple[SegmentationModel, BestWeights]:
    """Rebuild the model of a best-weights file's content; see ``load_best``.

    Raises:
        StorageError: The folder of temporary files has no room for it.
    """
    with _as_file(data) as path:
        return load_best(path, origin)


@contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    with scratch_folder() as folder:
        path = folder / "best.safetensors"
        try:
            path.write_bytes(data)
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be written ({error.strerror}); make room there, or name another folder by TMPDIR"
            ) from error
        yield path
