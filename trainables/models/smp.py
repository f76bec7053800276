"""The architectures of segmentation-models-pytorch, with dropout where every other architecture here has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from trainables.models.bands import take_bands
from trainables.models.base import IMAGENET_MEAN, IMAGENET_STD
from trainables.models.encoder_decoder import EncoderDecoder, OnFixedEncoder
from trainables.models.lora import Adapted
from trainables.models.weights import Weights, fill, load_tensors
from trainables.recipe import Recipe

TINY_ENCODER = "tu-test_efficientnet"
"""timm's 0.1-million-parameter encoder for tests, with the strides of a real one."""
LITE_MEAN = LITE_STD = (0.5, 0.5, 0.5)
"""What EfficientNet-Lite was trained with, unlike the other EfficientNets."""


class SmpModel(EncoderDecoder):
    """An SMP model as a ``SegmentationModel``.

    Args:
        model: An SMP model, its decoder carrying the dropout already.
        mean: Of the encoder's training data, per channel, for inputs in [0, 1].
        std: Likewise.
        stride: What heights and widths must be a multiple of.
        bands: Bands of the images.
    """

    def __init__(
        self, model: Any, *, mean: Sequence[float], std: Sequence[float], bands: int, stride: int = 32
    ) -> None:
        super().__init__(mean=mean, std=std, stride=stride, bands=bands)
        self.encoder: nn.Module = model.encoder
        self.decoder = model.decoder
        self.head = model.segmentation_head

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return what the encoder gives, each (B, C, h, w); of a ViT the class tokens, too, each (B, 1, C)."""
        features = self.encoder(inputs)
        if not isinstance(features, tuple):
            return list(features)
        maps, tokens = features
        return [*maps, *(some[:, :1] for some in tokens if some is not None)]  # no decoder reads another token

    def decode(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Map what ``encode_prepared`` gives to (B, C, h, w)."""
        result: Tensor = self.head(self.decoder(*self._arguments(list(features))))
        return result

    def _arguments(self, features: list[Tensor]) -> tuple[list[Any], ...]:
        """Return what the decoder takes: the maps, and of a ViT its class tokens or as many None."""
        if not hasattr(self.encoder, "has_prefix_tokens"):
            return (features,)
        maps = features[: len(self.encoder.out_channels)]  # type: ignore[arg-type]
        return maps, features[len(maps) :] or [None] * len(maps)


class FixedPyramid(OnFixedEncoder, SmpModel):
    """A decoder on a fixed encoder whose maps begin at a quarter of the size.

    SMP puts the image itself and an empty map before them, which would only fill the room for kept features.
    """

    def encode_prepared(self, inputs: Tensor) -> list[Tensor]:
        """Return the maps at 1/4, 1/8, ... of the size, without gradients: each (B, C, h, w)."""
        return super().encode_prepared(inputs)[2:]

    def decode(self, inputs: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Map them to (B, C, h, w)."""
        batch, _, height, width = inputs.shape
        return super().decode(inputs, [inputs, inputs.new_empty(batch, 0, height // 2, width // 2), *features])


class FixedVit(OnFixedEncoder, SmpModel):
    """A decoder on a fixed ViT."""


class AdaptedVit(Adapted, SmpModel):
    """A decoder on an adapted ViT."""


def fill_imagenet(model: Any, weights: Weights, bands: int) -> SmpModel:
    """Return an SMP model, its encoder filled with ImageNet's weights if they have a file, for so many bands."""
    fill(model.encoder, weights)
    take_bands(model.encoder, bands, weights)
    return SmpModel(model, mean=IMAGENET_MEAN, std=IMAGENET_STD, bands=bands)


def build_deeplabv3plus(encoder: str, recipe: Recipe, channels: int) -> Any:
    """Build SMP's DeepLabV3+.

    Its own element-wise dropout of 0.5 inside the ASPP is off: dropout here means whole channels between decoder
    stages, in every architecture.
    """
    import segmentation_models_pytorch as smp

    tiny = recipe.model_size == "tiny"
    model = smp.DeepLabV3Plus(
        TINY_ENCODER if tiny else encoder,
        encoder_weights=None,
        classes=channels,
        decoder_channels=32 if tiny else 256,
        decoder_aspp_dropout=0.0,
    )
    model.decoder.aspp.append(nn.Dropout2d(recipe.decoder_dropout))
    return model


def build_unet_efficientnet_lite(encoder: str, recipe: Recipe, weights: Weights, channels: int, bands: int) -> SmpModel:
    """Build a U-Net on one of timm's EfficientNet-Lite, filled from a package if the weights have a file."""
    model = build_unet(encoder, recipe, channels)
    if weights.path:
        _load_lite(model.encoder, weights)
    take_bands(model.encoder, bands, weights)
    return supervise_unet(SmpModel(model, mean=LITE_MEAN, std=LITE_STD, bands=bands), recipe, channels)


def supervise_unet(model: SmpModel, recipe: Recipe, channels: int) -> SmpModel:
    """Give SMP's U-Net auxiliary outputs at the sizes of its decoder's blocks, if the recipe asks for them."""
    blocks: list[Any] = list(model.decoder.blocks)
    widths = [getattr(block, "stage", block).conv2[0].out_channels for block in blocks]  # one may be in a ``Dropped``
    model.supervise(blocks, widths, channels, recipe.deep_supervision)
    return model


def build_unet(encoder: str, recipe: Recipe, channels: int) -> Any:
    """Build SMP's U-Net with dropout between its decoder's stages."""
    import segmentation_models_pytorch as smp

    tiny = recipe.model_size == "tiny"
    model = smp.Unet(
        TINY_ENCODER if tiny else encoder,
        encoder_weights=None,
        classes=channels,
        decoder_channels=(32, 24, 16, 16, 8) if tiny else (256, 128, 64, 32, 16),
    )
    for block in list(model.decoder.blocks)[:-1]:
        # The last step of an SMP decoder block; without attention it does nothing by itself.
        block.attention2 = nn.Sequential(block.attention2, nn.Dropout2d(recipe.decoder_dropout))
    return model


def _load_lite(encoder: nn.Module, weights: Weights) -> None:
    """Load the package's tensors, which stand in timm's order under other names; the classifier's are left over."""
    names = [name for name in encoder.state_dict() if not name.endswith("num_batches_tracked")]
    theirs = {name: value for name, value in load_tensors(weights).items() if not name.endswith("num_batches_tracked")}
    renamed = dict(zip(names, theirs.values(), strict=False))
    wanted = encoder.state_dict()
    for name, tensor in renamed.items():
        if tensor.shape != wanted[name].shape:
            raise weights.wrong(f"tensor {name} has shape {tuple(tensor.shape)}, not {tuple(wanted[name].shape)}")
    encoder.load_state_dict({**wanted, **renamed})
