"""What halving saved is estimated from how long trainings really last, and says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.console import Console

from sweep.planning.plan import StudyPlan
from sweep.results.search_summary import GroupSummary, epochs_saved, print_summaries
from tests.reports import plan_of
from tests.rows import result_of


def _summary(trials: Sequence[tuple[str, int]]) -> GroupSummary:
    """Summarise a search of trials of this status and number of epochs, of 40 at most."""
    rows = [result_of(status=status, epochs=epochs) for status, epochs in trials]
    return GroupSummary(study=StudyPlan(template=plan_of(), space={}, trials=len(rows)), rows=rows, shared=[], won=[])


def test_a_stopped_trial_counts_as_long_as_the_finished_ones_that_outlasted_it() -> None:
    one = _summary([("finished", 4), ("finished", 8), ("stopped", 1), ("stopped", 5)])
    assert one.epochs_run == 18
    assert one.epochs_without_halving == pytest.approx(4 + 8 + (4 + 8) / 2 + 8), "not 40 for either"
    assert epochs_saved([one]) == (
        "18 run; about 26 if none of the 2 stopped trials had been, 31% saved (estimated from how long the 2 finished "
        "ones ran)"
    )


def test_a_trial_that_outlasted_all_finished_ones_saved_nothing_that_is_known() -> None:
    assert _summary([("finished", 4), ("stopped", 6)]).epochs_without_halving == 10


def test_without_a_finished_trial_nothing_is_claimed() -> None:
    known, unknown = _summary([("finished", 4), ("stopped", 1)]), _summary([("stopped", 3), ("failed", 2)])
    assert unknown.epochs_without_halving is None
    assert epochs_saved([known, unknown]) == (
        "10 run; what stopping 2 trials saved is unknown: a search has no finished trial to compare with"
    )


def test_where_nobody_was_stopped_nothing_was_saved() -> None:
    assert epochs_saved([_summary([("finished", 4), ("failed", 2)])]) == "6 run; no trial was stopped early"


def test_the_terminal_says_the_same() -> None:
    console = Console(record=True, width=200)
    one = _summary([("finished", 4), ("stopped", 2)])
    print_summaries([one], console)
    assert epochs_saved([one]) in console.export_text()
    assert "of 44" not in console.export_text()
