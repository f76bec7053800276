"""The whole question as one command: real sweeps, killed and resumed."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from sweep.planning.plan import read_plan
from sweep.records.experiment import Experiment
from sweep.records.studies import PHASES, StudyFolder
from sweep.sealed.ledger import Ledger
from tests.commands import Run, assert_refused, run_process, start, wait_for
from tests.conftest import WriteDataset
from trainables.storage import Storage

NAME = "mine"


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("study") / "tiles", train=8, size=128)


def _words(patches: Path, storage: Path) -> list[str]:
    grid = ("--architectures", "smp_unet_resnet34,unet")
    return ["--profile", "smoke", "--patches", str(patches), *grid, "--name", NAME, "--storage", str(storage)]


def _study(storage: Path) -> StudyFolder:
    return StudyFolder(Storage.open(str(storage)), NAME)


def _begun(storage: Path, phase: str) -> bool:
    """Whether a trial of a phase has reported its first epoch."""
    return any((storage / f"{NAME}-{phase}").glob("*/reports.jsonl"))


def _readings(storage: Path) -> list[tuple[str, str]]:
    return [(one.experiment, one.attempt) for one in Ledger(Storage.open(str(storage))).readings()]


def test_one_phase_then_an_interrupt_in_the_next(patches: Path, tmp_path: Path, run: Run) -> None:
    storage = tmp_path / "r"
    done = run("study", *_words(patches, storage), "--until", "phase1")
    assert done.returncode == 0, done.stdout + done.stderr
    resume = f"python -m sweep.study --resume {NAME} --storage {storage}"
    assert done.stdout.splitlines()[-1].split(maxsplit=1) == ["next", resume]
    assert "Which model?" in done.stdout and (storage / NAME / "report.html").exists()
    assert _readings(storage) == [(f"{NAME}-phase1", name) for name in ("smp_unet_resnet34", "unet")]
    assert not _study(storage).experiment("phase2").exists

    process = start("study", "--resume", NAME, "--storage", str(storage))
    wait_for(lambda: _begun(storage, "phase2"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    assert "interrupted; nothing is lost" in out and out.rstrip().endswith(resume)
    assert len(_readings(storage)) == 2 and _study(storage).record.begun is None
    assert read_plan(_study(storage).experiment("phase2")).warm_from == f"{NAME}-phase1"


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on_where_it_was_and_scores_once(patches: Path, tmp_path: Path) -> None:
    storage = tmp_path / "r"
    process = start("study", *_words(patches, storage))
    wait_for(lambda: _begun(storage, "phase2"))
    process.kill()
    process.communicate(timeout=60)
    study = _study(storage)
    trained = {one.name: one.stat().st_mtime for one in (storage / f"{NAME}-phase1").glob("*/best.pt")}
    assert study.record.begun is not None and not study.experiment("phase3").exists

    ledger = storage / "test_ledger.jsonl"
    kept = ledger.read_bytes()
    ledger.write_bytes(kept.replace(b"unet", b"anet", 1))
    refused = run_process("study", "--resume", NAME, "--storage", storage)
    assert_refused(refused, "test_ledger.jsonl: line 1 was changed; restore the file")
    assert f"next           python -m sweep.study --resume {NAME}" in refused.stdout
    assert study.experiment("phase2").exists and not study.experiment("phase3").exists

    ledger.write_bytes(kept)
    done = run_process("study", "--resume", NAME, "--storage", storage, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["step"] for one in events if one["event"] == "step"][-2:] == ["phase3", "score"]
    assert [one["phase"] for one in events if one["event"] == "answer" and "phase" in one] == list(PHASES)
    assert f"sweep.export --model {NAME}-phase2" in events[-1]["next"]
    assert trained == {one.name: one.stat().st_mtime for one in (storage / f"{NAME}-phase1").glob("*/best.pt")}
    readings = _readings(storage)
    assert len(readings) == len(set(readings)) and {one for one, _ in readings} == {f"{NAME}-{one}" for one in PHASES}
    sizes = [study["trials"] for study in Experiment(study.storage, f"{NAME}-phase2").description["plan"]["studies"]]
    assert len(set(sizes)) == 1

    again = run_process("study", "--resume", NAME, "--storage", storage)
    assert_refused(again, "it has ended", "sweep.export")
    (storage / NAME / "report.html").unlink()
    assert run_process("study", "--resume", NAME, "--storage", storage).returncode == 0
    assert (storage / NAME / "report.html").exists() and _readings(storage) == readings


@pytest.mark.slow
def test_a_dataset_without_a_test_split_is_answered_by_val(patches: Path, tmp_path: Path) -> None:
    tiles = Path(shutil.copytree(patches, tmp_path / "tiles"))
    shutil.rmtree(tiles / "test")
    done = run_process("study", *_words(tiles, tmp_path / "r"), "--until", "phase1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no test" in done.stdout and (tmp_path / "r" / NAME / "report.html").exists()
    assert _study(tmp_path / "r").record.without_test
