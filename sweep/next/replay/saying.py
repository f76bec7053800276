"""What a replay says on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sweep.cli.tables import Column, Sheet
from sweep.next.replay.curves import CHANCE, StrategyCurve, best_strategy


def curves_sheet(title: str, budgets: Sequence[int], curves: Sequence[StrategyCurve]) -> Sheet:
    """Return the table: a row per strategy, its IoU at each budget, its gain, what its last but one budget is worth."""
    columns = [Column(heading="strategy", value=lambda curve: curve.name)]
    columns += [_iou(number, budget) for number, budget in enumerate(budgets)]
    columns.append(Column(heading="gain (interval)", value=_gain))
    half = (len(budgets) - 1) // 2
    columns.append(
        Column(
            heading=f"{budgets[half]} are worth",
            short="worth",
            least=1,
            value=lambda curve: _worth(curve, half, budgets),
            right=True,
            priority=2,
        )
    )
    return Sheet(title, columns, curves)


def said_best(curves: Sequence[StrategyCurve]) -> str:
    """Say which strategy is better than chance, or that none is."""
    best = best_strategy(curves)
    if best == CHANCE:
        return "no better than random here: no strategy gains for certain, so random is the default on this dataset"
    return f"{best} is better than random here, and the default on this dataset"


def _iou(number: int, budget: int) -> Column:
    middle = 2 + number
    return Column(
        heading=str(budget), value=lambda curve: curve.ious[number], format=".3f", right=True, priority=middle
    )


def _gain(curve: StrategyCurve) -> Any:
    return None if curve.gain is None else curve.gain.text("+.3f")


def _worth(curve: StrategyCurve, number: int, budgets: Sequence[int]) -> Any:
    if not curve.worth:
        return None
    found = curve.worth[number]
    return f">{budgets[-1]}" if found is None else f"{found:.0f}"
