"""An architecture that a user wrote, as a ``SegmentationModel``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainables.errors import RecipeError, WeightsError
from trainables.models.bands import RGB_BANDS
from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD, SegmentationModel
from trainables.models.own_source import GUIDE, source_of, summary_of
from trainables.models.weights import Weights
from trainables.recipe import Recipe

STRIDE = 32
"""What inputs are padded to, unless the module says otherwise."""


class OwnModel(SegmentationModel):
    """A user's module, which maps normalised (B, N, H, W) to (B, C, h, w) logits.

    Args:
        network: The module. Its optional attributes are ``encoder`` (a submodule), ``mean`` and ``std`` (three numbers
            each, or one per band), ``stride`` and ``auxiliary`` (the weight of the auxiliary outputs' loss).
        name: The architecture's, for messages.
        channels: Logits per pixel.
        bands: Bands of the images, N.
    """

    encoder_prefix = "network.encoder."

    def __init__(self, network: nn.Module, name: str, channels: int, bands: int) -> None:
        mean = _statistics(network, "mean", IMAGENET_MEAN, name, bands)
        std = _statistics(network, "std", IMAGENET_STD, name, bands)
        stride = getattr(network, "stride", STRIDE)
        if type(stride) is not int or stride < 1:
            raise RecipeError(f"architecture {name}: stride is {stride!r}; give a whole number, at least 1")
        super().__init__(mean=mean, std=std, stride=stride, bands=bands)
        self.network = network
        encoder = getattr(network, "encoder", None)
        if encoder is not None and not isinstance(encoder, nn.Module):
            raise RecipeError(f"architecture {name}: encoder is {type(encoder).__name__}; give a submodule, or none")
        object.__setattr__(self, "encoder", encoder)  # not registered again: its tensors have one name each
        self.auxiliary = float(getattr(network, "auxiliary", 0.0))
        self._name = name
        self._channels = channels

    def raw_logits(self, inputs: Tensor) -> Tensor:
        """Map (B, N, H, W) to (B, C, h, w)."""
        return self.raw_logits_with_auxiliary(inputs)[0]

    def raw_logits_with_auxiliary(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Map (B, N, H, W) to (B, C, h, w): the main logits, then auxiliary ones.

        Raises:
            RecipeError: The module returned something else.
        """
        found: Any = self.network(inputs)
        outputs = tuple(found) if isinstance(found, tuple | list) and self.auxiliary else (found,)
        for output in outputs:
            self._check(output, inputs.shape[0])
        return cast("tuple[Tensor, ...]", outputs) if self.auxiliary else outputs[:1]

    def _check(self, output: object, batch: int) -> None:
        if not isinstance(output, Tensor):
            raise RecipeError(
                f"architecture {self._name}: forward returns {type(output).__name__}; return a tensor, {GUIDE}"
            )
        if output.ndim != 4 or output.shape[0] != batch or output.shape[1] != self._channels:
            raise RecipeError(
                f"architecture {self._name}: forward returns the shape {tuple(output.shape)}; return "
                f"({batch}, {self._channels}, h, w) logits"
            )


def build(recipe: Recipe, weights: Weights, channels: int, bands: int) -> OwnModel:
    """Build the model of a user's file or package; ``weights`` only say what its encoder holds.

    The function gets the number of bands if it has a parameter of that name.

    Raises:
        RecipeError: It does not build, or the images have other bands than it can know of.
    """
    name = recipe.architecture
    function = source_of(name).load()
    told = {"bands": bands} if _takes_bands(function) else {}
    if bands != RGB_BANDS and not told:
        raise RecipeError(
            f"architecture {name}: takes red, green and blue, and the images have {bands} bands; write "
            f"build(recipe, channels, bands) and a first layer of so many, {GUIDE}"
        )
    try:
        network = function(recipe, channels, **told)
    except RecipeError:
        raise
    except (Exception, SystemExit) as error:
        raise RecipeError(f"architecture {name}: building it fails ({summary_of(error)}); fix it, {GUIDE}") from error
    if not isinstance(network, nn.Module):
        raise RecipeError(f"architecture {name}: returns {type(network).__name__}; return a torch.nn.Module, {GUIDE}")
    return OwnModel(network, name, channels, bands)


def comes_pretrained(name: str, model_size: str) -> bool:
    """Whether a user's module says that its encoder is pretrained, by ``pretrained = True``.

    Raises:
        WeightsError: It does not build.
    """
    recipe = Recipe(architecture=name, model_size=model_size)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build(recipe, Weights(kind="none"), 1, RGB_BANDS).network
    except RecipeError as error:
        raise WeightsError(str(error)) from error
    pretrained = bool(getattr(network, "pretrained", False))
    if pretrained and getattr(network, "encoder", None) is None:
        raise WeightsError(
            f"architecture {name}: is pretrained but has no encoder; name the pretrained submodule encoder"
        )
    return pretrained


def _takes_bands(function: Callable[..., Any]) -> bool:
    try:
        return "bands" in signature(function).parameters
    except (TypeError, ValueError):  # of what is no Python function
        return False


def _statistics(
    network: nn.Module, attribute: str, default: Sequence[float], name: str, bands: int
) -> tuple[float, ...]:
    value = getattr(network, attribute, default)
    numbers = value.flatten().tolist() if isinstance(value, Tensor) else value
    try:
        found = tuple(float(number) for number in numbers)
    except (TypeError, ValueError):
        found = ()
    if len(found) not in (RGB_BANDS, bands) or (attribute == "std" and min(found) <= 0):
        raise RecipeError(f"architecture {name}: {attribute} is {value!r}; give three numbers, or one per band")
    return found
