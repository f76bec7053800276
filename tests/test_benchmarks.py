"""Benchmarks run: no time is asserted, but that each does its work and writes its figures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from benchmarks import coverage, decoders, profile, report
from benchmarks.agreement import Outcome, read_outcome
from benchmarks.agreement import table as agreement_table
from benchmarks.folds import flattery
from benchmarks.report import Section
from tests.conftest import ROOT
from trainables.data.folds import Fold
from trainables.features import FeatureCache
from trainables.models.sam import SamConv


def test_ratios_say_how_many_times_better() -> None:
    rates = Section(title="t", unit="1/s", values={"a": [4, 1, 2], "b": [6]}, baseline="a", more_is_better=True)
    assert (rates.ratio("a"), rates.ratio("b")) == (1.0, 3.0)
    times = Section(title="t", unit="s", values={"a": [3.0], "b": [1.0, 2.0]}, baseline="a")
    assert times.ratio("b") == 2.0


def test_a_part_s_time_is_its_own_without_that_of_parts_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 4.0, 6.0])
    monkeypatch.setattr(profile.time, "perf_counter", lambda: next(now))
    clock = profile.Clock()
    inner = clock.timed("inner", lambda: 5)
    assert clock.timed("outer", inner)() == 5
    assert clock.spent == {"inner": 3.0, "outer": 3.0}


def test_operations_are_those_of_products_and_convolutions_forward_and_back() -> None:
    layer: nn.Module = nn.Linear(8, 4, bias=False)
    assert profile.operations(lambda: layer(torch.ones(2, 8)).sum().backward()) == 2 * (2 * 2 * 8 * 4)
    view = torch.ones(1, 8, 4, 4, requires_grad=True)
    for layer, forward in (
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), 2 * 16 * 8 * 9),
        (nn.Conv2d(8, 6, 3, padding=1), 2 * 16 * 6 * 8 * 9),
        (nn.ConvTranspose2d(8, 6, 2, stride=2), 2 * 16 * 8 * 6 * 4),
    ):
        assert profile.operations(lambda layer=layer: layer(view).sum().backward()) == 3 * forward  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("augment", ["--side", "128", "--draws", "4", "--repeats", "1"]),
        ("step", ["--architectures", "unet", "--crop", "64", "--steps", "2", "--repeats", "1"]),
        ("sam", ["--side", "256", "--kept-side", "64", "--repeats", "1"]),
        ("decoders", ["--side", "64", "--many", "2", "--repeats", "1"]),
        ("gpu", ["--small"]),
        ("profile", ["--architectures", "unet", "--size", "128", "--crop", "64"]),
        ("memory", ["--architectures", "smp_unet_efficientnet_lite0", "--size", "256"]),
        ("leaks", ["--count", "30"]),
        ("make", ["--count", "3", "--side", "600", "--size", "256"]),
        ("next", ["--windows", "12"]),
    ],
)
def test_a_benchmark_writes_its_figures(name: str, arguments: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    report_name = "gpu-small" if name == "gpu" else name
    page.write_text(f"# Page\n\nprose\n\n<!-- figures of {report_name} -->\n\nold\n\n## Next\n")
    subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_PAGE": str(page)},
        check=True,
        capture_output=True,
        timeout=500,
    )
    before, _, figures = page.read_text().partition(" -->\n")
    assert before.startswith("# Page\n\nprose\n") and "old" not in figures
    assert f"`python -m benchmarks.{name} {' '.join(arguments)}`" in figures and "torch 2" in figures
    measured = "\n- " if name in ("leaks", "make", "next") else "|---|--:|--:|--:|--:|"
    assert measured in figures and figures.endswith("\n## Next\n")


def test_decoders_take_the_same_step_in_one_loop_and_batched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(decoders.DECODERS, "sam_vit_b_conv", lambda: SamConv(nn.Identity(), 256, (8,) * 4, 0.0, 1))
    work = decoders.Work("sam_vit_b_conv", 2, 64, FeatureCache(tmp_path))
    before = [one.head.weight.detach().clone() for one in work.decoders]
    work.in_one_loop()
    work.batched()
    for number, one in enumerate(work.decoders):
        assert not torch.equal(one.head.weight, before[number])
        torch.testing.assert_close(work.stacked.weights["head.weight"][number], one.head.weight, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            work.stacked.statistics["stages.3.1.running_mean"][number], one.stages[3][1].running_mean
        )


def test_figures_without_a_place_on_the_page_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- figures of other -->\n\nold\n")
    monkeypatch.setattr(report, "PAGE", page)
    report.Report(name="nowhere", notes={"share": 0.25}).write()
    assert "- share: 0.25\n" in capsys.readouterr().out
    assert page.read_text() == "<!-- figures of other -->\n\nold\n"
    report.Report(name="other", notes={"share": 0.25}).write()
    assert page.read_text().endswith("- share: 0.25\n") and "old" not in page.read_text()


def test_a_place_without_figures_takes_them_and_leaves_the_next_chapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- figures of new -->\n\n## Next\n\nits figures\n\n## Last\n")
    monkeypatch.setattr(report, "PAGE", page)
    report.Report(name="new", notes={"share": 0.25}).write()
    assert "- share: 0.25\n" in page.read_text()
    assert page.read_text().endswith("\n## Next\n\nits figures\n\n## Last\n")


def test_a_fold_s_own_best_epoch_flatters_by_what_the_others_would_not_have_chosen() -> None:
    epochs = [{"a": 0.2, "b": 0.6, "c": 0.5}, {"a": 0.7, "b": 0.4, "c": 0.4}, {"a": 0.3, "b": 0.5, "c": None}]
    folds = (Fold(val=("a",)), Fold(val=("b", "c")))
    # Own: a at epoch 2 (0.7), b and c at epoch 1 (0.6, 0.5). The others': a at epoch 1 (0.2), b and c at epoch 2.
    assert flattery(epochs, folds) == pytest.approx((0.7 + 0.6 + 0.5) / 3 - (0.2 + 0.4 + 0.4) / 3)


def test_a_coverage_run_that_was_stopped_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cells = tmp_path / "coverage.csv", [cell for cell in coverage.CELLS if cell.tiles == 6][:3]
    monkeypatch.setattr(coverage, "STUDIES", 40)
    first = coverage.simulate(path, cells[:2])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3][:20]]))  # killed while it wrote the second cell
    found = coverage.simulate(path, cells)
    assert list(found) == cells and repr(found[cells[0]]) == repr(first[cells[0]])
    assert len(path.read_text().splitlines()) == 5
    path.write_text(path.read_text().replace(coverage.state(), "of another code"))
    assert coverage.read(path) == {}


def test_the_committed_coverage_table_is_of_the_present_code_and_says_what_the_docs_show() -> None:
    found = coverage.read(coverage.TABLE)
    assert set(found) == set(coverage.CELLS), "python -m benchmarks.coverage has to run again"
    page = (ROOT / "docs" / "maintainers" / "statistics.md").read_text()
    assert all(line in page for line in coverage.summary(found))
    assert not any({coverage.SOLE, coverage.MISSED} & set(coverage.faults(*both)) for both in found.values())


@pytest.mark.parametrize(("tied", "winner"), [(False, "a"), (True, "")])
def test_a_winner_is_named_where_nobody_is_tied_with_the_first(tmp_path: Path, tied: bool, winner: str) -> None:
    rows = [
        {"title": "b", "rank": 2, "tied": tied, "val_iou": 0.1},
        {"title": "a", "rank": 1, "tied": tied, "val_iou": 0.4},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "leaderboard.parquet")
    assert read_outcome(tmp_path) == Outcome({"a": 0.4, "b": 0.1}, winner)


def test_what_each_way_names_is_counted_against_its_own_mean() -> None:
    ways = {
        "one": [
            Outcome({"a": 0.5, "b": 0.4}, "a"),
            Outcome({"a": 0.3, "b": 0.32}, ""),
            Outcome({"a": 0.6, "b": 0.7}, "b"),
        ],
        "two": [Outcome({"a": 0.5, "b": 0.4}, "a")] * 3,
    }
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in agreement_table(ways).splitlines()]
    assert rows[0] == ["", "one", "two"]
    cells = {row[0]: row[1:] for row in rows[2:]}
    assert cells["val IoU of b, mean (sd) over seeds"] == ["0.473 (0.200)", "0.400 (0.000)"]
    assert cells["highest score: the same contender as by all seeds together"] == ["2 of 3", "3 of 3"]
    assert cells["a winner is named, and it is that one"] == ["1 of 3", "3 of 3"]
    assert cells["a winner is named, and it is another one"] == ["1 of 3", "0 of 3"]


@pytest.mark.slow
def test_the_benchmark_of_halving_searches_by_every_policy() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.halving", "--trials", "2", "--seeds", "1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=500,
    )
    lines = [line.split(" | ") for line in found.stdout.splitlines() if line.startswith("| ")]
    assert [cells[0] for cells in lines[2:]] == ["| stop", "| pause", "| off"]
    assert all(0 < float(cells[1].split(", ")[1].rstrip(" |")) <= 1 for cells in lines[2:])
