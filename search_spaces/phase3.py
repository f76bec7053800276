"""Phase 3's grid: every architecture at every tile budget and draw; with tuning, Phase 2's space at each budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces.limits import require_few
from trainables.errors import ExperimentError
from trainables.models.registry import get_architecture

TILE_BUDGETS = (5, 8, 12, 18, 24)
"""What Phase 3 compares by default: a forecast takes at least four."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One training of Phase 3.

    Attributes:
        architecture: A name in the registry.
        tiles: The budget: how many train tiles it sees.
        draw: Which draw of that many, from 1.
    """

    architecture: str
    tiles: int
    draw: int

    @property
    def attempt(self) -> str:
        """The name of its trial."""
        return f"{self.contender}-draw{self.draw}"

    @property
    def contender(self) -> str:
        """The name that its draws share."""
        return f"{get_architecture(self.architecture).slug}-{self.tiles}tiles"


def fitting_budgets(available: int) -> tuple[int, ...]:
    """Return the default budgets, or the same shares of fewer train tiles than the largest."""
    most = TILE_BUDGETS[-1]
    if available >= most:
        return TILE_BUDGETS
    return tuple(sorted({max(1, round(available * budget / most)) for budget in TILE_BUDGETS}))


def conditions(architectures: Sequence[str], budgets: Sequence[int], draws: int) -> list[Condition]:
    """List Phase 3's trainings, all architectures of the first draw first.

    Raises:
        ExperimentError: No draws.
    """
    require_few(
        len(architectures) * len(budgets) * draws,
        f"{len(architectures)} architectures x {len(budgets)} budgets x {draws:,} draws",
    )
    if draws < 1:
        raise ExperimentError(f"--draws {draws}: must be at least 1")
    return [
        Condition(architecture=architecture, tiles=tiles, draw=draw)
        for draw in range(1, draws + 1)
        for tiles in budgets
        for architecture in architectures
    ]
