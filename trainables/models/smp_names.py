"""How an ``smp:`` architecture is named: ``smp:ARCHITECTURE/ENCODER``, and ``+lora`` where adapters are trained."""

from __future__ import annotations

SMP = "smp:"
TIMM = "timm:"
"""What stands before timm's name of an encoder, as a user may type it."""
TIMM_IN_SMP = "tu-"
"""What SMP writes for it, and every record."""
LORA = "+lora"


def canonical(name: str) -> str:
    """Return a name as records have it: ``smp:Unet/tu-NAME`` for ``smp:Unet/timm:NAME``."""
    architecture, slash, encoder = name.partition("/")
    if encoder.startswith(TIMM):
        encoder = TIMM_IN_SMP + encoder.removeprefix(TIMM)
    return f"{architecture}{slash}{encoder}"


def parts_of(name: str) -> tuple[str, str, bool]:
    """Return the architecture and the encoder that a canonical name says, each maybe empty, and whether it adapts."""
    architecture, _, encoder = name.removeprefix(SMP).removesuffix(LORA).partition("/")
    return architecture, encoder, name.endswith(LORA)
