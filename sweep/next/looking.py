"""What models make of windows: a point in the encoder's space, how unsure they are, and which classes they see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sweep.results.ensemble import Ensemble
from trainables.errors import ExperimentError
from trainables.held_out import fold_models
from trainables.inference import prediction_dtype
from trainables.models.base import SegmentationModel, enlarge
from trainables.models.encoder_decoder import EncoderDecoder, OnFixedEncoder
from trainables.precision import autocast
from trainables.scoring import scale
from trainables.uncertainty import class_probabilities, entropy_share
from trainables.windows import Side, cut_windows

COLOUR_GRID = 4
"""Squares along each side whose colours stand for a window where a model has no encoder."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is kept of a window.

    Attributes:
        features: (D,) float32.
        entropy: Mean over pixels of the entropy of the mean probability, as a share of its largest value.
        disagreement: Mean over pixels of the mutual information between class and model, in the same unit.
        shares: (C,) float32: predicted share of each class.
    """

    features: NDArray[np.float32]
    entropy: float
    disagreement: float
    shares: NDArray[np.float32]


class Looker:
    """Looks at windows with the members of an ensemble: its models, of a cross-validation those of all folds.

    Args:
        ensemble: On its device.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._members = [member for one in ensemble.loaded for member, _ in fold_models(*one)]
        self._device = ensemble.device
        self._dtype = prediction_dtype(ensemble.best.recipe, ensemble.device)
        self._window = ensemble.window
        self._batch = ensemble.batch_size
        self._name = ensemble.names[0]

    @property
    def members(self) -> int:
        """How many models are asked."""
        return len(self._members)

    def look(self, windows: Iterable[tuple[Any, NDArray[np.uint8], NDArray[np.bool_]]]) -> Iterator[tuple[Any, Look]]:
        """Look at windows, a batch of equally large ones at a time.

        Args:
            windows: A key, its (N, H, W) uint8 bands, and (H, W) which pixels hold anything.

        Raises:
            ExperimentError: What a model computes is not a number.
        """
        waiting: list[tuple[Any, Tensor, Tensor]] = []
        for key, image, valid in windows:
            parts = self._parts(image, valid)
            if waiting and (waiting[0][1].shape[1:] != parts[0].shape[1:] or len(waiting) * len(parts[0]) > self._most):
                yield from self._look_at(waiting)
                waiting = []
            waiting.append((key, *parts))
        if waiting:
            yield from self._look_at(waiting)

    @property
    def _most(self) -> int:
        """Parts of a model's size that wait for each other."""
        return 4 * self._batch

    def _parts(self, image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Cut a window into parts of the size that the models were trained on: (P, N, S, S) and (P, S, S)."""
        sides = [Side.of(length, self._window) for length in valid.shape]
        images = torch.stack(list(cut_windows(torch.from_numpy(image), *sides)))
        known = torch.stack(list(cut_windows(torch.from_numpy(valid)[None], *sides)))[:, 0]
        return images, known

    def _look_at(self, waiting: Sequence[tuple[Any, Tensor, Tensor]]) -> Iterator[tuple[Any, Look]]:
        images = torch.cat([one for _, one, _ in waiting])
        known = torch.cat([one for _, _, one in waiting])
        found = [
            self._numbers(some, there)
            for some, there in zip(torch.split(images, self._batch), torch.split(known, self._batch), strict=True)
        ]
        features, sums = (torch.cat(parts) for parts in zip(*found, strict=True))
        begin = 0
        for key, own, _ in waiting:
            rows = slice(begin, begin + len(own))
            begin += len(own)
            total = sums[rows].sum(0)
            if not bool(torch.isfinite(total).all()):
                raise ExperimentError(
                    f"--model {self._name}: what it computes for {key.name} is not a number (NaN or infinite): its "
                    f"training diverged; name another trial or file"
                )
            pixels = total[0].clamp(min=1)
            entropy, disagreement, *shares = (total[1:] / pixels).tolist()
            yield (
                key,
                Look(
                    features=features[rows].mean(0).numpy(),
                    entropy=entropy,
                    disagreement=max(0.0, disagreement),
                    shares=np.array(shares, np.float32),
                ),
            )

    @torch.inference_mode()
    def _numbers(self, images: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, D) features, and (B, 3 + C) sums: pixels, entropy, disagreement, each class's probability."""
        known = known.to(self._device)
        inputs = scale(images, self._device)
        seen: dict[int, list[Tensor]] = {}
        mean: Tensor | None = None
        own_entropy = torch.zeros(())
        features: Tensor | None = None
        for member in self._members:
            with autocast(self._device, self._dtype):
                logits, maps = _forward(member, inputs, seen)
            if features is None:
                features = _pooled(maps, images)
            probabilities = class_probabilities(logits.float())
            own_entropy = own_entropy + entropy_share(probabilities)
            mean = probabilities if mean is None else mean + probabilities
        assert mean is not None and features is not None
        mean = mean / len(self._members)
        entropy = entropy_share(mean)
        columns = [torch.ones_like(entropy), entropy, entropy - own_entropy / len(self._members), *mean.unbind(1)]
        sums = torch.stack([(one * known).sum((1, 2)) for one in columns], dim=1)
        return features.float().cpu(), sums.cpu()


def _forward(member: SegmentationModel, images: Tensor, seen: dict[int, list[Tensor]]) -> tuple[Tensor, list[Tensor]]:
    """Return a model's logits of (B, N, S, S), and what its encoder makes of them.

    Args:
        member: The model.
        images: Float in [0, 1].
        seen: What fixed encoders made of the same images; several models may share one.
    """
    inputs = member.prepare(images)
    height, width = images.shape[-2:]
    if not isinstance(member, EncoderDecoder):
        return member(images), _maps(member, inputs)
    key = id(member.encoder)
    maps = seen[key] if key in seen else member.encode_prepared(inputs)
    if isinstance(member, OnFixedEncoder):
        seen[key] = maps
    return enlarge(member.decode(inputs, maps), inputs)[..., :height, :width], maps


def _maps(member: SegmentationModel, inputs: Tensor) -> list[Tensor]:
    """Return the maps of an encoder of any other kind of model; none where it has none, or gives none."""
    try:
        return [] if member.encoder is None else type(member).feature_maps(member.encoder, inputs)
    except (TypeError, ValueError, RuntimeError, AttributeError):
        return []


def _pooled(maps: Sequence[Tensor], images: Tensor) -> Tensor:
    """Return (B, D): the mean over the image of the coarsest map; colours and their spread where there is none."""
    if flat := [one for one in maps if one.ndim == 4 and one.shape[1]]:
        return min(flat, key=lambda one: one.shape[-1]).float().flatten(2).mean(2)
    pixels = images.float() / 255
    means = F.adaptive_avg_pool2d(pixels, COLOUR_GRID)
    squares = F.adaptive_avg_pool2d(pixels.square(), COLOUR_GRID)
    return torch.cat([means, (squares - means.square()).clamp(min=0).sqrt()], dim=1).flatten(1)
