"""``probe:ARCHITECTURE``: a classifier of single pixels on its frozen encoder, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.errors import RecipeError
from trainables.models.architecture import Architecture
from trainables.models.base import SegmentationModel
from trainables.models.encoder_cache import keep
from trainables.models.encoder_decoder import OnFixedEncoder
from trainables.models.weights import Weights
from trainables.probes.density import DIRECTIONS, PROTOTYPES, UNUSED, Density
from trainables.probes.ridge import Ridge
from trainables.recipe import Recipe


class ProbeModel(OnFixedEncoder):
    """One linear map from the features of all levels, or densities over prototypes among them, a pixel at a time.

    A level's part is computed where the level is, and then enlarged: a linear map of features that were interpolated
    to full resolution is the same as what it makes of them, interpolated.

    Args:
        host: Whose encoder it stands on.
        depths: Features of each level, the normalised image itself first.
        channels: Logits per pixel.
    """

    def __init__(self, host: SegmentationModel, depths: Sequence[int], channels: int) -> None:
        super().__init__(**host.preparation)
        assert host.encoder is not None
        self.encoder: nn.Module = host.encoder
        self._kind = type(host)
        self.fix_encoder()  # which there was none of before
        self.ridge = _Linear(depths, channels)
        self.directions = _Linear(depths, DIRECTIONS)
        self.prototypes = nn.Parameter(torch.zeros(max(2, channels), PROTOTYPES[-1], DIRECTIONS))
        self.log_weights = nn.Parameter(torch.full((max(2, channels), PROTOTYPES[-1]), UNUSED))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.temperature = nn.Parameter(torch.ones(()))
        self.takes_density = nn.Parameter(torch.zeros(()))
        self._density = False
        self.register_load_state_dict_post_hook(lambda *_: self._look())  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        """Note what was loaded: a graph takes one way, and does not ask a tensor which."""
        self._density = not self.takes_density.is_meta and bool(self.takes_density > 0)

    @property
    def fitted_numbers(self) -> int:
        """How many numbers were fitted, of the way that is taken."""
        density = [*self.directions.parameters(), self.prototypes, self.log_weights]
        return sum(one.numel() for one in (density if self._density else self.ridge.parameters()))

    @property
    def method(self) -> str:
        """How a pixel is classified."""
        return "density" if self._density else "ridge"

    @property
    def kind(self) -> type[SegmentationModel]:
        """The host's class."""
        return self._kind

    @property
    def features_key(self) -> str:
        """What the maps are: those of the host's kind of encoder."""
        return self._kind.feature_maps_key()

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return the encoder's maps of normalised (B, N, H, W) inputs: each (B, C, h, w)."""
        with torch.no_grad():
            return self._kind.feature_maps(self.encoder, inputs)

    def levels(self, images: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
        """Return what a pixel's features are interpolated from.

        Args:
            images: (B, N, H, W) float in [0, 1].
            features: What ``encode`` made of them.
        """
        return [self.prepare(images), *features]

    def decode(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Map normalised (B, N, H, W) inputs and the encoder's maps to (B, C, H, W)."""
        maps = [inputs, *features]
        scores = self._densities(self.directions(maps)) if self._density else self.ridge(maps)
        return (scores.float() + self.offset.view(1, -1, 1, 1)) / self.temperature

    def _densities(self, directions: Tensor) -> Tensor:
        """Return (B, C, H, W) logarithms of the classes' densities; of a binary task (B, 1, H, W), of their ratio."""
        units = F.normalize(directions.float(), dim=1)
        each = [
            (F.conv2d(units, places[..., None, None]) + logs.view(1, -1, 1, 1)).logsumexp(1, keepdim=True)
            for places, logs in zip(self.prototypes, self.log_weights, strict=True)
        ]
        return each[1] - each[0] if self.offset.numel() == 1 else torch.cat(each, dim=1)

    @torch.no_grad()
    def take(self, fitted: Ridge | Density) -> None:
        """Take over what was fitted to samples of ``levels``."""
        self.takes_density.fill_(float(isinstance(fitted, Density)))
        self.offset.copy_(fitted.decision.offset)
        self.temperature.fill_(fitted.decision.temperature)
        if isinstance(fitted, Density):
            self.directions.take(fitted.weight, fitted.bias)
            self.prototypes.copy_(fitted.prototypes)
            self.log_weights.copy_(fitted.log_weights)
        else:
            self.ridge.take(fitted.weight, fitted.bias)
        self._look()


class _Linear(nn.Module):
    """A linear map of what all levels have at a pixel, a convolution for each level."""

    def __init__(self, depths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.Conv2d(depth, channels, 1, bias=False) for depth in depths])
        self.bias = nn.Parameter(torch.zeros(channels))
        for part in self.parts:
            nn.init.zeros_(cast("Tensor", part.weight))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map (B, C, h, w) each, the first one at full resolution, to (B, channels, H, W)."""
        total = self.parts[0](maps[0]) + self.bias.view(1, -1, 1, 1)
        for part, level in zip(list(self.parts)[1:], maps[1:], strict=True):
            total = total + F.interpolate(part(level), total.shape[-2:], mode="bilinear", align_corners=False)
        result: Tensor = total
        return result

    @torch.no_grad()
    def take(self, weight: Tensor, bias: Tensor) -> None:
        """Take over (channels, D) weights and (channels,) biases."""
        of_parts = torch.split(weight, [cast("Any", part).in_channels for part in self.parts], dim=1)
        for part, own in zip(self.parts, of_parts, strict=True):
            cast("Tensor", part.weight).copy_(own[..., None, None])
        self.bias.copy_(bias)


def _host(host: Architecture, recipe: Recipe, weights: Weights, bands: int) -> SegmentationModel:
    """Return a model with the encoder, the same one for the probes that follow each other in a process."""

    def build_host() -> SegmentationModel:
        return host.build(recipe, weights, bands=bands).eval()

    if host.fixed_encoder:
        return build_host()  # which keeps its encoder itself
    key = (host.name, weights, recipe.model_size, recipe.seed, bands, str(torch.get_default_device()))
    return cast("SegmentationModel", keep(key, build_host, seed=recipe.seed))


def build(host: Architecture, recipe: Recipe, weights: Weights, channels: int, bands: int) -> ProbeModel:
    """Build the probe of an architecture's encoder, which is the one that a trial of that architecture begins with.

    Raises:
        RecipeError: It has no encoder, or one that gives no feature maps.
    """
    model = _host(host, recipe.replace(architecture=host.name), weights, bands)
    if model.encoder is None:
        raise RecipeError(f"architecture {recipe.architecture}: {host.name} has no encoder of its own to probe")
    side = model.stride * max(1, -(-64 // model.stride))
    try:
        with torch.no_grad():
            maps = type(model).feature_maps(model.encoder, torch.zeros(1, bands, side, side))
        depths = [bands, *(one.shape[1] for one in maps)]
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise RecipeError(
            f"architecture {recipe.architecture}: the encoder of {host.name} gives no maps of features ({error}); "
            "leave it out"
        ) from error
    return ProbeModel(model, depths, channels)
