"""What a user is told to do next follows from what has been done, and is never the same command for ever."""

from __future__ import annotations

import io
import os
import shlex
from pathlib import Path

import pytest

from sweep.cli.output import Events, Output
from sweep.cli.terminal import Terminal
from sweep.cli.usage import parse
from sweep.commands import ALL
from sweep.records.experiment import Experiment
from sweep.report.command import ReportOptions
from sweep.report.command import main as report
from sweep.results.leaderboard import Leaderboard
from sweep.session.existing import next_step
from sweep.status.command import StatusOptions
from sweep.status.command import main as status
from tests.cases.experiments import score_all, write_experiment
from trainables.invocation import call


def _output() -> tuple[Output, io.StringIO]:
    stream = io.StringIO()
    return Output(Terminal(file=io.StringIO()), Terminal(file=stream), Events(None)), stream


def _next(experiment: Experiment) -> str:
    """Return what ``status`` says comes next, and see that it is a command line."""
    output, _ = _output()
    assert status(StatusOptions(name=experiment.name, storage=experiment.storage.address), output) == 0
    words = shlex.split(output.next_command)
    assert words[:2] == ["python", "-m"]
    name = words[2].removeprefix("sweep.")
    command = next(one for one in ALL.commands() if one.name == name)
    parse(command.options, words[3:], program=call(name), examples={})
    return output.next_command.removesuffix(f" --storage {experiment.storage.address}")


def _report(experiment: Experiment, out: Path | None = None) -> str:
    output, _ = _output()
    assert report(ReportOptions(names=(experiment.name,), storage=experiment.storage.address, out=out), output) == 0
    return output.next_command.removesuffix(f" --storage {experiment.storage.address}")


def _score(experiment: Experiment) -> None:
    score_all(experiment)
    Leaderboard(experiment).write()


def test_the_way_from_a_first_sweep_to_an_exported_model(tmp_path: Path) -> None:
    first = write_experiment(tmp_path, "phase1-demo")
    assert _next(first) == "python -m sweep.score phase1-demo"
    _score(first)
    assert _next(first) == "python -m sweep.report phase1-demo"
    second_phase = (
        f"python -m sweep.phase2 --profile smoke --patches {tmp_path / 'patches'} --architectures smp_unet_resnet34"
    )
    chosen = [row.architecture for row in Leaderboard(first).rows if row.rank == 1 or row.tied]
    second_phase = second_phase.replace("smp_unet_resnet34", ",".join(chosen))
    assert chosen[0] == "smp_unet_resnet34"
    assert _report(first) == second_phase and _next(first) == second_phase

    second = write_experiment(tmp_path, "phase2-demo", phase="phase2")
    assert _next(first) == "python -m sweep.status phase2-demo", "it is under way there"
    _score(second)
    second.write("best_recipes.toml", b"")
    told = _report(second)
    assert told.startswith("python -m sweep.phase3 --profile smoke") and told.endswith(
        f"--recipes {second.path('best_recipes.toml')}"
    )
    third = write_experiment(tmp_path, "phase3-demo", phase="phase3")
    assert _next(second) == "python -m sweep.status phase3-demo"
    _score(third)
    assert _report(third) == "python -m sweep.export --model phase3-demo" == _next(third)


def test_a_phase_on_other_tiles_is_another_matter(tmp_path: Path) -> None:
    first = write_experiment(tmp_path, "phase1-demo")
    other = {
        "name": "e",
        "synthetic": False,
        "fingerprint": "g",
        "path": "q",
        "train": ["a"],
        "val": ["v0", "v1", "v2"],
    }
    write_experiment(tmp_path, "phase2-demo", phase="phase2", data={**other, "sheet": {}})
    (tmp_path / "my notes").mkdir()
    _score(first)
    assert "sweep.phase2 --profile smoke" in _report(first)


def test_a_report_elsewhere_is_done_and_one_before_the_scores_is_not(tmp_path: Path) -> None:
    first = write_experiment(tmp_path, "phase1-demo")
    assert _report(first) == "python -m sweep.score phase1-demo"
    _score(first)
    os.utime(first.path("report.html"), (1, 1))
    assert _next(first) == "python -m sweep.report phase1-demo", "the page does not know the scores"
    assert "sweep.phase2" in _report(first, tmp_path / "page.html")


def test_an_unfinished_sweep_is_resumed_and_a_failed_one_run_again(tmp_path: Path) -> None:
    unfinished = write_experiment(tmp_path, "a", ended=False, states={"unet": "waiting"})
    assert _next(unfinished) == "python -m sweep.phase1 --resume a"
    failed = write_experiment(tmp_path, "b", states={"unet": "failed", "smp_unet_resnet34": "failed"})
    assert _next(failed) == "python -m sweep.phase1 --profile smoke"


@pytest.mark.parametrize(
    ("ended", "states", "said"),
    [
        (True, {"unet": "stopped"}, ["best           smp_unet_resnet34  val IoU 0.720 of whole val tiles (epoch 2/2)"]),
        (
            False,
            {"unet": "running"},
            [
                "best so far    smp_unet_resnet34  val IoU 0.720 of whole val tiles (epoch 2/2)",
                "best so far    unet  epoch IoU 0.320 in epoch 2/2, not finished",
            ],
        ),
        (
            True,
            {"unet": "stopped", "smp_unet_resnet34": "stopped"},
            ["best           smp_unet_resnet34  epoch IoU 0.720 in epoch 2/2, stopped early"],
        ),
        (
            False,
            {"unet": "stopped", "smp_unet_resnet34": "failed"},
            ["best so far    smp_unet_resnet34  epoch IoU 0.720 in epoch 2/2, then it failed"],
        ),
    ],
)
def test_a_trial_that_was_stopped_for_good_is_not_called_unfinished(
    tmp_path: Path, ended: bool, states: dict[str, str], said: list[str]
) -> None:
    experiment = write_experiment(tmp_path, ended=ended, states=states)  # type: ignore[arg-type]
    output, stream = _output()
    status(StatusOptions(name=experiment.name, storage=experiment.storage.address), output)
    assert [line for line in stream.getvalue().splitlines() if line.startswith("best")] == said


def test_a_name_that_is_taken_comes_with_the_next_step_of_what_has_it(tmp_path: Path) -> None:
    first = write_experiment(tmp_path, "phase1-demo")
    assert "next step: python -m sweep.score phase1-demo" in next_step(first)
    _score(first)
    assert "next step: python -m sweep.report phase1-demo" in next_step(first), "test is not read twice"
