"""What a standing says in words, and how far the words can be trusted."""

from __future__ import annotations

from collections.abc import Iterable

from sweep.results.entries import Entry
from sweep.results.standings import Standing
from sweep.results.statistics import LEVEL, coverage
from sweep.results.winners import Row

TIE_MARK = "="


def verdict(standing: Standing) -> list[str]:
    """Say who is best on so many train tiles, and who cannot be told from it.

    Returns:
        No line where nothing has a rank.
    """
    ranked = standing.ranked
    if not ranked:
        return []
    best = ranked[0]
    what = f"has the highest val IoU of {len(ranked)}:" if len(ranked) > 1 else "has a val IoU of"
    lines = [f"{best['title']}{_tiles(best)} {what} {_with_interval(best)}."]
    if tied := standing.tied:
        names = listing([row["title"] for row in tied[1:]], len(tied))
        lines.append(f"{names} cannot be told from it with so few tiles and trainings.")
    elif len(ranked) > 1:
        second = ranked[1]
        lines.append(
            f"It is ahead of the next one, {second['title']}, by {-second['difference']:.3f} "
            f"({-second['difference_high']:.3f} to {-second['difference_low']:.3f}, paired by tile)."
        )
    for row in standing.rows:
        if row["unranked"]:
            lines.append(f"{row['title']}{_tiles(row)} has no rank: {row['unranked']}.")
    return lines


def caveats(entries: Iterable[Entry]) -> list[str]:
    """Say what the intervals are, and how often such intervals hold the truth with so few tiles."""
    scored = [entry for entry in entries if entry.val is not None]
    if not scored:
        return []
    tiles = len(scored[0].val.tiles) if scored[0].val else 0
    if tiles == 1:
        return ["There is a single val tile: it says nothing of other tiles, so there is no interval and no order."]
    trainings = min(len(entry.row["attempts"]) for entry in scored)
    over = "tiles and trainings" if trainings > 1 else "tiles"
    lines = [
        f"Intervals are {LEVEL:.0%}, by bootstrap over {over}; {TIE_MARK} marks who cannot be told from the winner. "
        f"With {tiles} val tiles such intervals held the truth in {_shares(*coverage(tiles))} of simulated cases."
    ]
    if trainings == 1:
        lines.append("One training each says nothing of other seeds: --repeats 3 does.")
    return lines


def share(probability: float) -> str:
    """Write a resampled probability as percent, never as a certainty."""
    if not 0.01 <= probability <= 0.99:
        return "<1%" if probability < 0.5 else ">99%"
    return f"{probability:.0%}"


def _shares(low: float, high: float) -> str:
    return f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"


def _tiles(row: Row) -> str:
    return f" on {row['tiles']} tiles" if row["draw"] else ""


def _with_interval(row: Row) -> str:
    if row["val_iou_low"] is None:
        return f"{row['val_iou']:.3f}"
    return f"{row['val_iou']:.3f} ({row['val_iou_low']:.3f} to {row['val_iou_high']:.3f})"


def listing(words: list[str], limit: int = 4) -> str:
    """Return ``a, b and c``; a long list is cut."""
    if len(words) > limit:
        words = [*words[: limit - 1], f"{len(words) - limit + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
