"""``python -m sweep.doctor``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

from sweep.doctor.listing import CHECKS
from sweep.sealed.ledger import LEDGER_FILE
from tests.commands import Run, assert_refused


def test_a_machine_is_looked_over_and_the_next_command_named(dataset: Path, tmp_path: Path, here: Run) -> None:
    storage = tmp_path / "results"
    arguments = ("--profile", "smoke", "--patches", dataset, "--storage", storage)
    done = here("doctor", *arguments, "--json", RAY_TMPDIR="/tmp")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    checks = [event for event in events if event["event"] == "check"]
    assert list(dict.fromkeys(check["name"] for check in checks)) == [check.name for check in CHECKS]
    outcomes = {check["name"]: check["outcome"] for check in checks}
    assert {outcomes[name] for name in ("torch", "weights", "storage", "ledger", "clock")} == {"ok"}
    assert outcomes["tiles"] == "warn", "they have no manifest"
    assert not [check for check in checks if check["outcome"] != "ok" and not check["fix"]]
    failed = "fail" in outcomes.values()  # a machine without memory or room
    assert done.returncode == (2 if failed else 0) == events[-1]["exit_code"]
    assert events[-1]["next"].split()[:3] == ["python", "-m", "sweep.doctor" if failed else "sweep.study"]
    assert not storage.exists(), "the doctor changes nothing"


def test_what_is_broken_is_told_without_a_traceback(dataset: Path, tmp_path: Path, here: Run) -> None:
    (dataset / "train" / "images" / "t1.png").write_bytes(b"no picture")
    (tmp_path / LEDGER_FILE).write_text("no json\n")
    pins = tmp_path / "constraints.txt"
    pins.write_text("numpy==1.0\n")
    arguments = ("--profile", "smoke", "--patches", dataset, "--storage", tmp_path, "--constraints", pins)
    done = here("doctor", *arguments, "--quiet", RAY_TMPDIR=f"/tmp/{'long' * 20}")
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    told = {line[6:21].strip(): line[:4] for line in done.stdout.splitlines() if line[:4] in ("ok  ", "warn", "fail")}
    expected = {"packages": "warn", "Ray's folder": "fail", "tiles": "fail", "ledger": "fail"}
    assert {name: told.get(name) for name in expected} == expected
    assert "ok  " not in told.values()
    last = done.stdout.splitlines()[-1]
    assert last.startswith("next") and "sweep.doctor" in last and f"--storage {tmp_path}" in last


def test_a_profile_that_does_not_exist_is_one_line(here: Run) -> None:
    assert_refused(here("doctor", "--profile", "papr"), "did you mean 'paper'")
