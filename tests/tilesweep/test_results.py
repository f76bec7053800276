"""``tilesweep.open``: the numbers are those of the leaderboard and of the report."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import tilesweep
from tests.shared_sweeps import SharedSweep


def test_the_leaderboard_is_the_one_in_the_experiment(scored: SharedSweep) -> None:
    found = tilesweep.open(scored.name, storage=scored.storage)
    written = pd.read_parquet(scored.experiment / "leaderboard.parquet")
    pd.testing.assert_frame_equal(found.leaderboard, written, check_dtype=False)
    assert found.best["rank"] == 1 and found.best["val_iou"] == written["val_iou"].max()
    assert len(found.leaderboard) == 5 and found.leaderboard["test_iou"].notna().any()
    assert "phase1-smoke" in repr(found) and found.address == str(scored.experiment)


def test_without_a_name_the_last_experiment_is_opened(scored: SharedSweep) -> None:
    assert tilesweep.open(storage=scored.storage).name == scored.name


def test_curves_have_a_row_per_trial_and_epoch(scored: SharedSweep) -> None:
    curves = tilesweep.open(scored.name, storage=scored.storage).curves
    assert curves.groupby("attempt")["epoch"].apply(list).map(lambda epochs: epochs == sorted(set(epochs))).all()
    assert curves["attempt"].nunique() == 5


def test_the_budget_curve_is_that_of_phase_3(scored: SharedSweep, curve: SharedSweep) -> None:
    table = tilesweep.open(curve.name, storage=curve.storage).budget_curve
    assert sorted(set(table["tiles"])) == [5, 12, 24]
    with pytest.raises(LookupError, match="phase1-smoke: has no budget curve"):
        _ = tilesweep.open(scored.name, storage=scored.storage).budget_curve


def test_answer_and_notes_are_those_of_the_command(scored: SharedSweep) -> None:
    found = tilesweep.open(scored.name, storage=scored.storage)
    said = " ".join(scored.said("score").split())
    assert found.answer and all(line in said for line in found.answer.split("\n"))
    assert found.notes and all(note in said for note in found.notes)


def test_the_report_is_written_where_it_is_wanted(
    scored: SharedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = scored.copy(tmp_path / "copy")
    found = tilesweep.open(scored.name, storage=storage)
    assert found.report() == storage / scored.name / "report.html"
    page = found.report(tmp_path / "page.html")
    assert page == tmp_path / "page.html" and "<h1" in page.read_text()
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(tilesweep.Error, match=r"mine\.html"):
        found.report(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_a_notebook_shows_a_table(scored: SharedSweep) -> None:
    html = tilesweep.open(scored.name, storage=scored.storage)._repr_html_()
    parser = HTMLParser()
    parser.feed(html)
    parser.close()
    assert html.count("<table") == 2 and "val IoU" in html and "SMP U-Net + ResNet34" in html


def test_what_is_not_there_is_one_line_that_leads_out(scored: SharedSweep, tmp_path: Path) -> None:
    with pytest.raises(tilesweep.Error, match="holds no experiment 'phase1-smok'; did you mean 'phase1-smoke'"):
        tilesweep.open("phase1-smok", storage=scored.storage)
    with pytest.raises(tilesweep.Error, match="holds no experiment"):
        tilesweep.open(storage=tmp_path)
