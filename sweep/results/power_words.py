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
        return f"No difference could have been seen{_instead(power, phase, tiles)}."
    return (
        f"Differences under {power.least:.3f} IoU could not have been seen with these tiles and "
        f"trainings{_instead(power, phase, tiles)}."
    )


def foreseen(power: Power, phase: str, tiles: int) -> str:
    """Say what a sweep will not see, before it runs; see ``unseen``."""
    if power.least is None:
        return f"no difference will be seen, whatever it is{_instead(power, phase, tiles)}"
    return f"differences under {power.least:.3f} IoU will not be seen{_instead(power, phase, tiles)}"


def _instead(power: Power, phase: str, tiles: int) -> str:
    found = [f"{how} {least:.3f}" for how, least in ways(power, phase, tiles).items()]
    would = f"; {found[0].rpartition(' ')[0]} would see {found[0].rpartition(' ')[2]}" if found else ""
    return f"{would}{''.join(f', {one}' for one in found[1:])} (in 80 % of sweeps; {power.spread.origin})"


def ways(power: Power, phase: str, tiles: int) -> dict[str, float]:
    """Return what would see more, flag by flag, and the smallest difference that it would see, in IoU."""
    of_tiles = f"{2 * tiles} {'labelled' if power.design.folds else 'val'} tiles"
    names = {"folds": "--folds {}", "repeats": REPEATS.get(phase, "--repeats {}"), "tiles": of_tiles}
    number = {"folds": "folds", "repeats": "repeats", "tiles": "units"}
    return {names[name].format(getattr(design, number[name])): least for name, (design, least) in power.wider.items()}


def power_fields(power: Power, phase: str, tiles: int) -> dict[str, Any]:
    """Return the same for programs."""
    return {"least": power.least, "instead": ways(power, phase, tiles), "origin": power.spread.origin}
