"""Every command ends with a ``next`` that can be typed, to the end of the way; ``completion`` alone prints a file."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image

from sweep.cli.usage import parse
from sweep.commands import ALL
from tests.commands import Run
from tests.conftest import WriteDataset
from tests.shared_sweeps import SharedSweep
from trainables.invocation import call

COMMANDS = {one.name: one for one in ALL.commands()}
WITHOUT = {"completion"}
"""Its output is written into a file that a shell reads."""
SHOWN_ELSEWHERE = {"patches import-pets", "audit map", "audit labels"}
"""The first needs a download, and ends as the others that make a dataset do; audits have tests of their own."""


@pytest.fixture
def patches(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path / "tiles", size=128)


def typed(line: str) -> str:
    """See that a command line is one of ours and parses; returns the command's name."""
    words = shlex.split(line)
    assert words[:2] == ["python", "-m"] and words[2].startswith("sweep."), line
    name, rest = words[2].removeprefix("sweep."), words[3:]
    if name == "patches":
        name, rest = f"patches {rest[0]}", rest[1:]
    if rest != ["--help"]:
        parse(COMMANDS[name].options, rest, program=call(name), examples={})
    return name


def next_of(run: Run, name: str, *arguments: object) -> str:
    """Run a command and return its last line's command, which the last event has as well."""
    first, *more = name.split()
    done = run(first, *more, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.rstrip().splitlines()[-1]
    assert last.startswith("next           "), last
    return last.removeprefix("next           ")


PLAN = ("--plan", "--profile", "smoke", "--patches", "{patches}", "--storage", "{storage}")
CASES = {
    "doctor": ("--profile", "smoke", "--patches", "{patches}", "--storage", "{storage}"),
    "patches check": ("--patches", "{patches}"),
    "patches overview": ("--patches", "{patches}", "--out", "{out}.png"),
    "patches sheet": ("--patches", "{patches}", "--out", "{out}.html"),
    "patches describe": ("--patches", "{patches}", "--out", "{out}.svg"),
    "patches synthesize": ("--dst", "{out}", "--counts", "2,1,1", "--size", "64"),
    "patches make": ("--src", "{patches}", "--dst", "{out}", "--size", "64"),
    **dict.fromkeys(("phase1", "phase2", "phase3", "study"), PLAN),
}


@pytest.mark.parametrize("name", CASES)
def test_what_comes_before_a_sweep_leads_to_one(name: str, patches: Path, tmp_path: Path, here: Run) -> None:
    places = {"patches": patches, "storage": tmp_path / "r", "out": tmp_path / "out"}
    found = typed(next_of(here, name, *(one.format(**places) for one in CASES[name])))
    assert found != name or CASES[name] == PLAN, "no command is its own next"


MODEL = ("--model", "phase1-smoke/smp_unet_resnet34")
AFTER = {
    "status": ("phase1-smoke",),
    "score": ("--verify", "--patches", "{tiles}"),
    "report": ("phase1-smoke",),
    "export": (*MODEL, "--patches", "{tiles}", "--out", "{out}.pt2", "--format", "torch"),
    "next": (
        "{photos}",
        *("--model", "phase1-smoke/smp_unet_resnet34", "--patches", "{tiles}", "--out", "{out}"),
    ),
    "predict": (
        "{tiles}/val/images",
        *("--model", "phase1-smoke/smp_unet_resnet34", "--out", "{out}"),
    ),
}


@pytest.mark.parametrize("name", AFTER)
def test_what_comes_after_a_sweep_leads_on(name: str, scored: SharedSweep, tmp_path: Path, here: Run) -> None:
    storage = scored.copy(tmp_path / "r")
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (128, 128), (90, 120, 60)).save(photos / "p.png")
    places = {"tiles": scored.folder / "tiles", "out": tmp_path / "out", "photos": photos}
    line = next_of(here, name, *(one.format(**places) for one in AFTER[name]), "--storage", storage)
    assert typed(line) != name
    if name == "export":
        folder = shlex.split(line)[3]
        assert Path(folder).is_dir(), "the images are there"


def test_monitoring_starts_what_it_wrote(tmp_path: Path, here: Run) -> None:
    line = next_of(here, "monitoring", "--out", tmp_path / "m")
    assert shlex.split(line) == ["prometheus", f"--config.file={tmp_path / 'm' / 'prometheus.yml'}"]
    assert (tmp_path / "m" / "prometheus.yml").exists()


def test_no_command_is_left_out(here: Run) -> None:
    assert set(CASES) | set(AFTER) | {"monitoring"} | WITHOUT | SHOWN_ELSEWHERE == set(COMMANDS)
    done = here("completion", "bash", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["next"] is None
