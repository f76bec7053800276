"""How the doctor runs its checks and tells what they found."""

from __future__ import annotations

import dataclasses
import io
import json
import time
import typing
from collections.abc import Sequence

import pytest
from rich.console import Console

from sweep.cli.marks import OnResume
from sweep.cli.options import CommonOptions, SweepOptions
from sweep.cli.output import Events, Output
from sweep.doctor.finding import Check, Finding, fail, ok, warn
from sweep.doctor.findings import command, lines, show_findings
from sweep.doctor.listing import CHECKS
from sweep.doctor.options import CheckupOptions
from sweep.doctor.probing import ProbeError, probe
from sweep.doctor.running import run_checks
from sweep.doctor.subject import Once, Subject
from tests.conftest import ROOT
from trainables.errors import DataError, TilesweepError


@pytest.fixture
def subject() -> Subject:
    """This machine and a demo."""
    return Subject(CheckupOptions())


def _outcomes(found: Sequence[Finding]) -> list[str]:
    return [one.outcome for one in found]


def test_checks_run_at_the_same_time_and_are_told_in_order(subject: Subject) -> None:
    def slow(_: Subject) -> list[Finding]:
        time.sleep(0.5)
        return [ok("slow")]

    checks = [Check(name=str(number), run=slow) for number in range(60)]
    started = time.monotonic()
    assert [check.name for check, _ in run_checks(checks, subject)] == [str(number) for number in range(60)]
    assert time.monotonic() - started < 20, "60 halves of a second, one after the other, are 30"


def test_a_check_that_breaks_is_a_finding_and_no_traceback(subject: Subject) -> None:
    def broken(_: Subject) -> list[Finding]:
        raise ZeroDivisionError("division by zero")

    def refused(_: Subject) -> list[Finding]:
        raise DataError(["a.png: truncated; replace it", "b.png: truncated; replace it"])

    checks = [Check(name="broken", run=broken), Check(name="refused", run=refused)]
    (_, first), (_, second) = run_checks(checks, subject)
    assert _outcomes(first) == ["fail"] and "ZeroDivisionError: division by zero" in first[0].text
    assert [(one.text, one.fix) for one in second] == [
        ("a.png: truncated", "replace it"),
        ("b.png: truncated", "replace it"),
    ]


def test_a_check_that_hangs_fails_at_its_limit(subject: Subject) -> None:
    def hangs(_: Subject) -> list[Finding]:
        time.sleep(30)
        return []

    started = time.monotonic()
    ((_, found),) = run_checks([Check(name="hangs", run=hangs, seconds=0.2)], subject)
    assert _outcomes(found) == ["fail"] and "no answer within 0.2 s" in found[0].text
    assert time.monotonic() - started < 20


def test_a_value_is_made_once_and_its_error_kept() -> None:
    made: list[int] = []
    once = Once(lambda: made.append(1) or len(made))
    assert (once(), once()) == (1, 1)

    def breaks() -> int:
        made.append(2)
        raise DataError("no")

    broken = Once(breaks)
    for _ in range(2):
        with pytest.raises(DataError):
            broken()
    assert made == [1, 2]


def test_a_question_without_an_answer_is_an_error_in_a_line() -> None:
    with pytest.raises(ProbeError, match=r"crashed .*No module named"):
        probe("no_such_probe", seconds=60)
    with pytest.raises(ProbeError, match="no answer within 0 s"):
        probe("sweep.doctor.torch_probe", seconds=0.01)


def _told(found: list[tuple[Check, list[Finding]]], **options: bool) -> tuple[int, str, list[dict[str, object]]]:
    """Tell findings as the command does; returns exit code, text and events."""
    text, events = io.StringIO(), io.StringIO()
    results = Console(file=text, width=100)
    silent = Console(quiet=True)
    output = Output(silent if options.get("quiet") else results, results, Events(events))
    code = show_findings(found, CheckupOptions(), output)
    return code, text.getvalue(), [json.loads(line) for line in events.getvalue().splitlines()]


def _check(name: str) -> Check:
    return Check(name=name, run=lambda _: [])


def test_warnings_are_allowed_and_a_failure_is_a_mistake() -> None:
    fine = [(_check("disk"), [ok("much")]), (_check("weights"), [warn("none", "get some")])]
    code, text, _ = _told(fine)
    assert code == 0 and "1 ok, 1 warning, nothing failed: a sweep can start" in text
    assert text.splitlines()[-1] == "next           python -m sweep.study --profile demo"
    code, text, _ = _told([*fine, (_check("tiles"), [fail("gone", "bring them")])])
    assert code == 2 and "1 failed" in text
    assert text.splitlines()[-1] == "next           python -m sweep.doctor"


def test_quiet_leaves_out_what_is_well() -> None:
    _, text, _ = _told([(_check("disk"), [ok("much")]), (_check("weights"), [warn("none", "get some")])], quiet=True)
    assert "much" not in text and "warn  weights        none" in text


def test_programs_get_an_event_a_finding() -> None:
    _, _, events = _told([(_check("disk"), [ok("much"), warn("little", "make room")])])
    assert [(one["name"], one["outcome"], one["found"], one["fix"]) for one in events] == [
        ("disk", "ok", "much", ""),
        ("disk", "warn", "little", "make room"),
    ]


def test_a_text_is_wrapped_in_its_column_and_a_command_stays_whole() -> None:
    fix = "python -m sweep.patches check --patches " + "x" * 90
    laid = [line.plain for line in lines(fail("word " * 30, fix), "tiles", 80)]
    assert laid[0].startswith("fail  tiles          word") and laid[1].startswith(" " * 21 + "word")
    assert max(map(len, laid[:-1])) < 80
    assert laid[-1] == " " * 21 + "fix: " + fix
    laid = [line.plain for line in lines(warn("none", "run once online, or copy the cache " * 3 + "here"), "tiles", 80)]
    assert max(map(len, laid)) < 80 and laid[1].startswith(" " * 21 + "fix: run") and laid[2].startswith(" " * 26)


def test_the_next_command_carries_what_the_doctor_was_told() -> None:
    options = CheckupOptions(profile="paper", storage="/data/my runs", architectures=("unet", "smp_unet_resnet34"))
    assert command("study", options, CommonOptions) == (
        "python -m sweep.study --architectures unet,smp_unet_resnet34 --storage '/data/my runs'"
    )
    assert command("study", CheckupOptions(offline=True), CommonOptions).endswith("--profile demo --offline")


def test_the_flags_are_those_of_a_sweep() -> None:
    ours = typing.get_type_hints(CheckupOptions, include_extras=True)
    theirs = typing.get_type_hints(SweepOptions, include_extras=True)
    shared = {one.name for one in dataclasses.fields(CheckupOptions)} - {"constraints"}

    def asked(hint: object) -> list[object]:
        """Return a flag's type and how it is written; only a sweep can be resumed."""
        return [
            getattr(hint, "__origin__", hint),
            *(one for one in getattr(hint, "__metadata__", ()) if not isinstance(one, OnResume)),
        ]

    assert {name: asked(ours[name]) for name in shared} == {name: asked(theirs[name]) for name in shared}
    defaults = [{one.name: one.default for one in dataclasses.fields(kind)} for kind in (CheckupOptions, SweepOptions)]
    assert {name for name in shared if defaults[0][name] != defaults[1][name]} == {"profile"}


@pytest.mark.parametrize(
    "options", [{"profile": "papr"}, {"architectures": ("unett",)}, {"storage": "ftp://somewhere"}]
)
def test_what_does_not_exist_is_refused_before_any_check(options: dict[str, typing.Any]) -> None:
    with pytest.raises(TilesweepError):
        Subject(CheckupOptions(**options))


def test_every_check_stands_in_the_guide() -> None:
    guide = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    listed = [line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("| ")]
    assert [name for name in listed if name not in ("check", "---")] == [check.name for check in CHECKS]
