"""Learning from unlabelled images: a model agrees with the average of its own weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from trainables.augment.device import augment_batch
from trainables.augment.host import augment
from trainables.augment.parameters import ViewParameters
from trainables.data.batches import batch_sizes
from trainables.data.tiles import TuningData
from trainables.data.unlabelled_views import UnlabelledBatch, UnlabelledViews
from trainables.ema import WeightAverage
from trainables.errors import DataError
from trainables.losses.base import loss_of
from trainables.models.base import SegmentationModel
from trainables.precision import autocast
from trainables.recipe import Recipe
from trainables.task import IGNORE_INDEX

STEEPNESS = 5.0
"""Of the ramp. Source: Laine and Aila 2017, exp(-5 (1 - t)^2)."""


class Consistency:
    """The part of a training that unlabelled images have.

    The teacher is the moving average of the weights; it labels a weak view, in evaluation mode. Pixels of which it is
    sure enough are the mask of a strong view, made from the weak one, that the model is trained on with its usual loss.
    That loss counts by the share of pixels that have a label, and by a weight that rises. Sources: Tarvainen and
    Valpola 2017 (mean teacher), Sohn et al. 2020 (FixMatch: weak and strong views, threshold).

    Args:
        recipe: Uses the fields of ``consistency``, and what views and loss need.
        data: Has ``unlabelled``.
        model: On ``device``.
        average: Of its weights.
        seed: Of the training.
        device: Where it trains.
        dtype: Arithmetic of the forward pass.
        workers: Threads that prepare views, at least 1.

    Raises:
        DataError: There are no unlabelled images.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TuningData,
        model: SegmentationModel,
        average: WeightAverage,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        *,
        workers: int = 2,
    ) -> None:
        if not data.unlabelled:
            raise DataError(
                f"recipe field consistency_weight is {recipe.consistency_weight:g}, and there are no images without "
                "labels; give --unlabelled DIR, or set it to 0"
            )
        self._recipe = recipe
        self._model = model
        self._average = average
        self._device = device
        self._dtype = dtype
        self._colours = data.imagery.has_colours
        self.loss = loss_of(recipe, data.task, data.train, device, partial=True)
        self._views = UnlabelledViews(
            data.unlabelled, recipe, seed, device, workers=workers, colours=data.imagery.has_colours
        )
        self._steps = len(batch_sizes(recipe.draws_per_epoch, recipe.batch_size))
        self._batches: Iterator[UnlabelledBatch] = iter(())
        self._epoch = self._step = 0
        self._clear()

    def _clear(self) -> None:
        self._labelled = torch.zeros((), device=self._device)
        self._total = torch.zeros((), device=self._device)
        self._before = self._labelled, self._total

    def begin_epoch(self, epoch: int) -> None:
        """Make ready for the steps of an epoch, from 1."""
        self._epoch, self._step = epoch, 0
        self._batches = self._views.epoch(epoch)
        self._clear()

    def next(self) -> UnlabelledBatch:
        """Return the views of the next step."""
        self._step += 1
        self._before = self._labelled, self._total
        batch = next(self._batches)
        if self._step == self._steps:
            next(self._batches, None)  # ends the threads that prepare views
        return batch

    @property
    def weight(self) -> float:
        """Of the present step's loss."""
        done = (self._epoch - 1) * self._steps + self._step - 1
        return self._recipe.consistency_weight * ramp(
            done, self._recipe.consistency_ramp * self._recipe.max_epochs * self._steps
        )

    def views(self, batch: UnlabelledBatch, parts: int) -> tuple[Tensor, Tensor]:
        """Label the weak views and make strong ones of them.

        Args:
            batch: The weak views, and what is done to them.
            parts: Into how many the batch is cut for the forward pass.

        Returns:
            (B, C, S, S) and (B, 1, S, S) uint8 on the device; 255 has no label.
        """
        self._labelled, self._total = self._before  # a step may be taken again
        images, known = batch.weak.to(self._device)
        labels = torch.cat(
            [self._label(some, here) for some, here in zip(images.chunk(parts), known.chunk(parts), strict=True)]
        )
        self._labelled = self._labelled + (labels != IGNORE_INDEX).float().mean() * len(images)
        if self._device.type == "cuda":
            return augment_batch(images, labels, batch.strong, colours=self._colours)
        return _on_host(images, labels, batch.strong, colours=self._colours)

    def _label(self, images: Tensor, known: Tensor) -> Tensor:
        with torch.no_grad(), autocast(self._device, self._dtype), _evaluating(self._model):
            scaled = images.float().div_(255)
            logits: Tensor = functional_call(self._model, dict(self._average.tensors), (scaled,))
        labels = confident_labels(logits.float(), self._recipe.consistency_threshold)
        return torch.where(known == IGNORE_INDEX, known, labels)

    def weighed(self, loss: Tensor, labels: Tensor) -> Tensor:
        """Return what a loss on labels of the teacher adds to that of the step."""
        share = (labels != IGNORE_INDEX).float().mean()
        found = loss * share * self.weight
        self._total = self._total + found.detach() * len(labels)
        return found

    @property
    def summary(self) -> str:
        """What came of the epoch's unlabelled views, for the trial's log."""
        draws = self._recipe.draws_per_epoch
        return (
            f"unlabelled: {float(self._labelled) / draws:.0%} of pixels labelled by the average of the weights, "
            f"{float(self._total) / draws:.4f} added to the loss at a weight of {self.weight:.2g}"
        )


def confident_labels(logits: Tensor, threshold: float) -> Tensor:
    """Return the most probable class of each pixel, where its probability reaches a threshold.

    Args:
        logits: (B, C, H, W) float; a single channel is the foreground's.
        threshold: In [0, 1).

    Returns:
        (B, 1, H, W) uint8; 255 where none is sure enough.
    """
    if logits.shape[1] == 1:
        foreground = logits.sigmoid()
        sure, labels = torch.maximum(foreground, 1 - foreground), logits > 0
    else:
        sure, labels = logits.softmax(1).max(1, keepdim=True)
    found: Tensor = labels.to(torch.uint8).masked_fill(sure < threshold, IGNORE_INDEX)
    return found


def ramp(step: int, steps: float) -> float:
    """Return the share of its weight that a loss has after some steps: from 0.7 % to all of it."""
    return math.exp(-STEEPNESS * (1 - step / steps) ** 2) if step < steps else 1.0


@contextmanager
def _evaluating(model: SegmentationModel) -> Iterator[None]:
    model.eval()
    try:
        yield
    finally:
        model.train()


def _on_host(
    images: Tensor, labels: Tensor, views: tuple[ViewParameters, ...], *, colours: bool
) -> tuple[Tensor, Tensor]:
    done = [
        augment(image, mask[0], one, colours=colours)
        for image, mask, one in zip(images.permute(0, 2, 3, 1).numpy(), labels.numpy(), views, strict=True)
    ]
    strong = torch.from_numpy(np.stack([image for image, _ in done])).permute(0, 3, 1, 2)
    return strong, torch.from_numpy(np.stack([mask for _, mask in done])).unsqueeze(1)
