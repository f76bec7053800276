"""What the page on other tools says of those that are installed."""

from __future__ import annotations

import re
from importlib.metadata import version

from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "why.md").read_text(encoding="utf-8")


def test_versions_are_those_that_are_installed() -> None:
    ray, optuna = (".".join(version(name).split(".")[:2]) for name in ("ray", "optuna"))
    assert f"| Ray Tune {ray}, Optuna {optuna} |" in PAGE


def test_ray_s_searcher_calls_a_trial_complete_that_was_stopped_early() -> None:
    searcher = OptunaSearch({"rate": FloatDistribution(0.1, 1)}, metric="val_iou", mode="max")
    searcher.suggest("a")
    searcher.on_trial_result("a", {"training_iteration": 1, "val_iou": 0.2})
    searcher.on_trial_complete("a", {"training_iteration": 2, "val_iou": 0.1})  # as after a scheduler's STOP
    (trial,) = searcher._ot_study.trials
    assert trial.state == TrialState.COMPLETE and trial.value == 0.1


def test_times_are_those_of_the_benchmark() -> None:
    figures = (ROOT / "docs" / "maintainers" / "performance.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (tilesweep|plain Ray Tune|plain Optuna) \| ([\d.]+) \|", figures, re.MULTILINE)[:3])
    said = re.search(r"took (\d+) s here and (\d+) s as plain Ray Tune .*?took (\d+) s", PAGE, re.DOTALL)
    assert said
    assert [round(float(rows[one])) for one in ("tilesweep", "plain Ray Tune", "plain Optuna")] == [
        int(one) for one in said.groups()
    ]
