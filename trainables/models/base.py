"""``SegmentationModel``: what every architecture is to the rest of the code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.models.bands import RGB_BANDS, statistics_of_bands
from trainables.models.stage_heads import FALLS, StageHeads

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_FINGERPRINTS: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()
"""Of encoders with weights that never change; such an encoder may be shared by the trials of a process."""


class SegmentationModel(nn.Module):
    """A network that maps images to logits of the same size and knows its encoder.

    A subclass implements ``raw_logits``, fills ``encoder`` if it has a pretrained one, and calls ``fix_encoder`` if
    that is never to be trained. Normalising, padding, upsampling and cropping happen here, once for all, so that all
    architectures eat identical bytes of any size.

    Attributes:
        encoder: The part that pretrained weights fill, or ``None`` for a model trained from scratch.
        encoder_prefix: What the names of its tensors begin with in the state dict.
        encoder_is_fixed: Nothing in the encoder is ever trained; it is left out of checkpoints.
        auxiliary: Weight of each auxiliary output's loss, at least 0; 0 means that there are none.
        auxiliary_falls: What the weight of each further one is multiplied with once more, in (0, 1].
        mean: (1, N, 1, 1) float buffer, N the bands of the images: subtracted from the input in [0, 1].
        std: (1, N, 1, 1) float buffer, what the difference is divided by.
        stride: What heights and widths are padded to a multiple of.
    """

    encoder: nn.Module | None
    encoder_prefix = "encoder."
    auxiliary: float
    mean: Tensor
    std: Tensor

    def __init__(self, *, mean: Sequence[float], std: Sequence[float], stride: int, bands: int = RGB_BANDS) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            of_bands = torch.tensor(statistics_of_bands(values, bands)).view(1, bands, 1, 1)
            self.register_buffer(name, of_bands, persistent=False)
        self.encoder = None
        self.encoder_is_fixed = False
        self.auxiliary = 0.0
        self.auxiliary_falls = 1.0
        self.stage_heads: StageHeads | None = None
        self.stride = stride
        self._encoder_frozen = False

    def forward(self, images: Tensor) -> Tensor:
        """Segment a batch.

        Args:
            images: (B, N, H, W) float in [0, 1].

        Returns:
            (B, C, H, W) float logits, C the task's channels.
        """
        height, width = images.shape[-2:]
        return self.logits(self.prepare(images))[..., :height, :width]

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, ...]:
        """Segment a batch as ``forward`` does, the outputs included that only the training loss looks at.

        The loss is that of the first output, plus ``auxiliary`` times that of each other one.

        Args:
            images: (B, N, H, W) float in [0, 1].

        Returns:
            (B, C, H, W) float logits each: the main ones first.
        """
        inputs = self.prepare(images)
        return self._cut(self.raw_logits_with_auxiliary(inputs), inputs, images)

    @staticmethod
    def _cut(logits: Sequence[Tensor], inputs: Tensor, images: Tensor) -> tuple[Tensor, ...]:
        """Bring logits to the size of their inputs, and cut off what was padded to the images."""
        height, width = images.shape[-2:]
        return tuple(enlarge(one, inputs)[..., :height, :width] for one in logits)

    @property
    def preparation(self) -> dict[str, Any]:
        """What a model that takes the same inputs is made with: the arguments of this class."""
        return {
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
            "stride": self.stride,
            "bands": self.mean.numel(),
        }

    def prepare(self, images: Tensor) -> Tensor:
        """Normalise (B, N, H, W) in [0, 1] and pad it to multiples of the model's stride."""
        inputs = (images - self.mean) / self.std
        bottom, right = -images.shape[-2] % self.stride, -images.shape[-1] % self.stride
        return F.pad(inputs, (0, right, 0, bottom), mode="replicate") if bottom or right else inputs

    def logits(self, inputs: Tensor) -> Tensor:
        """Segment normalised inputs.

        Args:
            inputs: (B, N, H, W) float, H and W multiples of the model's stride.

        Returns:
            (B, C, H, W) float.
        """
        return enlarge(self.raw_logits(inputs), inputs)

    def raw_logits(self, inputs: Tensor) -> Tensor:
        """Segment normalised inputs at whatever size the network predicts at; what a subclass implements.

        Args:
            inputs: (B, N, H, W) float, H and W multiples of the model's stride.

        Returns:
            (B, C, h, w) float; upsampled bilinearly where h and w are not H and W.
        """
        raise NotImplementedError

    def raw_logits_with_auxiliary(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return what ``raw_logits`` does, then the auxiliary outputs: each (B, C, h, w) of any size."""
        if self.stage_heads is None:
            return (self.raw_logits(inputs),)
        return self.stage_heads.logits(self.raw_logits, inputs)

    def supervise(self, stages: Sequence[nn.Module], widths: Sequence[int], channels: int, weight: float) -> None:
        """Have auxiliary outputs of a decoder's stages, see ``StageHeads``; a weight of 0 has none.

        Args:
            stages: The coarsest first.
            widths: Channels of each.
            channels: Logits per pixel.
            weight: Of the loss at half the size.
        """
        if weight:
            self.stage_heads = StageHeads(stages, widths, channels)
            self.auxiliary, self.auxiliary_falls = weight, FALLS

    @classmethod
    def feature_maps(cls, encoder: nn.Module, inputs: Tensor) -> list[Tensor]:
        """Return all that an encoder of this kind of model makes of images, for a probe: the finest maps first.

        Args:
            encoder: Of a model of this class.
            inputs: (B, N, H, W) float, normalised, H and W multiples of the model's stride.

        Returns:
            (B, C, h, w) each, smaller than the inputs.

        Raises:
            TypeError: The encoder returns something else.
        """
        found: object = encoder(inputs)
        while isinstance(found, tuple) and found and isinstance(found[0], list | tuple):
            found = found[0]  # a vision transformer's come with its prefix tokens
        if isinstance(found, Tensor):
            found = [found]
        several = (
            found.values() if isinstance(found, Mapping) else found if isinstance(found, list | tuple) else [found]
        )
        maps = [one for one in several if isinstance(one, Tensor) and one.ndim == 4 and one.shape[1]]
        smaller = [one for one in maps if one.shape[-1] < inputs.shape[-1]]
        if not smaller:
            raise TypeError(f"it returns {type(found).__name__}")
        return sorted(smaller, key=lambda one: -one.shape[-1])

    @classmethod
    def feature_maps_key(cls) -> str:
        """Return a text that is the same for classes whose ``feature_maps`` do the same."""
        return cls.feature_maps.__qualname__

    @classmethod
    def features_by_key(cls, encoder: nn.Module, inputs: Tensor) -> dict[str, list[Tensor]]:
        """Return all kinds of features that decoders on a fixed encoder read, if one pass gives several of them.

        Args:
            encoder: Of a model of this class.
            inputs: (B, N, H, W) float, normalised, H and W multiples of the model's stride.

        Returns:
            By ``OnFixedEncoder.features_key``; nothing where there is only one kind.
        """
        return {}

    def in_encoder(self, name: str) -> bool:
        """Whether a parameter or buffer, named as in the state dict, is the encoder's."""
        return self.encoder is not None and name.startswith(self.encoder_prefix)

    def is_fixed(self, name: str) -> bool:
        """Whether a parameter or buffer, named as in the state dict, never changes and so stays out of checkpoints."""
        return self.encoder_is_fixed and self.in_encoder(name)

    @property
    def trainable_parameters(self) -> int:
        """Numbers that a training changes."""
        return sum(parameter.numel() for name, parameter in self.named_parameters() if not self.is_fixed(name))

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that are ever trained with the encoder's learning rate."""
        named = self.named_parameters()
        return [parameter for name, parameter in named if self.in_encoder(name) and not self.is_fixed(name)]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Return every parameter that is not the encoder's."""
        return [parameter for name, parameter in self.named_parameters() if not self.in_encoder(name)]

    @property
    def encoder_frozen(self) -> bool:
        """Whether the encoder's weights and BatchNorm statistics stand still."""
        return self._encoder_frozen

    def freeze_encoder(self) -> None:
        """Stop the encoder's weights and BatchNorm statistics from changing, also after ``.train()``."""
        self._set_frozen(True)

    def unfreeze_encoder(self) -> None:
        """Let the encoder train again, but for what is fixed. Does nothing for a fixed encoder."""
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
        for name, parameter in self.named_parameters():
            if self.in_encoder(name):
                parameter.requires_grad_(not frozen and not self.is_fixed(name))
        self.train(self.training)

    def train(self, mode: bool = True) -> SegmentationModel:
        """Switch to training mode, but for a frozen encoder, which stays in evaluation mode."""
        super().train(mode)
        if self.encoder is not None and self._encoder_frozen:
            self.encoder.eval()
        return self

    def complete_state_dict(self) -> dict[str, Tensor]:
        """Return all weights and statistics as detached tensors, fixed ones, too."""
        return {name: tensor.detach() for name, tensor in self.state_dict().items()}

    def portable_state_dict(self) -> dict[str, Tensor]:
        """Return all weights and statistics as detached tensors, fixed ones left out."""
        return {name: tensor.detach() for name, tensor in self.state_dict().items() if not self.is_fixed(name)}

    def load_portable_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what ``portable_state_dict`` returned for the same architecture.

        Raises:
            RuntimeError: A tensor is missing, left over or of another shape.
        """
        result = self.load_state_dict(state, strict=False)
        missing = set(result.missing_keys) & self.portable_state_dict().keys()
        if missing or result.unexpected_keys:
            raise RuntimeError(f"missing tensors: {sorted(missing)}; left over: {sorted(result.unexpected_keys)}")


def enlarge(logits: Tensor, inputs: Tensor) -> Tensor:
    """Bring logits to the size of their inputs: before the loss and the argmax, or classes get blocky edges."""
    if logits.shape[-2:] == inputs.shape[-2:]:
        return logits
    return F.interpolate(logits, inputs.shape[-2:], mode="bilinear", align_corners=False)


def encoder_fingerprint(model: SegmentationModel) -> str:
    """Return the hex sha256 of an encoder's fixed tensors; empty for an encoder that travels in checkpoints."""
    encoder = model.encoder
    if encoder is None:
        return ""
    if encoder not in _FINGERPRINTS:
        fixed = [
            (name, tensor)
            for name, tensor in sorted(encoder.state_dict().items())
            if model.is_fixed(model.encoder_prefix + name)
        ]
        if not fixed:
            return ""
        digest = hashlib.sha256()
        for name, tensor in fixed:
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        _FINGERPRINTS[encoder] = digest.hexdigest()
    return _FINGERPRINTS[encoder]
