"""docs/your-architecture.md, followed literally."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from sweep.records.experiment import Experiment
from tests.commands import Run
from tests.conftest import ROOT
from trainables.storage import Storage

GUIDE = (ROOT / "docs" / "your-architecture.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, dataset: Path) -> Path:
    """A folder with the guide's file beside a dataset called patches."""
    assert dataset == tmp_path / "patches"
    for name, text in re.findall(r"```python (\S+)\n(.*?)```", GUIDE, re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _commands() -> list[tuple[str, list[str]]]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    words = [shlex.split(line) for block in blocks for line in block.splitlines()]
    return [(one[2].removeprefix("sweep."), one[3:]) for one in words]


def test_the_guide_s_file_passes_the_doctor(folder: Path, here: Run) -> None:
    (arguments,) = [arguments for name, arguments in _commands() if name == "doctor"]
    for extra in ((), ("--classes", "5", "--size", "96")):
        done = here("doctor", *arguments, *extra, cwd=folder)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if not line.startswith("next")]
        assert sum(line.startswith("ok ") for line in lines) == 11
        assert not [line for line in lines if line.startswith(("fail", "note"))]


@pytest.mark.slow
def test_the_guide_s_sweep_trains_it_beside_another(folder: Path, run: Run) -> None:
    (arguments,) = [arguments for name, arguments in _commands() if name == "phase1"]
    done = run("phase1", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    description = Experiment(Storage.open(str(folder / "ray_results")), "mine").description
    assert description["ended"]
    trials = [trial["attempt"] for trial in description["plan"]["trials"]]
    assert trials == ["my_models-build", "unet"]
    assert (folder / "ray_results" / "mine" / "my_models-build" / "best.safetensors").is_file()


def test_a_wrong_one_gets_its_verdict_without_a_traceback(folder: Path, here: Run) -> None:
    path = folder / "my_models.py"
    path.write_text(path.read_text().replace("nn.Conv2d(32, channels, 1)", "nn.Conv2d(32, 7, 1)"))
    done = here("doctor", "--architecture", "my_models.py:build", cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    (first, *_) = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    assert "forward returns the shape (2, 7, 16, 16); return (2, 1, h, w) logits" in first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--architecture", "unett"), "did you mean 'unet'"),
        (("--architecture", "nowhere.py:build"), "no file nowhere.py"),
        (("--architecture", "unet", "--classes", "1"), "--classes 1: must be 2 to 64"),
        (("--architecture", "unet", "--size", "8"), "--size 8: must be 32 to 4096"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], said: str, here: Run) -> None:
    done = here("doctor", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line


@pytest.mark.slow
def test_programs_get_a_check_a_line(here: Run) -> None:
    done = here("doctor", "--architecture", "smp:FPN/resnet18", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    checks = [event for event in events if event["event"] == "check"]
    assert len(checks) == 11 and {event["outcome"] for event in checks} == {"ok"}
