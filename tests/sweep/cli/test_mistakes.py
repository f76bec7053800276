"""A command line that cannot be read: one line a fault, with the form that is allowed and what may be meant."""

from __future__ import annotations

import json

import pytest

from sweep.commands import ALL
from trainables.errors import did_you_mean, nearest

COMMANDS = {one.name: one for one in ALL.commands()}


def _said(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        (COMMANDS[name] if name else ALL).run(words)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("phase1 --max-concurrent two", "--max-concurrent two: must be a whole number from 1 to 10,000"),
        ("phase1 --seed abc", "--seed abc: must be a whole number from 0 to 4,294,967,295"),
        ("phase1 --seed=1.5", "--seed 1.5: must be a whole number from 0 to 4,294,967,295"),
        ("phase1 --device gpu", "--device gpu: must be auto, cpu or cuda; did you mean 'cpu'?"),
        ("phase1 --weights none", "--weights none: must be pretrained or random"),
        ("phase1 --sed 4", "--sed: no such option; did you mean '--seed'?"),
        ("phase1 --zzz", "--zzz: no such option; python -m sweep.phase1 --help-all lists all"),
        ("phase1 --plan=1", "--plan: takes no value; leave out =1"),
        ("phase1 --name --plan", "--name: takes a value, NAME, and none was given"),
        ("phase1 demo", "demo: nothing takes this word; options begin with --, see python -m sweep.phase1 --help"),
        ("phase3 --tiles few", "--tiles few: must be whole numbers with commas between them: N,N,..."),
        ("predict x --out o --model m --scale 1", "--scale 1: must be numbers with commas between them: LOW,HIGH"),
        ("predict x --out o --model m --threshold much", "--threshold much: must be a number"),
        ("predict x --out o", "--model: is missing; give --model NAME[/TRIAL]|FILE"),
        ("status --watch soon", "--watch soon: 'soon' is not a number; NAME goes first"),
        ("completion tcsh", "tcsh: must be bash, zsh or fish"),
        (
            "phase1 --lr 0.1",
            "--lr: no such option; learning_rate is part of a recipe: write [ARCHITECTURE] and a line learning_rate = "
            "... into a file for --recipes FILE",
        ),
        ("phase2 --epochs 3", "--epochs: no such option; did you mean '--max-epochs'?"),
        (
            "phase1 --epochs 3",
            "--epochs: no such option; max_epochs is part of a recipe: write [ARCHITECTURE] and a line max_epochs = "
            "... into a file for --recipes FILE; --profile demo trains for few epochs",
        ),
    ],
)
def test_each_mistake_is_one_line_with_what_is_allowed(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *words = line.split()
    assert _said(capsys, name, *words) == [f"error: {said}"]


def test_all_mistakes_are_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = _said(capsys, "phase1", "--sed", "1", "--folds", "x", "--name")
    assert [line.split()[1].rstrip(":") for line in said] == ["--sed", "--folds", "--name"]


def test_an_option_of_the_whole_program_is_looked_for_among_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, "", "--hlp") == ["error: --hlp: no such option; did you mean '--help'?"]


def test_programs_are_given_the_mistake_as_an_event(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMANDS["phase1"].run(["--json", "--seed", "abc"])
    event = json.loads(capfd.readouterr().out)
    assert (event["event"], event["exit_code"]) == ("end", 2) and event["errors"][0].startswith("--seed abc: must be")


def test_of_many_names_the_nearest_three_are_named() -> None:
    names = [f"resnet{number}" for number in range(60)]
    assert did_you_mean("resnt34", names).startswith("did you mean 'resnet34', ")
    assert nearest("resnt34", names).count("'") == 6 and "known" not in nearest("resnt34", names)
    assert nearest("q", names).startswith("the nearest of 60: ") and nearest("q", names).count(",") == 2
    assert nearest("unte", ["unet", "sam"]) == "did you mean 'unet'? known: unet, sam"
