"""What a standing says in words, and how far the words can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sweep.results.contenders import Contender
from sweep.results.layout import Layout
from sweep.results.power_words import REPEATS, unseen
from sweep.results.rows import LeaderboardRow
from sweep.results.standings import Standing
from sweep.results.statistics import LEVEL, Inconclusive, coverage
from trainables.wording import counted

TIE_MARK = "="
WELL = 0.93
FEW = ", least often where one tile in five is hard, since so few tiles may not include one"


def verdict(standing: Standing, phase: str) -> list[str]:
    """Say which is best on so many train tiles, and which cannot be distinguished from it.

    Args:
        standing: Who is ranked together.
        phase: Of the experiment: ``phase1``, ``phase2`` or ``phase3``.

    Returns:
        No line where nothing has a rank.
    """
    ranked = standing.ranked
    if not ranked:
        return []
    best = ranked[0]
    if standing.inconclusive is Inconclusive.NO_MODEL:
        lines = [_no_model(standing)]
    else:
        what = f"has the highest val IoU of {len(ranked)}:" if len(ranked) > 1 else "has a val IoU of"
        lines = [f"{best.title}{_tiles(best)} {what} {best.val.iou.text() if best.val.iou else ''}."]
        if len(ranked) > 1:
            lines.append(_lead(standing, phase))
    for row in standing.rows:
        if row.unranked:
            lines.append(f"{row.title}{_tiles(row)} has no rank: {row.unranked}.")
    return lines


def headline(standing: Standing, names: Mapping[str, str]) -> str:
    """Say the same in a few words.

    Args:
        standing: Who is ranked together: two at least, or one that has not learned.
        names: What to call them: a row's ``contender`` to a name.
    """
    ranked, tied = standing.ranked, standing.tied
    if standing.inconclusive is Inconclusive.NO_MODEL:
        return "No model has learned: none has a higher val IoU than a single class everywhere."
    if standing.inconclusive is Inconclusive.ONE_TRAINING:
        return f"No winner yet: {names[ranked[0].contender]} has the highest val IoU, but each model was trained once."
    if standing.inconclusive is Inconclusive.ONE_TILE:
        return "No winner: with a single val tile, none can be called better than another."
    if standing.inconclusive is Inconclusive.ONE_SCENE:
        return "No winner: with val tiles of a single scene, none can be called better than another."
    if not tied:
        return f"{names[ranked[0].contender]} is the best of the {len(ranked)} compared."
    if len(ranked) == 2:
        first, second = (names[row.contender] for row in ranked)
        return f"A tie: neither {first} nor {second} can be called best."
    if len(tied) == len(ranked):
        return f"A tie: none of the {len(ranked)} can be called best."
    return f"A tie: {listing([names[row.contender] for row in tied])} cannot be told apart."


def _lead(standing: Standing, phase: str) -> str:
    """Say which is ahead of which, or why none is."""
    if standing.inconclusive is Inconclusive.ONE_TILE:
        return "None can be called better: a single val tile says nothing about other tiles."
    if standing.inconclusive is Inconclusive.ONE_SCENE:
        return (
            "None can be called better: a single scene says nothing about others; --folds scores tiles of all scenes."
        )
    if standing.inconclusive is Inconclusive.ONE_TRAINING:
        return (
            "None can be called better: each was trained once, so the effect of another seed is unknown; "
            f"{REPEATS.get(phase, '--repeats {}').format(3)} measures it.{_unseen(standing, phase)}"
        )
    if tied := standing.tied:
        names = listing([row.title for row in tied[1:]], len(tied))
        return f"{names} cannot be distinguished from it.{_unseen(standing, phase)}"
    second = standing.ranked[1]
    assert second.difference
    lead = -second.difference
    return f"It is ahead of the next one, {second.title}, by {lead.mean:.3f} ({lead.ends()}, paired by tile)."


def _unseen(standing: Standing, phase: str) -> str:
    return f" {unseen(standing.power, phase, standing.scored)}" if standing.power else ""


def _no_model(standing: Standing) -> str:
    """Say that no model is better than a single class everywhere."""
    best, constant = standing.ranked[0], standing.collapsed[0]
    everywhere = f"{constant.collapsed} everywhere"
    if best.collapsed:
        if len(standing.ranked) == 1:
            return f"{best.title}{_tiles(best)} has not learned: it predicts {everywhere} (val IoU {_iou(best)})."
        return (
            f"No model has learned{_tiles(best)}: all {len(standing.ranked)} predict a single class everywhere; the "
            f"highest val IoU, {_iou(best)}, is that of {everywhere}."
        )
    return (
        f"No model has learned{_tiles(best)}: {constant.title} predicts {everywhere} and has a val IoU of "
        f"{_iou(constant)}; {best.title}, the best of the others, has {_iou(best)}."
    )


def caveats(standings: Sequence[Standing], contenders: Iterable[Contender]) -> list[str]:
    """Say what the intervals and marks are, and how often such intervals hold the truth with so few tiles.

    Args:
        standings: Of an experiment.
        contenders: Its contenders.
    """
    lines = [_collapsed(row, one) for one in standings for row in one.rows if row.collapsed_trainings]
    scored = [contender for contender in contenders if contender.val is not None]
    if not scored:
        return lines
    if uncounted := sorted({tile for one in scored if one.val for tile in one.val.uncounted}):
        lines.append(f"No pixel counts in {listing(uncounted)}: left out of every mean on val.")
    several = [standing for standing in standings if len(standing.ranked) > 1]
    mark = (
        f" {TIE_MARK} marks those that cannot be distinguished from the first."
        if any(one.tied for one in several)
        else ""
    )
    layout = scored[0].val.layout if scored[0].val else Layout.apart(0)
    tiles = layout.tiles
    if tiles == 1:
        lines.append(f"There is a single val tile: it says nothing about other tiles, so there is no interval.{mark}")
    else:
        several_trainings = layout.folds is not None or min(len(one.row.attempts) for one in scored) > 1
        kind, held = "val" if layout.folds is None else "labelled", _shares(*coverage(tiles))
        lines.append(
            f"Intervals are {LEVEL:.0%}, by Student's t, and cover other "
            f"{'scenes' if layout.number_of_scenes < tiles else 'tiles'}"
            f"{' and trainings' if several_trainings else ', not other seeds'}.{mark} "
            f"With {tiles} {kind} tiles such intervals held the truth in {held} of simulated cases"
            f"{FEW if coverage(tiles)[0] < WELL else ''}."
        )
    if withheld := dict.fromkeys(_WITHHELD[one.inconclusive] for one in several if one.inconclusive):
        lines.append(f"P(best) is not shown: {' and '.join(withheld)}.")
    return lines


_WITHHELD: Mapping[Inconclusive, str] = MappingProxyType(
    {
        Inconclusive.ONE_TILE: "it takes several val tiles",
        Inconclusive.ONE_SCENE: "it takes val tiles of several scenes",
        Inconclusive.ONE_TRAINING: "it takes several trainings of a contender",
        Inconclusive.NO_MODEL: "no model has learned",
    }
)


def _collapsed(row: LeaderboardRow, standing: Standing) -> str:
    name, trainings = f"{row.title}{_tiles(row)}", len(row.attempts)
    if row.collapsed:
        place = ", and ranks after the others" if len(standing.collapsed) < len(standing.ranked) else ""
        return f"{name} has collapsed: it predicts {row.collapsed} everywhere on val{place}."
    return f"{row.collapsed_trainings} of {trainings} trainings of {name} predict a single class everywhere on val."


def share(probability: float) -> str:
    """Write a probability as percent, never as a certainty."""
    if not 0.01 <= probability <= 0.99:
        return "<1%" if probability < 0.5 else ">99%"
    return f"{probability:.0%}"


def _shares(low: float, high: float) -> str:
    return f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"


def _tiles(row: LeaderboardRow) -> str:
    return f" on {counted(row.tiles, 'tile')}" if row.draw else ""


def _iou(row: LeaderboardRow) -> str:
    return f"{row.val_iou:.3f}"


def listing(words: list[str], limit: int = 4) -> str:
    """Return ``a, b and c``; a long list is cut."""
    if len(words) > limit:
        words = [*words[: limit - 1], f"{len(words) - limit + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
