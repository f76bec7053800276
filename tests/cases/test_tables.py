"""Every table at every width: names and scores are whole, no line is too wide, no word is broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import RenderableType

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.cli.output import Events, Output
from sweep.cli.tables import Column, Fitted, Sheet
from sweep.cli.terminal import Terminal
from sweep.cli.wrapping import wrapped
from sweep.observers.trial_table import MAX_RUNNING, TrialRow, TrialTable
from sweep.patches.commands.check import _show_faults
from sweep.patches.commands.describe import _balance_table, _bands_table, _drift_table, _looks_table, _sizes_table
from sweep.patches.look.description import Drift, SplitLook
from sweep.planning.estimate import Estimator, plan_tables
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.resources import Resources
from sweep.records.trials import TrialPlan
from sweep.results.budget_curve import print_curve
from sweep.results.classes import ClassRow, class_table
from sweep.results.leaderboard import Leaderboard
from sweep.results.rows import LeaderboardRow
from sweep.results.search_summary import GroupSummary, print_summaries
from sweep.results.statistics import Interval
from sweep.sealed.audit import AuditResult, show_audit
from tests.cases.screens import FakeTerminal, has, printed, widest, words
from tests.rows import result_of, row_of
from trainables.data.imagery import RGB
from trainables.models.registry import ARCHITECTURES
from trainables.models.weights import Weights
from trainables.task import Task

WIDTHS = (60, 80, 100, 140)
LONGEST = max((entry.title for entry in ARCHITECTURES.values()), key=len)
OWN = "my_models_py_" + "build_" * 7 + "model"  # 60 letters without a blank
SLUG = "smp_unetplusplus_tu-tf_efficientnet_lite0-012"


def _row(rank: int, title: str, **changes: Any) -> LeaderboardRow:
    val, test = (Interval(mean=0.6 + shift + rank / 1000, low=0.55, high=0.75) for shift in (0.0, 0.1))
    recipe = {"learning_rate": 1e-4, "augmentation": "MEDIUM", "decoder_dropout": 0.3, "bce_weight": 0.5}
    common = {"slug": "a", "contender": "a", "candidate": "", "weights": "ImageNet (package)", "tied": rank < 3}
    rest = {"best_epoch": 31, "epochs": 40, "probability_best": 0.3, "seconds": 3600.0, "test_readings": 1}
    rest |= {"attempts": ("a", "b", "c"), "difference": Interval(mean=-0.012, low=-0.1, high=0.02)}
    return row_of("a", val, test, **{**recipe, **common, **rest, "rank": rank, "title": title, **changes})


def _board(*rows: LeaderboardRow) -> Leaderboard:
    board = Leaderboard.__new__(Leaderboard)
    board.rows = list(rows)
    description = {"data": {"name": "roofs of a town with a long name", "synthetic": True}}
    board.experiment = SimpleNamespace(name="phase1-paper", description=description)  # type: ignore[assignment]
    return board


def _collect(show: Callable[[Terminal], Any], width: int) -> str:
    stream = FakeTerminal()
    show(Terminal(file=stream, width=width, height=24, color_system=None))
    return stream.getvalue()


def _show(renderable: RenderableType) -> Callable[[Terminal], None]:
    return lambda console: console.print(renderable)


def test_the_longest_names_of_ours_are_in_these_tables() -> None:
    assert len(LONGEST) > 30 and len(OWN) == 60


@pytest.mark.parametrize("width", WIDTHS)
def test_the_leaderboard_names_rank_model_and_score(width: int) -> None:
    titles = [LONGEST, "U-Net from scratch", f"{LONGEST} ({SLUG})", OWN]
    text = printed(_board(*(_row(rank, title) for rank, title in enumerate(titles, 1))).sheet(), width=width)
    assert widest(text) <= width
    shown = words(text)
    for rank, title in enumerate(titles, 1):
        assert f"{0.6 + rank / 1000:.3f}" in shown and f"{rank}{'=' if rank < 3 else ''}" in shown.split()
        assert has(text, title)
    assert "learning rate 0.0001" in shown, "what all rows share is said once"


@pytest.mark.parametrize("width", WIDTHS)
def test_usual_models_have_a_table_at_any_width(width: int) -> None:
    text = printed(_board(_row(1, LONGEST), _row(2, "SMP U-Net + ResNet34")).sheet(), width=width)
    (head,) = [line for line in text.splitlines() if line.split()[:2] == ["rank", "model"]]
    assert "val IoU" in head and widest(text) <= width
    line = next(line for line in text.splitlines() if "SMP U-Net + ResNet34" in line)
    assert line.split()[0] == "2=" and "0.602" in line


def test_the_least_important_columns_leave_first_and_that_is_said() -> None:
    board = _board(_row(1, "U-Net from scratch"), _row(2, "SMP U-Net + ResNet34", learning_rate=0.1))
    left = {}
    for width in WIDTHS:
        said = words(printed(board.sheet(), width=width)).partition(f"left out at {width} columns: ")[2]
        left[width] = {name for name in said.partition(";")[0].split(", ") if name}
        assert ("leaderboard.csv has them" in said) == bool(left[width])
    assert left[60] > left[80] > left[100] > left[140] == set()
    assert not {"test IoU"} & left[80] and {"time", "best epoch"} <= left[80]


def _trials(count: int, state: str = "running", name: str = SLUG) -> TrialTable:
    rows = [TrialRow(f"{name}{number}", "g", "unet", 40) for number in range(count)]
    for row in rows:
        row.state, row.epoch, row.val_iou, row.best = state, 12, 0.345, 0.456  # type: ignore[assignment]
        row.loss, row.rate, row.epochs_timed, row.seconds = 0.7, 1e-4, 12, 999.0
    return TrialTable(count, 2, rows)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("state", ["running", "broken off", "finished"])
def test_the_live_table_shows_trial_state_and_score(width: int, state: str) -> None:
    text = printed(_trials(3, state).draw("(3 min  ETA 2 h)"), width=width)
    assert widest(text) <= width
    for number in range(3):
        assert f"{SLUG}{number}" in text and text.count(state) >= 3 and text.count("0.345") == 3


@pytest.mark.parametrize("count", [1, 3, 12, 13, 30, 300])
@pytest.mark.parametrize("size", [(80, 24), (60, 12), (200, 50)])
def test_the_live_table_is_no_higher_than_the_screen(count: int, size: tuple[int, int]) -> None:
    table = _trials(count, name="unet-")
    width, height = size
    text = printed(Fitted(lambda most: table.draw("(3 s)", most), MAX_RUNNING), width=width, height=height)
    assert len(text.splitlines()) <= height - 1 and widest(text) <= width
    assert f"of {count} trials done" in text and "0.345" in text
    shown = len(re.findall(r"^unet-\d+ ", text, re.M))
    assert shown == count or f"and {count - shown} more" in text


def _plan(name: str) -> TrialPlan:
    recipe = shared_recipe("unet", get_profile("paper"))
    weights = (
        Weights(kind="random", label="random") if "label" in Weights.__dataclass_fields__ else Weights(kind="none")
    )
    return TrialPlan(attempt=name, contest=name, recipe=recipe, weights=weights)


def _space() -> Any:
    from optuna.distributions import FloatDistribution

    names = ("learning_rate", "decoder_dropout", "bce_weight", "weight_decay")
    return dict.fromkeys(names, FloatDistribution(1e-5, 1e-2))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_names_every_trial_and_search_whole(width: int) -> None:
    names = [f"{SLUG}-{number}" for number in range(3)]
    plan = SweepPlan(
        trials=tuple(map(_plan, names)),
        studies=tuple(StudyPlan(template=_plan(f"s-{name}"), space=_space(), trials=30) for name in names),
    )
    mask = np.zeros((64, 64), np.uint8)
    data = SimpleNamespace(train=[0] * 24, val=[SimpleNamespace(mask=mask)] * 6)
    resources = Resources(device="cpu", cpus_per_trial=1, gpus_per_trial=0, concurrent=2, total_cpus=2, total_gpus=0)
    tables = plan_tables(plan, resources, Estimator(data=data, device="cpu"))  # type: ignore[arg-type]
    trials, studies = (printed(table, width=width) for table in tables)
    assert max(widest(trials), widest(studies)) <= width
    for name in names:
        assert name in trials and f"s-{name}" in studies
    assert "estimate" in trials and "the same in all rows" in trials


@pytest.mark.parametrize("width", WIDTHS)
def test_searches_show_what_was_found(width: int) -> None:
    values = {"learning_rate": 1.23e-4, "augmentation": "MEDIUM", "decoder_dropout": 0.25, "bce_weight": 0.5}

    class Summary(GroupSummary):
        best_val_iou, shared_val_iou, gain = 0.712, 0.701, 0.011  # type: ignore[assignment]
        best_values = values  # type: ignore[assignment]

    rows = [result_of("unet", 0.7, epochs=2)]
    study = SimpleNamespace(name=SLUG, confirm=0)
    found = [Summary(study=study, rows=rows, shared=rows, won=[]) for _ in range(2)]  # type: ignore[arg-type]
    text = _collect(lambda console: print_summaries(found, console), width)
    assert widest(text) <= width and text.count(SLUG) == 2 and text.count("0.712") == 2
    if "best recipe" in text.splitlines()[1]:
        assert "learning_rate" in text and "MEDIUM" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_classes_budgets_and_readings_are_whole(width: int) -> None:
    task = Task(kind="multiclass", classes=("ground", "roof", "tree"), colours=((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    score = SimpleNamespace(class_iou=(0.1, 0.2, 0.3), iou=0.211, frequency_weighted_iou=0.4, pixel_accuracy=0.5)
    row = ClassRow(contender="a", label=LONGEST, architecture="unet", split="val", pooled=score)  # type: ignore[arg-type]
    text = printed(class_table(task, [row]), width=width)
    assert widest(text) <= width and has(text, LONGEST) and "0.211" in text
    rows = [_row(1, LONGEST, tiles=tiles, contender=f"a-{tiles}tiles") for tiles in (5, 12, 24)]
    text = _collect(lambda console: print_curve(rows, console), width)
    assert widest(text) <= width and text.count("0.701") == 3 and "24 tiles" in words(text)
    check = AuditResult(reading=None, attempt=f"phase2-paper/{SLUG}", weights="missing", data="matches", test="matches")
    output = Output(Terminal(), Terminal(), Events(None))

    def show(console: Terminal) -> None:
        output.results = console
        show_audit(
            [check], SimpleNamespace(address="ray_results/test_ledger.jsonl", notes=list, last_hash="0" * 40), output
        )  # type: ignore[arg-type]

    text = _collect(show, width)
    assert widest(text) <= width and f"phase2-paper/{SLUG}" in text and "missing" in text


def _look(seed: int) -> SplitLook:
    random = np.random.default_rng(seed)
    return SplitLook(
        tiles=24, sizes={"1024x1024": 20, "512x512": 4}, pixels=np.array([900, 100]), ignored=0.0,
        means=random.random(3) * 200, deviations=random.random(3) * 50, features={"sharpness": random.random(5) * 1e4},
        ranges=np.array([[0, 255]] * 3), empty=("t1",),
    )  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_a_dataset_is_described_and_its_faults_are_listed(width: int) -> None:
    looks = {split: _look(number) for number, split in enumerate(("train", "val", "test"))}
    drifts = [
        Drift(split=split, feature=feature, difference=0.83, statistic=0.5, probability=0.04)
        for split in ("val", "test")
        for feature in ("sharpness", "share of foreground")
    ]
    tables = (
        _looks_table(Path("/data/tiles"), looks), _sizes_table(looks), _bands_table(looks, RGB),
        _balance_table(looks, [0.5, 4.5], Task()), _drift_table(drifts),
    )  # fmt: skip
    text = printed(*tables, width=width)
    assert widest(text) <= width and "90.0%" in text and has(text, "share of foreground") and "differs" in text
    output = Output(Terminal(), Terminal(), Events(None))

    def show(console: Terminal) -> None:
        output.results = console
        fault = f"/data/tiles/train/masks/{SLUG}.png: is 100x100, its image is 200x200; export the mask again"
        _show_faults(Path("/data/tiles"), (fault,), output)

    text = _collect(show, width)
    assert widest(text) <= max(width, len(f"/data/tiles/train/masks/{SLUG}.png"))
    assert f"/data/tiles/train/masks/{SLUG}.png" in text.replace("\n", "") and has(text, "export the mask again")


def test_a_row_becomes_lines_where_no_table_fits() -> None:
    columns = [
        Column(heading="rank", value=lambda row: row[0], right=True),
        Column(heading="model", value=lambda row: row[1], least=24),
        Column(heading="val IoU", value=lambda row: row[2], format=".3f", right=True),
        Column(heading="time", value=lambda row: "1 h", priority=2),
    ]
    text = printed(Sheet("title", columns, [(1, OWN, 0.5), (2, "U-Net", 0.25)]), width=60)
    assert text.splitlines() == ["title", OWN, "  rank 1  val IoU 0.500", "U-Net", "  rank 2  val IoU 0.250",
                                 "left out at 60 columns: time"]  # fmt: skip


def test_sentences_are_wrapped_at_blanks_and_no_word_is_broken() -> None:
    text = f"{OWN} is ahead by 0.182 (0.120 to 0.386), paired by tile, with an interval of 95 percent."
    for width in (20, 40, 80):
        lines = wrapped(text, width)
        assert " ".join(lines) == text
        assert all(len(line) <= width or " " not in line for line in lines)
    assert wrapped("state  one two", 10, indent=7) == ["state  one", "       two"]
    assert wrapped("", 10) == [""] and wrapped("a\n\nb", 5) == ["a", "", "b"]


def test_a_pipe_gets_a_sentence_in_one_line() -> None:
    text = "word " * 60
    assert printed(text, width=80, terminal=False).splitlines() == [text]
    assert len(printed(text, width=80).splitlines()) == 4
