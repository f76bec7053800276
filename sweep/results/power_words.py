"""What a sweep can see, in words: before it runs and beside a tie."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sweep.results.power import Power

REPEATS: Mapping[str, str] = MappingProxyType(
    {"phase1": "--repeats {}", "phase2": "--confirm 3 --repeats {}", "phase3": "--draws {}"}
)
"""What trains each contender of a phase so many times."""


def unseen(power: Power, phase: str, tiles: int) -> str:
    """Say what could not have been seen, and what would see it.

    Args:
        power: Of a sweep that has run.
        phase: Which.
        tiles: How many it scored.
    """
    if power.least is None:
        return f"This sweep could not have shown any difference{_instead(power, phase, tiles)}."
    return f"This sweep could not have shown differences under {power.least:.3f} IoU{_instead(power, phase, tiles)}."


def foreseen(power: Power, phase: str, tiles: int) -> str:
    """Say what a sweep will not see, before it runs; see ``unseen``."""
    if power.least is None:
        return f"no difference will show, whatever it is{_instead(power, phase, tiles)}"
    return f"differences under {power.least:.3f} IoU will not show{_instead(power, phase, tiles)}"


def _instead(power: Power, phase: str, tiles: int) -> str:
    found = [f"with {how}" for how in ways(power, phase, tiles)]
    least = [f"{one:.3f}" for one in ways(power, phase, tiles).values()]
    would = f"; {least[0]} would show {found[0]}" if found else ""
    would += "".join(f", {one} {how}" for one, how in zip(least[1:], found[1:], strict=True))
    return f"{would} (in 80 % of sweeps; {power.spread.origin})"


def ways(power: Power, phase: str, tiles: int) -> dict[str, float]:
    """Return what would see more, flag by flag, and the smallest difference that it would see, in IoU."""
    of_tiles = f"{2 * tiles} {'labelled' if power.design.folds else 'val'} tiles"
    names = {"folds": "--folds {}", "repeats": REPEATS.get(phase, "--repeats {}"), "tiles": of_tiles}
    number = {"folds": "folds", "repeats": "repeats", "tiles": "units"}
    return {names[name].format(getattr(design, number[name])): least for name, (design, least) in power.wider.items()}


def power_fields(power: Power, phase: str, tiles: int) -> dict[str, Any]:
    """Return the same for programs."""
    return {"least": power.least, "instead": ways(power, phase, tiles), "origin": power.spread.origin}
