"""How often a forecast of Phase 3 holds the truth, and how often "worth it" is said wrongly, on simulated curves.

Run with ``python -m benchmarks.forecast``; about five minutes on one CPU core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import Report
from sweep.results.layout import Scores
from sweep.results.scaling import WORTH, Scaling, fit

SETTINGS = (((5, 8, 12, 18, 24), 3, 6), ((5, 8, 12, 24), 3, 24))
"""Budgets, draws and val tiles."""
DRAW_SPREAD, MODEL_SPREAD, NOISE = 0.03, 0.03, 0.02
"""Standard deviations in IoU: of draws at 12 tiles (as n ** -0.5), of a tile for this model, and of the rest."""


def _flat_after(end: float) -> Callable[[float], float]:
    return lambda n: 0.35 + 0.4 * float(np.log(min(n, end) / 5) / np.log(end / 5))


CURVES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "saturated (logistic)": lambda n: float(0.75 / (1 + np.exp(-(n - 6) / 3))),
        "saturating (exponential)": lambda n: float(0.76 - 0.6 * np.exp(-n / 6)),
        "plateau from 12 tiles": _flat_after(12),
        "plateau from 16 tiles": _flat_after(16),
        "straight over log n": lambda n: float(0.4 + 0.15 * np.log2(n / 5)),
        "straight over log n, slow": lambda n: float(0.5 + 0.03 * np.log2(n / 5)),
        "straight over n": lambda n: 0.4 + 0.008 * n,
        "power law, rate 0.4": lambda n: 0.9 - 0.9 * n**-0.4,
        "power law, rate 0.7": lambda n: 0.8 - 0.9 * n**-0.7,
        "power law, rate 1.5": lambda n: 0.8 - 3.0 * n**-1.5,
        "stops at 24 tiles exactly": _flat_after(24),
    }
)
"""True mean IoU by tiles. The last one cannot be distinguished from one that continues: nobody has seen it stop."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was said of simulated studies of one curve.

    Attributes:
        truth: What twice the tiles really add.
        found: What was said, a study each.
    """

    truth: float
    found: Sequence[Scaling]

    @property
    def shown(self) -> float:
        """Share of studies with a forecast."""
        return float(np.mean([one.gain is not None for one in self.found]))

    @property
    def held(self) -> float:
        """Share of the forecasts whose interval holds the truth; NaN without any."""
        gains = [one.gain for one in self.found if one.gain]
        held = [one.low - 1e-6 <= self.truth <= one.high + 1e-6 for one in gains]  # type: ignore[operator]
        return float(np.mean(held)) if held else float("nan")

    @property
    def wrong(self) -> float:
        """Share of the studies of which it was said, wrongly, that more is worth it, or hardly worth it."""
        said = "labelling more is hardly worth it" if self.truth >= WORTH else "labelling more is worth it"
        return float(np.mean([(one.worth or "").startswith(said) for one in self.found]))


def study(
    rng: np.random.Generator, curve: Callable[[float], float], tiles: Sequence[int], draws: int, val: int
) -> dict[int, Scores]:
    """Simulate (draws, val tiles) of IoU at each budget, with val tiles of a difficulty of their own."""
    hard = rng.beta(5, 1.7, val)
    hard = (hard - 5 / 6.7) * 0.12 / np.sqrt(5 * 1.7 / (6.7**2 * 7.7))
    found = {}
    for n in tiles:
        luck = rng.normal(0, DRAW_SPREAD * np.sqrt(12 / n), (draws, 1))
        rest = rng.normal(0, MODEL_SPREAD, val) + rng.normal(0, NOISE, (draws, val))
        found[n] = np.clip(curve(n) + hard + luck + rest, 0.0, 1.0)
    return found


def judged(name: str, tiles: Sequence[int], draws: int, val: int, studies: int, seed: int = 0) -> Record:
    """Simulate studies of one curve and forecast each.

    Args:
        name: A key of ``CURVES``.
        tiles: The budgets.
        draws: Of each.
        val: Val tiles.
        studies: How many, at least 1.
        seed: Of the simulation.
    """
    curve, rng = CURVES[name], np.random.default_rng(seed)
    found = [fit(name, study(rng, curve, tiles, draws, val)) for _ in range(studies)]
    return Record(truth=curve(2 * max(tiles)) - curve(max(tiles)), found=found)


def main(studies: int = 200) -> None:
    """Judge every curve in every setting, print a table each and write the figures."""
    report = Report(name="forecast")
    for tiles, draws, val in SETTINGS:
        title = f"budgets {','.join(map(str, tiles))}; {draws} draws, {val} val tiles; {studies} studies"
        table = Table(title=title, title_justify="left")
        for heading in ("true curve", "true gain", "forecast shown", "interval holds it", "said wrongly"):
            table.add_column(heading, justify="left" if heading == "true curve" else "right")
        for name in CURVES:
            one = judged(name, tiles, draws, val, studies)
            table.add_row(name, f"{one.truth:+.3f}", f"{one.shown:.2f}", f"{one.held:.2f}", f"{one.wrong:.3f}")
            report.notes[f"{title}: {name}: shown, held, said wrongly"] = [one.shown, one.held, one.wrong]
        Console().print(table)
    report.write()


if __name__ == "__main__":
    main()
