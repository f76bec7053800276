"""A command that is printed can be pasted: it is quoted, its command takes it, and it is not refused at once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from sweep.cli.console import open_output
from sweep.cli.options import SweepOptions
from sweep.cli.usage import parse
from sweep.patches.commands.shared import command as dataset_command
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from sweep.records.trials import TrialRecords
from sweep.sealed.ledger import Ledger
from sweep.sealed.next_step import next_command
from sweep.session import session
from sweep.session.checks import require_folder
from tests.cases.experiments import a_reading
from tests.docs.pages import COMMANDS, command_lines
from tests.reports import begin_experiment, plan_of
from tests.rows import result_of
from trainables.errors import DataError, ExperimentError
from trainables.invocation import command
from trainables.storage import Storage

PLACE = "my runs ß; rm -rf $HOME 'x'"
"""A folder's name that every unquoted place tears apart."""


def _parsed(text: str) -> tuple[str, object]:
    """Parse the one command line in a text with its command's own parser; returns its name and options."""
    ((name, words),) = command_lines(text)
    for one in COMMANDS:
        first, _, second = one.name.partition(" ")
        if first == name and (not second or words[:1] == [second]):
            return one.name, parse(one.options, words[1:] if second else words, program=name, examples={})
    raise AssertionError(f"no command in {text!r}")


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """An experiment that has ended with one finished trial, in a folder with an odd name."""
    found = begin_experiment(tmp_path / PLACE, plan_of(), ended=True)
    TrialRecords(found).set_state("unet", "finished")
    report = {"epoch": 1, "val_iou": 0.5, "best_epoch": 1, "best_val_iou": 0.5, "final_val_iou": 0.5, "final_tiles": {}}
    found.write("unet/reports.jsonl", json.dumps(report).encode())
    return found


def _end(experiment: Experiment, *, ended: bool) -> None:
    text = json.loads(experiment.read(DESCRIPTION_FILE))
    experiment.write(DESCRIPTION_FILE, json.dumps({**text, "ended": ended}).encode())


def _refusal(experiment: Experiment, **options: object) -> str:
    with pytest.raises(ExperimentError) as caught:
        session.resume_sweep(SweepOptions(storage=experiment.storage.address, **options), "e", open_output())  # type: ignore[arg-type]
    return str(caught.value)


def test_a_resume_of_an_ended_sweep_names_what_comes_next(experiment: Experiment) -> None:
    said = _refusal(experiment)
    assert said.startswith("--resume e: it has ended; ")
    name, options = _parsed(said)
    assert (name, options.storage) == ("score", experiment.storage.address)  # type: ignore[attr-defined]
    Ledger(experiment.storage).append([a_reading()])
    assert _parsed(_refusal(experiment))[0] == "report"  # score would refuse: it has been read


def test_a_plan_of_what_has_begun_names_the_status(experiment: Experiment) -> None:
    name, options = _parsed(_refusal(experiment, plan=True))
    assert (name, options.storage) == ("status", experiment.storage.address)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ended", "status", "expected"),
    [(False, "finished", "phase1"), (True, "finished", "score"), (True, "failed", "phase1")],
)
def test_every_next_step_parses(experiment: Experiment, ended: bool, status: str, expected: str) -> None:
    _end(experiment, ended=ended)
    trial = result_of("unet", 0.5, status=status)
    assert _parsed(next_command(experiment, experiment.description, [trial]))[0] == expected


@pytest.mark.parametrize("phase", ["phase1", "phase2", "phase3"])
def test_the_resume_command_is_quoted(experiment: Experiment, phase: str) -> None:
    name, options = _parsed(experiment.command(phase, "--resume"))
    assert (name, options.resume, options.storage) == (phase, "e", experiment.storage.address)  # type: ignore[attr-defined]


def test_a_missing_dataset_names_the_command_that_draws_one(tmp_path: Path) -> None:
    place = tmp_path / PLACE / "tiles"
    with pytest.raises(DataError) as caught:
        require_folder(place)
    name, options = _parsed(str(caught.value))
    assert (name, options.dst) == ("patches synthesize", place)  # type: ignore[attr-defined]


def test_commands_on_a_dataset_are_quoted() -> None:
    for text in (
        command("patches", "check", "--patches", PLACE),
        dataset_command("phase1", Path(PLACE)),
    ):
        assert _parsed(text)[1].patches == Path(PLACE)  # type: ignore[attr-defined]
    assert shlex.split(command("score", "a b")) == ["python", "-m", "sweep.score", "a b"]


def test_an_empty_storage_names_the_first_command(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment.find(Storage.open(str(tmp_path)), None)
    assert _parsed(str(caught.value).removesuffix(" first"))[0] == "phase1"


def test_commands_are_put_together_in_one_place() -> None:
    """Outside it, no command is glued to what has to be quoted."""
    import re

    from tests.conftest import ROOT

    glued = re.compile(r"\{call\([^)]*\)\}[^\"]*--\w[\w-]* \{")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("trainables", "search_spaces", "sweep")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if glued.search(line) and "shlex" not in line
    ]
    assert not found
