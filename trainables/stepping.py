"""One optimizer step of a batch, which is taken again with less memory where that runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainables.consistency import Consistency
from trainables.data.batches import Batch
from trainables.data.unlabelled_views import UnlabelledBatch
from trainables.ema import WeightAverage
from trainables.fixed_encoder import FixedEncoder
from trainables.memory import MemoryLadder, random_state, set_random_state
from trainables.models.base import SegmentationModel
from trainables.precision import autocast
from trainables.recipe import Recipe


class Stepper:
    """Takes optimizer steps: forward, loss, backward, clipping, update, average.

    Args:
        model: On ``device``.
        loss: Logits and (B, H, W) uint8 masks to a scalar.
        optimizer: Of the model's parameters.
        recipe: Uses ``clip_norm``.
        device: Where the model is.
        dtype: Arithmetic of the forward pass.
        memory: What is done where memory does not suffice.
        average: Follows the weights; None for none.
        encoder: Makes the features of batches that bring none; None where the model is to make its own.
        consistency: What unlabelled views add; None without them.
        compiled: Whether ``torch.compile`` translates the forward pass.
    """

    def __init__(
        self,
        model: SegmentationModel,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Optimizer,
        recipe: Recipe,
        device: torch.device,
        dtype: torch.dtype,
        memory: MemoryLadder,
        *,
        average: WeightAverage | None = None,
        encoder: FixedEncoder | None = None,
        consistency: Consistency | None = None,
        compiled: bool = False,
    ) -> None:
        self._model = model
        self._loss = loss
        self._optimizer = optimizer
        self._clip_norm = recipe.clip_norm
        self._device = device
        self._dtype = dtype
        self._memory = memory
        self._average = average
        self._encoder = encoder
        self._consistency = consistency
        self._unlabelled: UnlabelledBatch | None = None
        run = model.forward_with_auxiliary if model.auxiliary else model
        self._run = torch.compile(run) if compiled else run
        self._scaler = self._make_scaler()

    def _make_scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(self._device.type, enabled=self._dtype is torch.float16)

    def take(self, batch: Batch) -> Tensor:
        """Take one optimizer step, and take it again with less memory for as long as that runs out.

        Returns:
            Scalar mean loss of the labelled views, still on the device.

        Raises:
            InfeasibleError: It does not fit into the device's memory.
        """
        self._unlabelled = self._consistency.next() if self._consistency else None
        while True:
            random = random_state(self._device)
            try:
                return self._try(batch)
            except torch.OutOfMemoryError as error:
                reason = str(error).splitlines()[0]
            # The error is gone by now, and with it all that its frames held.
            self._optimizer.zero_grad(set_to_none=True)
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            self._memory.climb(len(batch.images), reason)
            set_random_state(self._device, random)
            scaler = self._scaler.state_dict()  # as before the step: only a whole one moves it
            self._scaler = self._make_scaler()
            self._scaler.load_state_dict(scaler)

    def _try(self, batch: Batch) -> Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        images, masks = batch.to(self._device)
        features = list(batch.features)
        if not features and self._encoder:
            features = self._encoder.encode_kept(batch.images)
        parts = self._memory.parts(len(images))
        total = torch.zeros((), device=self._device)
        for some_images, some_masks, *some_features in zip(
            *(one.chunk(parts) for one in (images, masks, *features)), strict=True
        ):
            with autocast(self._device, self._dtype):
                found = self._run(some_images.float().div_(255), *([some_features] if features else []))
            loss = self._loss_of(found, some_masks) * (len(some_images) / len(images))
            torch.autograd.backward(self._scaler.scale(loss))
            total += loss.detach()
        if self._consistency and self._unlabelled:
            self._agree(self._consistency, self._unlabelled, parts)
        if self._clip_norm:
            self._scaler.unscale_(self._optimizer)
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average:
            self._average.update()
        return total

    def _agree(self, consistency: Consistency, batch: UnlabelledBatch, parts: int) -> None:
        """Add the gradients of unlabelled views."""
        images, labels = consistency.views(batch, parts)
        for some_images, some_labels in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            with autocast(self._device, self._dtype):
                found = self._run(some_images.float().div_(255))
            loss = consistency.weighed(self._loss_of(found, some_labels, consistency.loss), some_labels)
            torch.autograd.backward(self._scaler.scale(loss * (len(some_images) / len(images))))

    def _loss_of(
        self, found: Tensor | tuple[Tensor, ...], masks: Tensor, of: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> Tensor:
        """Return the loss of logits, with that of auxiliary ones where there are any; ``of`` is another loss."""
        of = of or self._loss
        if isinstance(found, Tensor):
            return of(found, masks)
        losses = torch.stack([of(logits, masks) for logits in found])
        others = losses[1:]
        if (falls := self._model.auxiliary_falls) != 1:
            others = others * torch.tensor([falls**place for place in range(len(others))], device=others.device)
        total: Tensor = losses[0] + self._model.auxiliary * others.sum()
        return total

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the gradients' scale."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self._scaler.load_state_dict(state)
