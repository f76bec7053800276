"""The commands as a whole: their list, their flags, their help, and completion in a shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from sweep import __version__
from sweep.cli.groups import HEADINGS, Headings
from sweep.cli.marks import REFUSED
from sweep.cli.marks import flag as flag_of
from sweep.cli.usage import parse, rare, with_mark
from sweep.commands import ALL
from sweep.completion.command import script
from sweep.patches.command import COMMAND as PATCHES
from tests.conftest import ROOT
from trainables.invocation import call
from trainables.models.registry import ARCHITECTURES

SCREEN = 45
"""Lines of a terminal that shows a whole help."""

SWEEPS = ("phase1", "phase2", "phase3")
RUNS = (*SWEEPS, "study")
MADE = ("patches make", "patches import-pets", "patches synthesize")
AUDITS = ("audit labels", "audit map")
SHARED_FLAGS = {
    "grid": ("patches make", "doctor", *RUNS),
    "storage": ("doctor", *RUNS, "status", "score", "report", "next", "predict", "export", *AUDITS),
    "patches": (
        "patches check",
        "patches overview",
        "patches sheet",
        "patches describe",
        "doctor",
        *RUNS,
        "score",
        "next",
        "predict",
        "export",
        "audit labels",
    ),
    "device": (*RUNS, "score", "next", "predict", "audit labels"),
    "address": ("doctor", *RUNS, "score"),
    "recipes": ("phase1", "phase3", "score"),
    **dict.fromkeys(("tiles", "draws"), ("phase3", "next")),
    "folds": (*RUNS, "next"),
    "architecture": ("doctor", "next"),
    "seed": ("patches make", "patches import-pets", "patches synthesize", *RUNS, "next", *AUDITS),
    "src": ("patches make", "patches import-pets"),
    "dst": MADE,
    "force": MADE,
    "size": ("doctor", *MADE, "next", "export"),
    "counts": ("patches import-pets", "patches synthesize"),
    "classes": ("doctor", "patches make", "audit map"),
    **dict.fromkeys(("bands", "scale"), ("patches make", "next", "predict")),
    **dict.fromkeys(("ensemble", "batch_size", "skip_bad"), ("next", "predict")),
    **dict.fromkeys(("task", "split_origin", "no_leak_check"), ("patches make", "patches check")),
    "out": (
        "patches overview",
        "patches sheet",
        "patches describe",
        "monitoring",
        "report",
        "next",
        "predict",
        "export",
        *AUDITS,
    ),
    "overwrite": (
        "patches overview",
        "patches sheet",
        "patches describe",
        "monitoring",
        "report",
        "next",
        "predict",
        "export",
        "audit labels",
    ),
    "model": ("next", "predict", "export", "audit labels"),
    "fold": ("next", "predict", "export"),
    "calibrated": ("predict", "export"),
    "group_by": ("patches make", "patches check", *RUNS, "audit labels"),
    "trust_code": (*RUNS, "score", "next", "predict", "export", "audit labels"),
    "repeats": ("phase1", "phase2", "study"),
    "no_probes": ("phase1", "phase3", "study"),
    "warm_from": ("phase2", "phase3", "study"),
    "refit": (*RUNS, "predict", "export"),
    **dict.fromkeys(("profile", "architectures", "sam_checkpoint", "sam_sha256", "offline"), ("doctor", *RUNS)),
}
"""Flags -> the commands that take them."""
OWN_FLAGS = {
    ("patches make",): """images masks mask_suffix dry_run split shares tiles_per_source overlap min_foreground
        negatives nudge foreground labels layer class_attribute extent crs title origin licence gsd add
        take_prelabels""",
    ("next",): "count strategy replay uncertainty_map",
    ("patches import-pets",): "fit uncertain subset val_share",
    ("patches synthesize",): "kind",
    ("patches check",): "update",
    ("doctor",): "model_size constraints",
    ("phase1",): "fill",
    RUNS: """unlabelled pool_val allow_leak name resume trust_owner plan budget max_concurrent
        gpus_per_trial max_failures compile profile_trace tensorboard overlays_every mlflow wandb weights""",
    SWEEPS: "measure time",
    ("study",): "until",
    SWEEPS[1:]: """trials space extra_knobs max_epochs grace_period reduction_factor halving sampler
        optuna_storage""",
    ("phase2",): "confirm",
    ("phase3",): "tune",
    ("status",): "watch",
    ("monitoring",): "ray_temp prometheus",
    ("score",): "attempts again verify",
    ("report",): "audit browse live pdf",
    ("predict",): "from_map tta threshold probability polygons min_area simplify regularise mosaic on_top nodata clip "
    "ignore_alpha resample workers band_files uncertainty",
    ("export",): "format opset for_program int8",
    ("audit map",): "sample image filled",
}
"""Commands -> the flags that they alone take."""


COMMANDS = {one.name: one for one in ALL.commands()}


@dataclass(frozen=True)
class Form:
    """How a flag's value is written."""

    type: str
    metavar: str


def _form(hint: Any) -> Form:
    """Return what a flag takes, whether or not it may be left out."""
    metavar = ""
    while True:
        named = [one.metavar for one in getattr(hint, "__metadata__", ()) if getattr(one, "metavar", None)]
        metavar = metavar or (named[-1] if named else "")
        inner = [one for one in get_args(hint) if one is not type(None)]
        if hasattr(hint, "__metadata__"):
            hint = hint.__origin__
        elif type(None) in get_args(hint) and len(inner) == 1:
            hint = inner[0]
        else:
            break
    if get_origin(hint) is Literal:
        return Form("choice", ",".join(get_args(hint)))
    return Form(str(hint), metavar)


def _positional(hint: Any) -> bool:
    return any("Positional" in str(one) for one in getattr(hint, "__metadata__", ()))


def _flags() -> dict[str, dict[str, Form]]:
    found: dict[str, dict[str, Form]] = defaultdict(dict)
    for name, command in COMMANDS.items():
        hints = get_type_hints(command.options, include_extras=True)
        for one in fields(command.options):
            if not _positional(hints[one.name]):
                found[one.name][name] = _form(hints[one.name])
    return found


def test_the_set_of_flags_is_as_promised() -> None:
    """A new flag is a promise: it is made here on purpose."""
    expected = {flag: set(commands) for flag, commands in SHARED_FLAGS.items()}
    expected |= {flag: set(commands) for commands, flags in OWN_FLAGS.items() for flag in flags.split()}
    expected |= {flag: set(COMMANDS) for flag in ("quiet", "json")}
    assert {flag: set(forms) for flag, forms in _flags().items()} == expected


def test_a_flag_takes_the_same_everywhere() -> None:
    differing = {flag: forms for flag, forms in _flags().items() if len(set(forms.values())) > 1}
    del differing["grid"]  # of tiles, or of architectures
    del differing["classes"]  # which ones, how many, or their names
    del differing["budget"]  # of training in a sweep; of everything in a study
    del differing["bands"], differing["scale"]  # of all images of a dataset, also all and percentiles; of one raster
    assert set(differing) == {"out", "patches"}  # a file or a folder; and only what is left unchanged may be remote
    assert {form.type for forms in differing.values() for form in forms.values()} == {str(Path)}


def test_every_command_is_listed() -> None:
    modules = {path.stem for path in (ROOT / "sweep").glob("*.py") if "\nCOMMAND = " in path.read_text()}
    for file in ("command.py", "__main__.py"):
        folders = {path.parent.name for path in (ROOT / "sweep").glob(f"*/{file}")}
        assert folders | modules == set(ALL.names()) and not folders & modules


def _python(*arguments: str, columns: int = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": str(columns)},
    )


def test_the_list_names_the_commands_in_the_order_of_use() -> None:
    done = _python("sweep")
    assert done.returncode == 0 and "python -m sweep.NAME --help" in done.stdout
    places = [done.stdout.index(f"\n  {name} ") for name in ALL.names()]
    assert places == sorted(places)


def test_the_list_runs_commands_too() -> None:
    done = _python("sweep", "phase1", "--profile", "smoky")
    assert done.returncode == 2 and done.stderr.startswith("error: --profile 'smoky'")
    assert _python("sweep", "--version").stdout == f"tilesweep {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sweep", "phas1"), "error: python -m sweep.phas1: no such command; did you mean 'phase1'?"),
        (("sweep.patches", "mke"), "error: python -m sweep.patches mke: no such command; did you mean 'make'?"),
    ],
)
def test_a_wrong_command_is_one_line(words: tuple[str, ...], said: str) -> None:
    done = _python(*words)
    assert done.returncode == 2 and done.stderr.startswith(said) and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_one_screen_with_examples(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = COMMANDS[name]
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        command.run(["--help"])
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert caught.value.code == 0 and len(lines) <= SCREEN and max(map(len, lines)) <= 120
    assert f"  {call(name)}" in text
    assert ("--help-all" in text) == bool(rare(command.options))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_all_shows_every_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMANDS[name].run(["--help-all"])
    text = capsys.readouterr().out
    refused = with_mark(COMMANDS[name].options, REFUSED)
    for flag, commands in _flags().items():
        shown = re.search(rf"{flag_of(flag)}(?![\w-])", text)
        assert name not in commands or (shown is None) == (flag in refused)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_has_a_heading_for_every_group_of_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMANDS[name].run(["--help-all"])
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if line.removesuffix(":") in (*HEADINGS, "options", "positional arguments")]
    known = {one.name for one in fields(COMMANDS[name].options)}
    found = [Headings(known).heading(one) for one in known]
    expected = [heading for heading in HEADINGS if heading in found]
    assert found.count(None) <= 5, "what few options have no group of their own"
    assert [line.removesuffix(":") for line in headings if line.removesuffix(":") in HEADINGS] == expected
    assert len(expected) > 1 or not set(HEADINGS["machine"].split()) & known


def test_options_under_headings_exist_and_those_under_two_mean_another_thing_elsewhere() -> None:
    names = " ".join(HEADINGS.values()).split()
    twice = {name for name in names if names.count(name) > 1}
    of_maps = {"bands", "band_files", "scale", "refit"}
    of_choosing = {"size", "tiles", "draws", "folds", "architecture"}
    assert twice == {"grid"} | of_maps | of_choosing and set(names) <= set(_flags())


@pytest.mark.parametrize("name", ["phase1", "phase2", "phase3"])
def test_a_help_names_what_architectures_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        COMMANDS[name].run(["--help"])
    said = " ".join(capsys.readouterr().out.partition("architectures: ")[2].split())
    assert all(one in said or one.startswith(("segformer_b", "smp_unet_efficientnet_lite")) for one in ARCHITECTURES)
    assert "segformer_b0 to segformer_b5" in said and "smp:NETWORK/ENCODER, probe:NAME, FILE.py:FUNCTION" in said


def test_what_a_command_refuses_is_in_no_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert with_mark(COMMANDS["phase3"].options, REFUSED) == {"trials"}
    for words in (["--help-all"], ["--trials", "5"]):
        with pytest.raises(SystemExit):
            COMMANDS["phase3"].run(words)
    said = capsys.readouterr()
    assert "--trials" not in said.out and said.err.startswith("error: --trials: belongs to Phase 2; --tune N gives")


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name, command in COMMANDS.items() for words in command.examples]
)
def test_every_example_is_a_command_line(name: str, words: str) -> None:
    parse(COMMANDS[name].options, shlex.split(words.partition(" > ")[0]), program=call(name), examples={})


def test_rare_options_work_though_help_leaves_them_out(capsys: pytest.CaptureFixture[str]) -> None:
    parsed = parse(COMMANDS["phase1"].options, ["--max-failures", "7"], program="x", examples={})
    assert getattr(parsed, "max_failures") == 7  # noqa: B009
    with pytest.raises(SystemExit):
        COMMANDS["phase1"].run(["--help"])
    assert "--max-failures" not in capsys.readouterr().out


def test_hints_use_the_script_where_the_user_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/tilesweep", "phase1"])
    assert call("score") == "tilesweep score" and call() == "tilesweep"
    PATCHES.show()
    assert "begin with: tilesweep patches synthesize --dst patches" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        COMMANDS["score"].run(["--help"])
    assert "  tilesweep score phase2-paper" in capsys.readouterr().out


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def _complete(tmp_path: Path, line: str) -> list[str]:
    """Press Tab at the end of a line of bash, and return what it offers."""
    (tmp_path / "tilesweep.bash").write_text(script("bash"))
    words = line.split(" ")
    quoted = " ".join(map(shlex.quote, words))
    commands = (
        f"source tilesweep.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMP_LINE={shlex.quote(line)}; "
        f"COMP_POINT={len(line)}; $(complete -p tilesweep | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", commands], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


@needs_bash
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tilesweep ph", ["phase1", "phase2", "phase3"]),
        ("tilesweep patches im", ["import-pets"]),
        ("tilesweep phase1 --max-", ["--max-concurrent", "--max-failures"]),
        ("tilesweep phase1 --device cu", ["cuda"]),
        ("tilesweep patches make --fore", ["--foreground"]),
    ],
)
def test_tab_completes_in_bash(tmp_path: Path, line: str, offered: list[str]) -> None:
    assert sorted(_complete(tmp_path, line)) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    assert "tilesweep" in script(shell) and "phase1" in script(shell)
