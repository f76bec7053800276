"""``SegmentationModel``: what every architecture is to the rest of the code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_FINGERPRINTS: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()
"""Of fixed encoders, which are shared by the trials of a process and never change."""


class SegmentationModel(nn.Module):
    """A network that maps images to logits of the same size and knows its encoder.

    A subclass implements ``logits``, fills ``encoder`` if it has a pretrained one, and calls ``fix_encoder`` if that is
    never to be trained. Normalising and padding happen here, once for all, so that all architectures eat identical
    bytes of any size.

    Attributes:
        encoder: The part that pretrained weights fill, or ``None`` for a model trained from scratch.
        encoder_is_fixed: The encoder is never trained; it is left out of checkpoints.
        mean: (1, 3, 1, 1) float buffer, subtracted from the input in [0, 1].
        std: (1, 3, 1, 1) float buffer, what the difference is divided by.
    """

    encoder: nn.Module | None
    mean: Tensor
    std: Tensor

    def __init__(self, *, mean: Sequence[float], std: Sequence[float], stride: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.encoder = None
        self.encoder_is_fixed = False
        self._stride = stride
        self._encoder_frozen = False

    def forward(self, images: Tensor) -> Tensor:
        """Segment a batch.

        Args:
            images: (B, 3, H, W) float in [0, 1].

        Returns:
            (B, C, H, W) float logits, C the task's channels.
        """
        height, width = images.shape[-2:]
        return self.logits(self.prepare(images))[..., :height, :width]

    def prepare(self, images: Tensor) -> Tensor:
        """Normalise (B, 3, H, W) in [0, 1] and pad it to multiples of the model's stride."""
        inputs = (images - self.mean) / self.std
        bottom, right = -images.shape[-2] % self._stride, -images.shape[-1] % self._stride
        return F.pad(inputs, (0, right, 0, bottom), mode="replicate") if bottom or right else inputs

    def logits(self, inputs: Tensor) -> Tensor:
        """Segment normalised inputs.

        Args:
            inputs: (B, 3, H, W) float, H and W multiples of the model's stride.

        Returns:
            (B, C, H, W) float.
        """
        raise NotImplementedError

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the encoder's parameters; empty for a model trained from scratch."""
        return list(self.encoder.parameters()) if self.encoder is not None else []

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Return every parameter that is not the encoder's."""
        return [parameter for name, parameter in self.named_parameters() if not name.startswith("encoder.")]

    @property
    def encoder_frozen(self) -> bool:
        """Whether the encoder's weights and BatchNorm statistics stand still."""
        return self._encoder_frozen

    def freeze_encoder(self) -> None:
        """Stop the encoder's weights and BatchNorm statistics from changing, also after ``.train()``."""
        self._set_frozen(True)

    def unfreeze_encoder(self) -> None:
        """Let the encoder train again. Does nothing for a fixed encoder."""
        if not self.encoder_is_fixed:
            self._set_frozen(False)

    def fix_encoder(self) -> None:
        """Freeze the encoder for good."""
        self.encoder_is_fixed = True
        self._set_frozen(True)

    def _set_frozen(self, frozen: bool) -> None:
        if self.encoder is None:
            return
        self._encoder_frozen = frozen
        self.encoder.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> SegmentationModel:
        """Switch to training mode, but for a frozen encoder, which stays in evaluation mode."""
        super().train(mode)
        if self.encoder is not None and self._encoder_frozen:
            self.encoder.eval()
        return self

    def portable_state_dict(self) -> dict[str, Tensor]:
        """Return all weights and statistics as detached tensors, a fixed encoder's left out."""
        return {
            name: tensor.detach()
            for name, tensor in self.state_dict().items()
            if not (self.encoder_is_fixed and name.startswith("encoder."))
        }

    def load_portable_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what ``portable_state_dict`` returned for the same architecture.

        Raises:
            RuntimeError: A tensor is missing, left over or of another shape.
        """
        result = self.load_state_dict(state, strict=False)
        missing = set(result.missing_keys) & self.portable_state_dict().keys()
        if missing or result.unexpected_keys:
            raise RuntimeError(f"missing tensors: {sorted(missing)}; left over: {sorted(result.unexpected_keys)}")


def encoder_fingerprint(model: SegmentationModel) -> str:
    """Return the hex sha256 of a fixed encoder's tensors; empty for an encoder that travels in checkpoints."""
    if not model.encoder_is_fixed or model.encoder is None:
        return ""
    if model.encoder not in _FINGERPRINTS:
        digest = hashlib.sha256()
        for name, tensor in sorted(model.encoder.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        _FINGERPRINTS[model.encoder] = digest.hexdigest()
    return _FINGERPRINTS[model.encoder]
