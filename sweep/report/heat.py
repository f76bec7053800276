"""Which tiles are hard, and for whom."""

from __future__ import annotations

from statistics import fmean

from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.numbers import score
from sweep.results.rows import LeaderboardRow

MOST_ROWS, MOST_TILES = 20, 20


def tile_heat(source: ReportData) -> Section | None:
    """Return a table of IoU by contender and tile, for val and test; None before the first scores."""
    tables = [table for split in ("val", "test") if (table := _table(source, split))]
    if not tables:
        return None
    intro = Text(
        lines=[
            "One row per model, one column per tile, the hardest tile (lowest mean) on the left. Cells show the IoU of "
            "the whole tile: dark is poor, bright is good."
        ]
    )
    return Section(slug="tiles", title="Tile by tile", blocks=[intro, *tables])


def ious_of(source: ReportData, row: LeaderboardRow, split: str) -> dict[str, float]:
    """Return a contender's IoU by tile, the mean over its trainings."""
    found = [scores for one in row.attempts if (scores := source.tile_scores[split].get(one))]
    if not found:
        return {}
    return {tile: fmean(scores[tile] for scores in found if tile in scores) for tile in found[0]}


def hardest_first(scores: list[dict[str, float]]) -> list[tuple[str, float]]:
    """Return tiles with their mean IoU over contenders, the lowest first."""
    tiles: dict[str, list[float]] = {}
    for one in scores:
        for tile, iou in one.items():
            tiles.setdefault(tile, []).append(iou)
    return sorted(((tile, fmean(ious)) for tile, ious in tiles.items()), key=lambda item: item[1])


def _table(source: ReportData, split: str) -> Table | None:
    scored = [(row, ious) for row in source.rows if (ious := ious_of(source, row, split))]
    if not scored:
        return None
    order = hardest_first([ious for _, ious in scored])
    tiles = order[:MOST_TILES]
    notes = []
    if len(scored) > MOST_ROWS:
        notes.append(f"The first {MOST_ROWS} of {len(scored):,} contenders; means are over all.")
    if len(order) > len(tiles):
        notes.append(f"The hardest {len(tiles)} of {len(order):,} tiles.")
    mean = Row(
        cells=[Cell(text="mean of all"), *(Cell(text=score(value), value=value, shade=value) for _, value in tiles)]
    )
    rows = [
        Row(
            cells=[
                Cell(text=source.label(row)),
                *(Cell(text=score(ious.get(tile)), value=ious.get(tile), shade=ious.get(tile)) for tile, _ in tiles),
            ],
            architecture=row.architecture,
            number=source.numbers[row.contender],
        )
        for row, ious in scored[:MOST_ROWS]
    ]
    names = [tile for tile, _ in tiles]
    return Table(
        caption=f"IoU of each {split} tile, the hardest first",
        columns=["model", *names],
        rows=rows,
        foot=[mean] if len(scored) > 1 else [],
        numeric=frozenset(names),
        notes=notes,
    )
