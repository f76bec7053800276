"""What keeps a driver fast with thousands of trials: it does not do everything anew for each of them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from search_spaces.phase2 import space
from sweep.observers.trial_table import MAX_RUNNING, TrialRow, TrialTable
from sweep.records.experiment import Experiment
from sweep.records.trials import TRIALS_FILE, TrialPlan, TrialRecords
from sweep.search.journal import JOURNAL_FILE, PART_BYTES, RemoteJournal
from sweep.search.study_group import Uncopied
from tests.cases.screens import printed
from tests.commands import wait_for
from tests.reports import plan_of
from trainables.storage import Storage


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    (tmp_path / "e").mkdir()
    return Experiment(Storage.open(str(tmp_path)), "e")


def _plans(number: int) -> list[TrialPlan]:
    return [plan_of(f"unet-{one:04d}") for one in range(number)]


def _states_on_disk(experiment: Experiment) -> list[str]:
    return [record.state for record in TrialRecords(experiment).all()]


def test_every_change_of_a_small_record_is_on_disk_at_once(experiment: Experiment) -> None:
    records = TrialRecords(experiment)
    records.add(*_plans(3))
    for state in ("running", "finished"):
        records.set_state("unet-0001", state)  # type: ignore[arg-type]
        assert _states_on_disk(experiment) == ["waiting", state, "waiting"]


def test_changes_of_a_large_record_are_written_together_and_none_is_lost(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("sweep.records.throttle.time.monotonic", lambda: clock[0])
    writes: list[str] = []
    write = experiment.write

    def slowly(name: str, data: bytes) -> None:
        writes.append(name)
        clock[0] += 0.5
        write(name, data)

    monkeypatch.setattr(experiment, "write", slowly)
    records = TrialRecords(experiment)
    plans = _plans(1000)
    records.add(*plans)
    for plan in plans[:50]:
        records.set_state(plan.attempt, "finished")
    assert writes == [TRIALS_FILE], "half a second of writing is followed by nine and a half of other work"
    clock[0] += 9.4
    records.write_if_due()
    assert len(writes) == 1
    clock[0] += 0.2
    records.write_if_due()
    assert len(writes) == 2 and _states_on_disk(experiment).count("finished") == 50
    records.write_if_due()
    records.write_waiting()
    assert len(writes) == 2, "there is nothing to write"
    records.set_state("unet-0999", "failed", "why")
    records.write_waiting()
    assert _states_on_disk(experiment)[-1] == "failed"


def test_a_thousand_running_trials_do_not_get_a_line_each() -> None:
    rows = [TrialRow(f"t{number}", "g", "unet", 60, "running") for number in range(1000)]
    lines = printed(TrialTable(10_000, 1000, rows).draw(), width=100).splitlines()
    assert sum(line.startswith("t") and line[1:2].isdigit() for line in lines) == MAX_RUNNING
    assert any(f"and {1000 - MAX_RUNNING} more" in line for line in lines) and len(lines) < MAX_RUNNING + 10


def test_tpe_proposes_the_same_from_trials_that_are_not_copied() -> None:
    searched = dict(space("unet"))
    proposals = []
    source = optuna.create_study(direction="maximize", sampler=TPESampler(seed=1))
    for number in range(40):
        trial = source.ask(searched)
        trial.report(trial.params["decoder_dropout"], 6)
        if number < 30:
            state = TrialState.PRUNED if number % 3 else TrialState.COMPLETE
            source.tell(trial, trial.params["bce_weight"] if number % 3 == 0 else None, state=state)
    for copied in (True, False):
        for _ in range(2):  # the same objects serve one proposal after another
            sampler = TPESampler(seed=3, multivariate=True, constant_liar=True, n_startup_trials=5)
            view = optuna.create_study(direction="maximize", sampler=sampler)
            for one in source.trials:
                view.add_trial(
                    create_trial(
                        state=one.state,
                        value=one.value,
                        params=one.params,
                        distributions=one.distributions,
                        intermediate_values=one.intermediate_values,
                    )
                    if copied
                    else Uncopied.of(one, paused=False)
                )
            proposals.append(view.ask(searched).params)
    assert all(one == proposals[0] for one in proposals)


def test_a_remote_journal_writes_a_bounded_part_for_each_entry_and_reads_all_of_them(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = experiment.write
    monkeypatch.setattr(experiment, "write", lambda name, data: (sizes.append(len(data)), write(name, data)))
    journal = RemoteJournal(experiment)
    entries = [{"number": number, "text": "x" * 5000} for number in range(120)]
    for entry in entries:
        journal.append_logs([entry])
    assert max(sizes) <= PART_BYTES + 10_000
    assert experiment.has(JOURNAL_FILE) and experiment.has(f"{JOURNAL_FILE}.2")
    again = RemoteJournal(experiment)
    assert list(again.read_logs(0)) == entries
    again.append_logs([{"number": 120}])
    assert list(RemoteJournal(experiment).read_logs(119)) == [entries[119], {"number": 120}]


@pytest.mark.packaging
def test_a_small_file_costs_an_object_store_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.setenv(name, "true")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log.txt"
    program = str(Path(sys.executable).parent / "moto_server")
    with log.open("w") as stream:
        server = subprocess.Popen([program, "-p", str(port)], stdout=stream, stderr=stream, env=dict(os.environ))
        try:
            wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 120)
            address = f"http://127.0.0.1:{port}"
            boto3.client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket="bucket")
            uri = f"s3://bucket/runs?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
            trial = Storage.open(uri).child("e").child("unet-001")
            trial.write("state/epoch-00001.pt", b"small")
            assert trial.read("state/epoch-00001.pt") == b"small"
        finally:
            server.terminate()
            server.wait(timeout=60)
    asked = re.findall(r'"(PUT|POST) (\S+)', log.read_text())
    assert [(kind, path.split("?")[0]) for kind, path in asked if "unet-001" in path] == [
        ("PUT", "/bucket/runs/e/unet-001/state/epoch-00001.pt")
    ]
