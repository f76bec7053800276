"""What the searches learnt: which hyperparameters matter, where good values are, and what halving saved."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import nan
from typing import TYPE_CHECKING, Any

from sweep.charts.svg import SERIES, Axis, Mark, Series, chart, parallel
from sweep.records.trial_result import TrialResult
from sweep.report.blocks import Block, Cell, Chart, Charts, Key, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.numbers import column_cell, score
from sweep.results.search_summary import COLUMNS, GroupSummary, describe_recipe, epochs_saved, gain_notes
from trainables.models.registry import described
from trainables.wording import counted

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 10
"""Finished trials below which an importance would be noise."""
MOST_DOTS, MOST_THREADS = 300, 150


def _begun(source: ReportData) -> list[GroupSummary]:
    return [summary for summary in source.summaries if summary.rows]


def searches(source: ReportData) -> Section | None:
    """Return what halving stopped; None where nothing was searched."""
    summaries = _begun(source)
    return _halving(source, summaries) if summaries else None


def hyperparameters(source: ReportData) -> Section | None:
    """Return which hyperparameters matter, and where good values are; None where nothing was searched."""
    summaries = _begun(source)
    if not summaries:
        return None
    shown = summaries[:SERIES]
    blocks: list[Block] = [_importances(shown)]
    if slices := _slices(shown, source.model_numbers):
        blocks += [slices, _threads(shown, source.model_numbers)]
    if len(summaries) > len(shown):
        blocks.append(Text(lines=[f"The first {len(shown)} of {len(summaries)} searches."]))
    return Section(slug="hyperparameters", title="Hyperparameters", blocks=blocks)


def _architecture(summary: GroupSummary) -> str:
    return summary.study.template.recipe.architecture


def _label(summary: GroupSummary) -> str:
    """Return what a search is called: its model's name, and the number of tiles in a tuned Phase 3."""
    tiles = len(summary.study.template.tiles)
    return described(_architecture(summary)).title + (f", {counted(tiles, 'tile')}" if tiles else "")


def _halving(source: ReportData, summaries: list[GroupSummary]) -> Section:
    stopped = sum(row.status == "stopped" for one in summaries for row in one.rows)
    trials = sum(len(one.rows) for one in summaries)
    if not source.plan.policy.ends_early:
        run = sum(one.epochs_run for one in summaries)
        said = f"Halving was off, so no trial was stopped early. {counted(run, 'epoch')} were trained."
    else:
        said = (
            f"Successive halving (ASHA) stopped {stopped:,} of {counted(trials, 'trial')} early. Epochs: "
            f"{epochs_saved(summaries)}."
        )
    table = Table(
        caption="One line per search",
        detail=frozenset({"trials", "finished", "stopped", "failed", "stopped after", "best recipe"}),
        key="best val IoU",
        columns=[column.heading for column in COLUMNS],
        rows=[
            Row(
                cells=[Cell(text=_label(one)), *(column_cell(column, one) for column in COLUMNS[1:])],
                architecture=_architecture(one),
                number=source.model_numbers.get(_architecture(one)),
            )
            for one in summaries
        ],
        numeric=frozenset(column.heading for column in COLUMNS if column.right),
        notes=[
            *(f"Gain: {note}" for note in gain_notes(summaries)),
            *(
                ["Epochs saved are estimated from how long each search's finished trials ran."]
                if source.plan.policy.ends_early
                else []
            ),
        ],
    )
    return Section(slug="searches", title="Searches", blocks=[Text(lines=[said]), table])


def _importances(summaries: list[GroupSummary]) -> Table | Text:
    names = list(dict.fromkeys(name for one in summaries for name in one.study.space))
    rows = []
    known = False
    for one in summaries:
        finished = [row for row, _ in _scored(one) if row.finished]
        shares = importances(dict(one.study.space), finished) if len(finished) >= FEWEST else {}
        known = known or bool(shares)
        basis = f"{counted(len(finished), 'finished trial')}" + ("" if shares else ": too few, or all alike")
        rows.append(
            Row(
                cells=[
                    Cell(text=_label(one)),
                    *(
                        Cell(text=f"{shares[name]:.0%}", value=shares[name], shade=shares[name])
                        if name in shares
                        else Cell(text="")
                        for name in names
                    ),
                    Cell(text=basis, value=len(finished)),
                ],
                architecture=_architecture(one),
            )
        )
    if not known:
        return Text(
            lines=[
                f"Importance of hyperparameters: not shown, since no search has {FEWEST} finished trials with scores "
                f"that differ."
            ]
        )
    return Table(
        caption="How much each hyperparameter matters",
        columns=["search", *names, "from"],
        rows=rows,
        numeric=frozenset(names),
        notes=[
            "Share of what separates the best trials from the others (PED-ANOVA, Watanabe et al. 2023); of finished "
            f"trials only, since a stopped one has had fewer epochs, and from {FEWEST} of them."
        ],
    )


def importances(space: dict[str, BaseDistribution], rows: list[TrialResult]) -> dict[str, float]:
    """Return each hyperparameter's share, in [0, 1]; empty where nothing can be said.

    Args:
        space: What was searched.
        rows: Finished trials.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if len({row.best_epoch_val_iou for row in rows}) < 2:
        return {}
    study = optuna.create_study(direction="maximize")  # in memory: the studies' own storage may be out of reach
    for row in rows:
        params = {name: getattr(row.recipe, name) for name in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=row.best_epoch_val_iou))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, 5 / len(rows)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError):  # too few different values
        return {}
    return {name: float(value) for name, value in found.items()}


def _scored(summary: GroupSummary) -> list[tuple[TrialResult, float]]:
    """Return a search's trials with their best val IoU, those that have one."""
    return [(row, row.best_epoch_val_iou) for row in summary.rows if row.best_epoch_val_iou is not None]


def _slices(summaries: list[GroupSummary], numbers: Mapping[str, int]) -> Charts | None:
    """Return a chart per hyperparameter: its values against val IoU, one dot per trial."""
    scored = [(one, _scored(one)[:MOST_DOTS]) for one in summaries]
    values = [iou for _, found in scored for _, iou in found]
    if not values:
        return None
    y = Axis.around("best val IoU of crops", values)
    names = list(dict.fromkeys(name for one in summaries for name in one.study.space))
    charts = []
    for name in names:
        axis, place = _axis(name, summaries)
        series = [
            Series(
                label=_label(one),
                number=numbers[_architecture(one)],
                joined=False,
                architecture=_architecture(one),
                marks=[Mark(x=place(row), y=iou, tip=_tip(row, name), hollow=not row.finished) for row, iou in found],
            )
            for one, found in scored
            if name in one.study.space
        ]
        said = f"Best val IoU of crops of each trial against {name}; trials.parquet holds the numbers."
        charts.append(Chart(title=name, svg=chart(label=said, x=axis, y=y, series=series)))
    searches: dict[str, list[str]] = {}  # of a model: one per number of tiles in a tuned Phase 3
    for one in summaries:
        searches.setdefault(_architecture(one), []).append(_label(one))
    legend = [Key(number=numbers[name], label=", ".join(of), architecture=name) for name, of in searches.items()]
    return Charts(
        charts=charts, legend=legend, notes=["One dot per trial; hollow ones were stopped, paused or failed."]
    )


def _axis(name: str, summaries: list[GroupSummary]) -> tuple[Axis, Any]:
    """Return a hyperparameter's axis, and where a trial lies on it."""
    from optuna.distributions import CategoricalDistribution

    spaces = [one.study.space[name] for one in summaries if name in one.study.space]
    if isinstance(spaces[0], CategoricalDistribution):
        choices = list(
            dict.fromkeys(
                choice for one in spaces if isinstance(one, CategoricalDistribution) for choice in one.choices
            )
        )
        ticks = [(float(place), str(choice)) for place, choice in enumerate(choices)]
        axis = Axis(label=name, low=-0.5, high=len(choices) - 0.5, ticks=ticks)

        def among(row: TrialResult) -> float:
            value = getattr(row.recipe, name)
            return float(choices.index(value)) if value in choices else nan

        return axis, among
    low, high = (bound(float(getattr(one, end)) for one in spaces) for bound, end in ((min, "low"), (max, "high")))
    log = all(getattr(one, "log", False) for one in spaces)
    axis = Axis.around(name, [low, high], log=log, margin=0.03)
    return axis, lambda row: float(getattr(row.recipe, name))


def _threads(summaries: list[GroupSummary], numbers: Mapping[str, int]) -> Charts:
    """Return all hyperparameters at once."""
    names = [name for name in summaries[0].study.space if all(name in one.study.space for one in summaries)]
    axes = [_axis(name, summaries) for name in names]
    found = [(iou, numbers[_architecture(one)], row) for one in summaries for row, iou in _scored(one)]
    best = sorted(found, key=lambda item: -item[0])[:MOST_THREADS]
    last = Axis.around("val IoU of crops", [iou for iou, _, _ in best])
    strong = max(1, len(best) // 10)
    lines = [
        ([*(place(row) for _, place in axes), iou], number, _tip(row, *names), rank < strong)
        for rank, (iou, number, row) in enumerate(best)
    ]
    said = (
        "Parallel coordinates: one line per trial through its hyperparameters to its best val IoU of crops; the best "
        "tenth is bold."
    )
    svg = parallel(label=said, axes=[*(axis for axis, _ in axes), last], lines=lines)
    return Charts(
        charts=[Chart(title="All at once", svg=svg, wide=True)],
        notes=[f"The best {len(best):,} trials; the best tenth is bold."],
    )


def _tip(row: TrialResult, *names: str) -> str:
    values = describe_recipe({name: getattr(row.recipe, name) for name in names})
    return f"{row.attempt} ({row.status}): {values}, best val IoU of crops {score(row.best_epoch_val_iou)}"
