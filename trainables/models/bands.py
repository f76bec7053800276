"""Models of other bands than red, green and blue alone: their normalisation, and the encoder's first convolution."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from trainables.models.weights import Weights

RGB_BANDS = 3


def statistics_of_bands(values: Sequence[float], bands: int) -> list[float]:
    """Return what each band is normalised with.

    Encoders were trained on red, green and blue, so nobody knows a mean or deviation of another band: it gets the mean
    of the three. So do one or two bands, of which none may be red.

    Args:
        values: Of red, green and blue; or one per band, which are returned as they are.
        bands: Bands of the tiles; the first three are normalised as red, green and blue.
    """
    if len(values) == bands:
        return list(values)
    own = list(values) if bands > RGB_BANDS else []
    return own + [sum(values) / len(values)] * (bands - len(own))


def take_bands(encoder: nn.Module, bands: int, weights: Weights) -> None:
    """Make an encoder that was built, and filled, for three bands take so many, as SMP does.

    Pretrained weights of the first convolution are repeated band by band and scaled by three over the number of bands,
    so that its outputs stay as large; without such weights they are drawn again.

    Args:
        encoder: Is changed in place.
        bands: Bands of the tiles.
        weights: What it was filled with.
    """
    from segmentation_models_pytorch.encoders._base import EncoderMixin
    from segmentation_models_pytorch.encoders._utils import patch_first_conv

    if bands == RGB_BANDS:
        return
    if isinstance(encoder, EncoderMixin):
        encoder.set_in_channels(bands, pretrained=bool(weights.path))
    else:
        patch_first_conv(encoder, bands, pretrained=bool(weights.path))
