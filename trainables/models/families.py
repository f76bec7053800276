"""Architectures that are named by a pattern instead of listed: SMP's, and installed or written by users."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.errors import RecipeError, nearest
from trainables.models.architecture import OWN, Architecture
from trainables.models.own_names import ENTRY_POINTS, FILE, absolute, file_and_function
from trainables.models.smp_names import LORA, SMP, canonical, parts_of

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel
    from trainables.models.weights import Weights
    from trainables.recipe import Recipe

TRANSFORMERS = ("mit_b", "tu-vit", "tu-swin", "tu-deit", "tu-beit", "tu-maxvit", "tu-eva", "tu-hiera", "tu-tiny_vit")
"""How the names of encoders begin that learn at a transformer's rate."""


def _build_smp(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SegmentationModel:
    from trainables.models.smp_family import build

    return build(recipe, weights, channels, bands)


def _build_own(recipe: Recipe, weights: Weights, channels: int, bands: int) -> SegmentationModel:
    from trainables.models.own import build

    return build(recipe, weights, channels, bands)


@lru_cache
def smp_architecture(name: str) -> Architecture:
    """Return the entry of ``smp:ARCHITECTURE/ENCODER``, ``timm:NAME`` being an encoder, too.

    Raises:
        RecipeError: SMP has no such architecture or encoder, or the encoder cannot be adapted by LoRA.
    """
    from trainables.models.smp_family import check_names

    architecture, encoder, lora = parts_of(canonical(name))
    if not architecture or not encoder:
        raise RecipeError(
            f"architecture {name!r}: give smp:ARCHITECTURE/ENCODER; like smp:UnetPlusPlus/efficientnet-b3"
        )
    check_names(name, architecture, encoder)
    entry = _smp_entry(canonical(name))
    if lora and not entry.transformer:
        raise RecipeError(
            f"architecture {name}: LoRA adapts the attention of a vision transformer, and {encoder} has none; leave "
            f"{LORA} out"
        )
    return entry


def _smp_entry(name: str) -> Architecture:
    architecture, encoder, lora = parts_of(name)
    return Architecture(
        name=name,
        title=f"SMP {architecture} + {encoder}{' with LoRA' * lora}",
        track="cnn",
        needs="imagenet-resnet34" if encoder == "resnet34" else f"imagenet:{encoder}",
        factory=_build_smp,
        transformer=encoder.startswith(TRANSFORMERS),
        lora=lora,
        staged=architecture == "Unet",
        changes={"frozen_epochs": 0} if lora else {},
    )


def file_architecture(name: str) -> Architecture:
    """Return the entry of ``FILE.py:FUNCTION``; the function is ``build`` where none is named.

    The file itself is read when the model is built.

    Raises:
        RecipeError: A relative name of a file that does not exist.
    """
    path, function = file_and_function(name)
    return _file_entry(absolute(path, name), function)


def _file_entry(path: Path, function: str) -> Architecture:
    return Architecture(
        name=f"{path}:{function}",
        title=path.stem if function == "build" else f"{path.stem} {function}",
        track="cnn",
        needs=f"{OWN}:{path}:{function}",
        factory=_build_own,
    )


@lru_cache
def installed() -> dict[str, Architecture]:
    """Return the architectures that installed packages register, by name."""
    from importlib.metadata import entry_points

    return {point.name: _package_entry(point.name) for point in entry_points(group=ENTRY_POINTS)}


def _package_entry(name: str) -> Architecture:
    return Architecture(name=name, title=name, track="cnn", needs=f"{OWN}:{name}", factory=_build_own)


def described(name: str) -> Architecture:
    """Return what a record's name of an architecture that is not built in says, without a look whether it exists.

    Nothing is imported and no file is looked for, so that tables can be made of anybody's records.
    """
    if name.startswith(SMP):
        return _smp_entry(canonical(name))
    if FILE.fullmatch(name):
        return _file_entry(*file_and_function(name))
    return _package_entry(name)


def find(name: str) -> Architecture | None:
    """Return the entry of a name that no built-in has; None for one that means nothing.

    Raises:
        RecipeError: The name follows a pattern, but what it names does not exist.
    """
    if name.startswith(SMP):
        return smp_architecture(name)
    if FILE.fullmatch(name):
        return file_architecture(name)
    return installed().get(name)


def unknown(name: str, known: tuple[str, ...]) -> RecipeError:
    """Return the error for a name that means nothing."""
    return RecipeError(
        f"architecture {name!r} does not exist (--architectures); {nearest(name, (*known, *installed()))}, "
        f"smp:ARCHITECTURE/ENCODER, probe:ARCHITECTURE, or a file of your own: my_models.py:build"
    )
