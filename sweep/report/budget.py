"""Phase 3: how IoU grows with labelled tiles."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from markupsafe import Markup

from sweep.report.blocks import Block, Cell, Chart, Charts, Key, Row, Section, Table
from sweep.report.data import ReportData
from sweep.report.data import Row as Record
from sweep.report.numbers import score
from sweep.report.svg import Axis, Mark, Series, chart
from sweep.results.curve_families import NAMES
from sweep.results.entries import label_of
from sweep.results.scaling import Scaling
from sweep.results.statistics import Interval


def budget_section(source: ReportData) -> Section | None:
    """Return the curve and its table; None outside Phase 3 or before the first score."""
    if source.phase != "phase3":
        return None
    trials = [row for entry in source.board.entries for row in entry.trainings]
    splits = {
        split: found
        for split in ("val", "test")
        if (found := [(row, row[f"{split}_iou"]) for row in trials if row[f"{split}_iou"] is not None])
    }
    if not splits:
        return None
    names = list(dict.fromkeys(row["architecture"] for row, _ in splits["val"]))
    titles = {row["architecture"]: row["title"] for row in trials}
    fits = {one.title: one for one in source.board.scalings}
    numbers = source.model_numbers
    charts = [
        Chart(
            title=f"{split} IoU by labelled tiles",
            svg=_curve(found, split, names, fits if split == "val" else {}, numbers),
        )
        for split, found in splits.items()
    ]
    legend = [Key(number=numbers[name], label=titles[name], architecture=name) for name in names]
    notes = ["A point a draw of the tiles; lines run through the means, bands from the lowest to the highest draw."]
    if any(fit.curve for fit in fits.values()):
        notes = [
            f"A point a draw of the tiles; dashed lines are the mean of fitted curves ({NAMES}) with 95 % bands, to "
            "twice the most tiles."
        ]
    blocks: list[Block] = [Charts(charts=charts, legend=legend, notes=notes)]
    blocks += [_table(found, split, names, titles, numbers) for split, found in splits.items()]
    return Section(slug="budget", title="What more tiles are worth", blocks=blocks)


def _groups(found: list[tuple[Record, float]], name: str) -> dict[int, list[float]]:
    groups: dict[int, list[float]] = {}
    for row, iou in found:
        if row["architecture"] == name:
            groups.setdefault(row["tiles"], []).append(iou)
    return dict(sorted(groups.items()))


def _curve(
    found: list[tuple[Record, float]],
    split: str,
    names: list[str],
    fits: Mapping[str, Scaling],
    numbers: Mapping[str, int],
) -> Markup:
    budgets = sorted({row["tiles"] for row, _ in found})
    curves = {name: fit.curve for name in names if (fit := _fit(found, name, fits)) and fit.curve}
    seen = [iou for _, iou in found] + [one.mean for curve in curves.values() for one in curve.values()]
    last = 2 * budgets[-1] if curves else budgets[-1]
    x = Axis(
        label="labelled train tiles",
        low=budgets[0] / 1.15,
        high=last * 1.15,
        log=True,
        ticks=[(float(budget), str(budget)) for budget in dict.fromkeys([*budgets, last])],
    )
    y = Axis.around(f"{split} IoU", seen)
    series = []
    for name in names:
        groups = _groups(found, name)
        title = next((row["title"] for row, _ in found if row["architecture"] == name), name)
        means = [Mark(x=tiles, y=fmean(ious)) for tiles, ious in groups.items()]
        band = [(float(tiles), min(ious), max(ious)) for tiles, ious in groups.items()] if len(groups) > 1 else []
        dots = [
            Mark(x=tiles, y=iou, tip=f"{title}, {tiles} tiles: {split} IoU {iou:.3f}")
            for tiles, ious in groups.items()
            for iou in ious
        ]
        if name in curves:
            means = [Mark(x=tiles, y=one.mean) for tiles, one in curves[name].items()]
            band = [(tiles, *_ends(one, y)) for tiles, one in curves[name].items()]
        series.append(
            Series(
                label=name,
                number=numbers[name],
                marks=means,
                marked=False,
                band=band,
                dashed=name in curves,
                architecture=name,
            )
        )
        series.append(Series(label=name, number=numbers[name], marks=dots, joined=False, architecture=name))
    return chart(label=f"{split} IoU by number of labelled tiles; the table has the numbers.", x=x, y=y, series=series)


def _fit(found: list[tuple[Record, float]], name: str, fits: Mapping[str, Scaling]) -> Scaling | None:
    row = next((row for row, _ in found if row["architecture"] == name), None)  # test may be read of some only
    return fits.get(label_of(row)) if row else None


def _ends(one: Interval, axis: Axis) -> tuple[float, float]:
    """Return an interval's ends, inside of the chart."""
    low, high = (one.mean if end is None else end for end in (one.low, one.high))
    return max(low, axis.low), min(high, axis.high)


def _table(
    found: list[tuple[Record, float]],
    split: str,
    names: list[str],
    titles: Mapping[str, str],
    numbers: Mapping[str, int],
) -> Table:
    budgets = sorted({row["tiles"] for row, _ in found})
    rows = []
    for name in names:
        groups = _groups(found, name)
        cells = [Cell(text=titles[name])]
        for budget in budgets:
            ious = groups.get(budget, [])
            spread = f" ({min(ious):.3f} to {max(ious):.3f})" if len(ious) > 1 else ""
            mean = fmean(ious) if ious else None
            cells.append(Cell(text=score(mean) + spread, value=mean))
        rows.append(Row(cells=cells, architecture=name, number=numbers[name]))
    columns = [f"{budget} tiles" for budget in budgets]
    return Table(
        caption=f"{split} IoU, mean over draws (lowest to highest)",
        columns=["model", *columns],
        rows=rows,
        numeric=frozenset(columns),
    )
