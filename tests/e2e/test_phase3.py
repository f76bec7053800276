"""Phase 3 as users type it: budgets, draws, the curve; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from tests.audit import Audit
from tests.commands import Run, assert_refused
from tests.conftest import ROOT, WriteDataset
from tests.shared_sweeps import SharedSweep, link_every_file


def _curve(experiment: Path) -> list[dict[str, object]]:
    return pq.read_table(experiment / "budget_curve.parquet").to_pylist()


def test_budgets_give_a_curve_that_score_completes(curve: SharedSweep, here: Run) -> None:
    rows = _curve(curve.experiment)
    assert len(rows) == 2 * 3, "architectures, budgets"
    drawn: dict[tuple[object, object], set[str]] = {}
    for row in rows:
        names = set(row["tile_names"])  # type: ignore[call-overload]
        assert len(names) == row["tiles"]
        assert drawn.setdefault((row["tiles"], row["draw"]), names) == names, "all architectures see the same tiles"
        assert row["val_iou"] is not None and row["test_iou"] is not None
    assert drawn[5, 1] < drawn[12, 1] < drawn[24, 1]
    assert "5 tiles" in curve.said("phase3") and "24 tiles" in curve.said("phase3")
    for split in ("val", "test"):
        picture = ElementTree.parse(curve.experiment / f"budget_curve_{split}.svg").getroot()
        assert picture.get("width") == "752"
    description = json.loads((curve.experiment / "sweep.json").read_text())
    recipes = [trial["recipe"] for trial in description["plan"]["trials"]]
    assert {recipe["draws_per_epoch"] for recipe in recipes} == {8}, "only the data varies"
    assert len((curve.storage / "test_ledger.jsonl").read_text().splitlines()) == 6
    assert_refused(here("score", "--storage", curve.storage), "test was read at")


def test_tuning_searches_at_every_budget_and_trains_its_best_on_the_other_draws(
    run: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    """Stopped by a limit and resumed, which opens no test file either."""
    patches = write_dataset(tmp_path / "patches", train=4)
    link_every_file(patches)
    audit = Audit.of(tmp_path, tmp_path / "store", patches)
    storage = ("--storage", tmp_path / "r")
    arguments = ("--profile", "smoke", "--patches", patches, "--architectures", "unet")
    arguments += ("--tiles", "2,4", "--draws", "3", "--tune", "3", "--budget", "0.00001cpu-hours")
    stopped = run("phase3", *arguments, *storage, **audit.variables)
    assert stopped.returncode == 0 and "stopped by --budget" in stopped.stdout, stopped.stdout + stopped.stderr
    done = run("phase3", "--resume", "phase3-smoke", *storage, **audit.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert audit.opened() and not audit.of_test(patches)
    experiment = tmp_path / "r" / "phase3-smoke"
    trials = pq.read_table(experiment / "trials.parquet").to_pylist()
    assert len(trials) == 2 * (3 + 2)
    for tiles in (2, 4):
        searched = [trial for trial in trials if trial["group"] == f"unet-{tiles}tiles"]
        assert len(searched) == 3 and {trial["draw"] for trial in searched} == {1}
        finished = [trial for trial in searched if trial["status"] == "finished"]
        best = max(finished, key=lambda trial: (not trial["collapsed"], trial["val_iou"]))
        finals = [trial for trial in trials if trial["group"] == f"unet-{tiles}tiles-finals"]
        assert [trial["draw"] for trial in finals] == [2, 3]
        assert {trial["status"] for trial in finals} == {"finished"}
        assert {trial["learning_rate"] for trial in finals} == {best["learning_rate"]}
        assert [trial["seed"] for trial in finals] == [43, 44]
        sets = {tuple(sorted(trial["tile_names"])) for trial in [best, *finals]}
        assert len(sets) > 1 if tiles == 2 else len(sets) == 1, "of two in four, two draws may be the same"
        assert (experiment / f"best_recipes-{tiles}tiles.toml").exists()
    rows = _curve(experiment)
    assert [(row["tiles"], row["draw"]) for row in rows] == [(2, 1), (2, 2), (2, 3), (4, 1), (4, 2), (4, 3)]
    assert "searches" in done.stdout and "unet-2tiles" in done.stdout


def test_the_default_budgets_are_enough_for_a_forecast_and_fit_the_tiles(here: Run, dataset: Path) -> None:
    done = here("phase3", "--profile", "smoke", "--draws", "1", "--plan")
    assert done.returncode == 0, done.stderr
    assert all(f"unet-{budget}tiles-draw1" in done.stdout for budget in (5, 8, 12, 18, 24))
    done = here("phase3", "--profile", "smoke", "--patches", dataset, "--draws", "1", "--plan")  # of 3 train tiles
    assert done.returncode == 0 and "unet-3tiles-draw1" in done.stdout, done.stderr
    assert "unet-1tiles-draw1" in done.stdout and "unet-2tiles-draw1" in done.stdout


def test_it_takes_the_best_recipes(here: Run, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('[unet]\nlearning_rate = 0.005\naugmentation = "LIGHT"\n')
    arguments = ("--profile", "smoke", "--patches", dataset, "--tiles", "2", "--draws", "1", "--plan")
    done = here("phase3", *arguments, "--recipes", tmp_path / "r.toml")
    assert done.returncode == 0, done.stderr
    assert "1 trial," in done.stdout and "unet-2tiles-draw1" in done.stdout and "LIGHT" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tiles", "2,4"), "--tiles 4: there are only 3 train tiles"),
        (("--tiles", "0,2"), "--tiles 0: a budget is at least 1 tile"),
        (("--tiles", "2,2"), "--tiles 2: is given more than once"),
        (("--tiles", "2", "--draws", "0"), "--draws 0"),
        (("--tiles", "2", "--tune", "-1"), "--tune -1"),
        (("--tiles", "2", "--trials", "6"), "--trials: belongs to Phase 2"),
        (("--tiles", "2", "--recipes", "nothing.toml"), "--recipes nothing.toml: cannot be read"),
        (("--tiles", "2", "--recipes", str(ROOT / "pyproject.toml")), "[project] is no architecture"),
    ],
)
def test_impossible_requests_are_one_line(
    here: Run, dataset: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    common = ("--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(here("phase3", *common, *arguments), said)
    assert not list((tmp_path / "results").glob("*/sweep.json"))


def test_numbers_that_are_none_are_refused_by_the_parser(here: Run) -> None:
    done = here("phase3", "--tiles", "five")
    assert done.returncode == 2 and "Traceback" not in done.stderr + done.stdout
