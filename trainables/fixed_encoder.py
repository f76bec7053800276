"""An encoder that no training changes: what it makes of a view may be kept, and serve several decoders."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.features import CachedEncoder, FeatureCache
from trainables.models.base import SegmentationModel, encoder_fingerprint
from trainables.models.encoder_decoder import OnFixedEncoder
from trainables.precision import autocast
from trainables.scoring import scale


class FixedEncoder:
    """The encoder of a model that trains its decoder alone.

    Args:
        model: On ``device``.
        device: Where features are wanted.
        dtype: Arithmetic of the forward pass.
        store: Keeps features of views that come again; None keeps nothing.
    """

    def __init__(
        self, model: OnFixedEncoder, device: torch.device, dtype: torch.dtype, store: FeatureCache | None
    ) -> None:
        self._model = model
        self._device = device
        self._dtype = dtype
        self._kept: CachedEncoder | None = None
        if store is not None and store.enabled:
            self._kept = CachedEncoder(
                self.encode, f"{encoder_fingerprint(model)} {model.features_key} {dtype}", device, store
            )

    @classmethod
    def of(
        cls, model: SegmentationModel, device: torch.device, dtype: torch.dtype, store: FeatureCache | None
    ) -> FixedEncoder | None:
        """Return a model's encoder; None where the training changes it."""
        return cls(model, device, dtype, store) if isinstance(model, OnFixedEncoder) else None

    @property
    def keeps(self) -> bool:
        """Whether features are kept."""
        return self._kept is not None

    def same_as(self, other: FixedEncoder | None) -> bool:
        """Whether another model has the very same encoder."""
        return other is not None and other._model.encoder is self._model.encoder

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return the features of (B, 3, S, S) uint8 views, each (B, C, h, w) on the device."""
        with torch.no_grad(), autocast(self._device, self._dtype):
            # What reads them computes in this type anyway.
            return [one.to(self._dtype) for one in self._model.encode(scale(images, self._device))]

    def encode_kept(self, images: Tensor) -> list[Tensor]:
        """Return the same of views on the CPU, from where features are kept if they are there."""
        assert self._kept is not None
        return self._kept(images)
