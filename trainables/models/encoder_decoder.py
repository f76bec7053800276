"""Models of an encoder and, after it, a decoder, so that what a fixed encoder makes of a view can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trainables.models.base import SegmentationModel, enlarge


class EncoderDecoder(SegmentationModel):
    """An encoder whose features are all that a decoder needs beside the image.

    A subclass implements ``encode_prepared`` and ``decode``.

    Attributes:
        taps: What features are taken from where, if the encoder's weights alone do not say it.
    """

    taps: tuple[int, ...] = ()

    @property
    def features_key(self) -> str:
        """What decides the features besides the encoder's weights and the image."""
        return str(self.taps)

    def raw_logits(self, inputs: Tensor) -> Tensor:
        """Map normalised (B, N, H, W) to (B, C, h, w); H and W are multiples of the stride."""
        return self.decode(inputs, self.encode_prepared(inputs))

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return the features of normalised (B, N, H, W) inputs, each (B, ...)."""
        raise NotImplementedError

    def decode(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Map normalised (B, N, H, W) inputs and their features to (B, C, h, w)."""
        raise NotImplementedError


class OnFixedEncoder(EncoderDecoder):
    """A decoder on an encoder that is never trained, which no gradient enters, and whose features can be kept.

    Comes before the class that it fixes: ``class Fixed(OnFixedEncoder, Trained)``.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fix_encoder()

    def forward(self, images: Tensor, features: Sequence[Tensor] | None = None) -> Tensor:
        """Segment a batch.

        Args:
            images: (B, N, H, W) float in [0, 1].
            features: What ``encode`` made of the same images; None encodes them.

        Returns:
            (B, C, H, W) float logits.
        """
        if features is None:
            return super().forward(images)
        height, width = images.shape[-2:]
        inputs = self.prepare(images)
        return enlarge(self.decode(inputs, features), inputs)[..., :height, :width]

    def forward_with_auxiliary(self, images: Tensor, features: Sequence[Tensor] | None = None) -> tuple[Tensor, ...]:
        """Segment a batch as ``forward`` does, the outputs included that only the training loss looks at.

        Args:
            images: (B, N, H, W) float in [0, 1].
            features: What ``encode`` made of the same images; None encodes them.

        Returns:
            (B, C, H, W) float logits each: the main ones first.
        """
        if features is None:
            return super().forward_with_auxiliary(images)
        if self.stage_heads is None:
            return (self(images, features),)
        inputs = self.prepare(images)
        found = self.stage_heads.logits(lambda prepared: self.decode(prepared, features), inputs)
        return self._cut(found, inputs, images)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return what the decoder needs of the encoder for (B, N, H, W) float images in [0, 1], each (B, ...)."""
        return self.encode_prepared(self.prepare(images))

    @property
    def kind(self) -> type[SegmentationModel]:
        """The class that knows the encoder."""
        return type(self)

    def encode_for(self, images: Tensor, keys: Sequence[str]) -> list[list[Tensor]]:
        """Return the features that several decoders on the encoder need, of one pass where that gives them.

        Args:
            images: (B, N, H, W) float in [0, 1].
            keys: What those decoders call them, this one's own first.

        Returns:
            As many as there are keys, each as ``encode`` returns them; the first one alone where only that can be had.
        """
        if len(keys) > 1:
            with torch.no_grad():
                found = self.kind.features_by_key(self.encoder, self.prepare(images)) if self.encoder else {}
            if found.keys() >= set(keys):
                return [found[key] for key in keys]
        return [self.encode(images)]

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return the features of normalised (B, N, H, W) inputs without gradients, each (B, ...)."""
        # Not inference_mode: the decoder saves features for its backward pass, which inference tensors forbid.
        with torch.no_grad():
            return super().encode_prepared(inputs)
