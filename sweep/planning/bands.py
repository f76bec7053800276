"""Tiles of other bands than red, green and blue alone: who cannot train on them, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.data.imagery import COLOURS, Imagery
from trainables.data.tiles import TuningData
from trainables.errors import RecipeError
from trainables.models.registry import get_architecture


def require_bands(architectures: Sequence[str], data: TuningData) -> None:
    """Refuse architectures that take three bands and no others, where tiles have other ones.

    Raises:
        RecipeError: As said; names the architectures that remain.
    """
    imagery = data.imagery
    alone = [name for name in architectures if get_architecture(name).rgb_alone]
    if len(imagery.bands) == len(COLOURS) or not alone:
        return
    others = ",".join(name for name in architectures if name not in alone) or "unet"
    raise RecipeError(
        f"{data.name}: its tiles have {imagery.summary}, and encoders of foundation models take three; leave "
        f"{', '.join(alone)} out with --architectures {others}, or make the tiles with --bands 1,2,3"
    )


def bands_in_words(imagery: Imagery) -> str:
    """Say which bands tiles have, and on which of them augmentation changes colours."""
    if not imagery.has_colours:
        return f"{imagery.summary}: not red, green and blue, so augmentation changes no colours"
    more = len(imagery.bands) > len(COLOURS)
    return imagery.summary + "; augmentation changes the colours of red, green and blue alone" * more
