"""An encoder that no training changes: what it makes of a view may be kept, and serve several decoders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from trainables.data.tiles import Tile
from trainables.features import CachedEncoder, FeatureCache
from trainables.models.base import SegmentationModel, encoder_fingerprint
from trainables.models.encoder_decoder import OnFixedEncoder
from trainables.models.fold_ensemble import FoldEnsemble
from trainables.models.registry import build_model
from trainables.models.weights import Weights
from trainables.precision import autocast
from trainables.recipe import Recipe
from trainables.scoring import Forward, forward_on, scale
from trainables.windows import windows_of


class FixedEncoder:
    """The encoder of a model that trains its decoder alone.

    Args:
        model: On ``device``.
        device: Where features are wanted.
        dtype: Arithmetic of the forward pass.
        store: Keeps features of views that come again; None keeps nothing.
        beside: What decoders that will follow on the same encoder call their features, see ``feature_keys``: one pass
            makes them, too, where it can.
    """

    def __init__(
        self,
        model: OnFixedEncoder,
        device: torch.device,
        dtype: torch.dtype,
        store: FeatureCache | None,
        beside: Sequence[str] = (),
    ) -> None:
        self._model = model
        self._device = device
        self._dtype = dtype
        self._kept: CachedEncoder | None = None
        self._keys = list(dict.fromkeys((model.features_key, *beside)))
        if store is not None and store.enabled:
            encoder = encoder_fingerprint(model)
            fingerprints = [f"{encoder} {key} {dtype}" for key in self._keys]
            self._kept = CachedEncoder(self._encode_all, fingerprints, device, store)

    @classmethod
    def of(
        cls,
        model: SegmentationModel,
        device: torch.device,
        dtype: torch.dtype,
        store: FeatureCache | None,
        beside: Sequence[str] = (),
    ) -> FixedEncoder | None:
        """Return a model's encoder; None where the training changes it."""
        if isinstance(model, FoldEnsemble):
            shared = model.on_shared_encoder
            return cls(shared[0], device, dtype, store, beside) if shared else None
        return cls(model, device, dtype, store, beside) if isinstance(model, OnFixedEncoder) else None

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

    def _encode_all(self, images: Tensor) -> list[list[Tensor]]:
        with torch.no_grad(), autocast(self._device, self._dtype):
            found = self._model.encode_for(scale(images, self._device), self._keys)
            return [[one.to(self._dtype) for one in features] for features in found]

    def encode_kept(self, images: Tensor) -> list[Tensor]:
        """Return the same of views on the CPU, from where features are kept if they are there."""
        assert self._kept is not None
        return self._kept(images)

    def look_at(self, tiles: Iterable[Tile], window: int) -> None:
        """Encode the windows of whole tiles, as far as they are not kept, before they are predicted.

        Args:
            tiles: Which.
            window: Side of a window in pixels, a multiple of 32.
        """
        if self._kept:
            images = (torch.tensor(tile.image).permute(2, 0, 1) for tile in tiles)
            self._kept.fill([view for image in images for view in windows_of(image, window)])


def forward_with(
    model: SegmentationModel, encoder: FixedEncoder | None, device: torch.device, dtype: torch.dtype
) -> Forward:
    """Return the forward pass of a model that takes what its encoder makes of a view from where that is kept.

    Args:
        model: On ``device``.
        encoder: Its own; the plain forward pass is returned without one, and where nothing is kept.
        device: Where the model is.
        dtype: Arithmetic.
    """
    if encoder is None or not encoder.keeps:
        return forward_on(model, device, dtype)

    def forward(images: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(device, dtype):
            logits: Tensor = model(scale(images, device), encoder.encode_kept(images))
        return logits.float()

    return forward


@lru_cache
def feature_keys(architectures: tuple[str, ...], model_size: str, channels: int, bands: int) -> tuple[str, ...]:
    """Return what models on one fixed encoder call the features that they read, each once, in the order of names.

    Args:
        architectures: Their names.
        model_size: ``full`` or ``tiny``.
        channels: Logits per pixel.
        bands: Bands of the images.
    """
    keys = []
    for name in architectures:
        try:
            with torch.device("meta"):  # takes neither time nor memory
                model = build_model(
                    Recipe(architecture=name, model_size=model_size), Weights(kind="random"), channels, bands=bands
                )
        except (NotImplementedError, RuntimeError):
            continue  # some libraries read numbers while they build; then each encodes for itself
        if isinstance(model, OnFixedEncoder):
            keys.append(model.features_key)
    return tuple(dict.fromkeys(keys))
