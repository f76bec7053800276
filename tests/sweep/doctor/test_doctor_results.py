"""What the doctor says of tiles, weights, storage, experiments, ledger and clock."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sweep.doctor.clock import check_clock, judge_clock, storage_skew
from sweep.doctor.dataset import check_dataset
from sweep.doctor.finding import Finding
from sweep.doctor.options import CheckupOptions
from sweep.doctor.results import check_experiments, check_ledger, check_storage, judge_experiment
from sweep.doctor.running import as_finding
from sweep.doctor.subject import Subject
from sweep.doctor.weights import check_weights, judge_missing
from sweep.records.experiment import LEDGER_FILE
from sweep.records.lease import Lease, Sighting
from sweep.sealed.ledger import Ledger
from tests.cases.experiments import a_reading
from tests.conftest import WriteDataset
from tests.reports import begin_experiment
from trainables.errors import StorageError
from trainables.storage import Storage


def _subject(**options: Any) -> Subject:
    return Subject(CheckupOptions(**options))


def _described(patches: Path) -> Path:
    """Give a dataset the manifest that ``patches check`` writes."""
    from sweep.patches.checks.checking import check, describe

    report = check(patches)
    assert not report.faults
    describe(report, name="tiles", origin="drawn by a test", licence="CC0-1.0", synthetic=True).write(patches)
    return patches


def test_sound_tiles_are_counted_and_without_a_manifest_it_is_a_warning(dataset: Path) -> None:
    (found,) = check_dataset(_subject(patches=dataset))
    assert found.outcome == "warn" and "3/2/2 train/val/test tiles of 64x64" in found.text
    assert found.fix == f"python -m sweep.patches check --patches {dataset}"
    (found,) = check_dataset(_subject(patches=_described(dataset)))
    assert found.outcome == "ok" and "tiles: 3/2/2 synthetic" in found.text and "no leaks" in found.text


def test_leaks_that_nobody_has_looked_for_are_a_warning(dataset: Path) -> None:
    manifest = _described(dataset) / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "leaks": None}))
    (found,) = check_dataset(_subject(patches=dataset))
    assert found.outcome == "warn" and "nobody has looked" in found.text


def test_a_tile_in_two_splits_fails(dataset: Path) -> None:
    for kind in ("images", "masks"):
        (dataset / "val" / kind / "twin.png").write_bytes((dataset / "train" / kind / "t1.png").read_bytes())
    (found,) = check_dataset(_subject(patches=dataset))
    assert found.outcome == "fail" and "the same ground in two splits" in found.text and "identical" in found.text


def test_broken_tiles_fail_and_only_the_first_faults_are_told(dataset: Path) -> None:
    for number in (1, 2, 3):
        (dataset / "train" / "images" / f"t{number}.png").write_bytes(b"no picture")
    (dataset / "val" / "masks" / "t4.png").unlink()
    found = check_dataset(_subject(patches=dataset))
    assert [one.outcome for one in found] == ["fail"] * 3
    assert "(and 1 more)" in found[-1].text
    assert found[-1].fix.startswith("python -m sweep.patches check")


def test_a_folder_that_is_not_there_and_a_test_split_that_is_half_there_fail(dataset: Path, tmp_path: Path) -> None:
    (found,) = check_dataset(_subject(patches=tmp_path / "none"))
    assert found.outcome == "fail" and "no such folder" in found.text
    (dataset / "test" / "masks" / "t6.png").unlink()
    (found,) = check_dataset(_subject(patches=dataset))
    assert found.outcome == "fail" and "t6 has an image or a mask, not both" in found.text


def test_the_test_tiles_are_not_opened(dataset: Path) -> None:
    _described(dataset)
    for path in (dataset / "test").rglob("*.png"):
        path.write_bytes(b"whatever")
    (found,) = check_dataset(_subject(patches=dataset))
    assert found.outcome == "ok"


def test_without_test_tiles_a_sweep_runs(write_dataset: WriteDataset, tmp_path: Path) -> None:
    (found,) = check_dataset(_subject(patches=write_dataset(tmp_path / "p", test=0)))
    assert found.outcome == "warn" and "nothing can be scored" in found.text


def test_the_weights_that_lie_here_are_named_and_the_others_told_how_to_get() -> None:
    found = check_weights(_subject(architectures=("unet", "smp_unet_efficientnet_lite0", "sam_vit_b_unet")))
    assert [one.outcome for one in found] == ["ok", "warn"]
    assert "imagenet-efficientnet-lite0" in found[0].text and "57934424" in found[0].text
    assert "sam_vit_b_unet would start from random weights" in found[1].text
    assert "sam_vit_b_01ec64.pth" in found[1].fix


def test_no_weights_are_needed_by_stand_ins_and_by_a_net_from_scratch() -> None:
    for subject in (_subject(profile="smoke"), _subject(architectures=("unet",))):
        (found,) = check_weights(subject)
        assert found.outcome == "ok"


def test_a_file_that_is_not_what_it_should_be_fails(tmp_path: Path) -> None:
    wrong = tmp_path / "sam.pth"
    wrong.write_bytes(b"nothing")
    (found,) = check_weights(_subject(architectures=("sam_vit_b_unet",), sam_checkpoint=wrong))
    assert found.outcome == "fail" and str(wrong) in found.text and found.fix


def test_missing_weights_stop_the_paper_profile_only_offline() -> None:
    users = ["sam_vit_b_unet"]
    assert judge_missing("sam-vit-b", users, refuses=True, offline=True).outcome == "fail"
    assert judge_missing("sam-vit-b", users, refuses=True, offline=False).outcome == "warn"
    assert judge_missing("sam-vit-b", users, refuses=False, offline=True).outcome == "warn"


def test_a_storage_is_tried_and_none_is_made(tmp_path: Path) -> None:
    (found,) = check_storage(_subject(storage=str(tmp_path)))
    assert found.outcome == "ok" and "can be written" in found.text
    (found,) = check_storage(_subject(storage=str(tmp_path / "a" / "b")))
    assert found.outcome == "ok" and "can be made" in found.text
    assert list(tmp_path.iterdir()) == []


def test_a_storage_that_is_a_file_fails_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    subject = _subject(storage=str(tmp_path / "f" / "results"))
    with pytest.raises(StorageError, match="is a file; choose another folder"):
        check_storage(subject)
    for check in (check_experiments, check_ledger):
        (found,) = check(subject)
        assert found.outcome == "warn" and "out of reach" in found.text
    assert check_clock(subject)[0].outcome == "ok"


def test_a_folder_that_cannot_be_written_fails() -> None:
    with pytest.raises(StorageError, match="cannot write there"):
        check_storage(_subject(storage="/proc/results"))  # no right helps there, not even root's


@pytest.mark.slow
def test_an_object_store_that_nobody_answers_for_fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.setenv(name, "true")
    subject = _subject(storage="s3://bucket/x?endpoint_override=127.0.0.1:1&scheme=http")
    with pytest.raises(StorageError, match="cannot write there"):
        check_storage(subject)
    assert "out of reach" in check_ledger(subject)[0].text


def test_unfinished_experiments_are_told_with_the_command_to_go_on(tmp_path: Path) -> None:
    begin_experiment(tmp_path, name="done", ended=True)
    begin_experiment(tmp_path, name="half", stopped="--time")
    (tmp_path / "notes").mkdir()
    whole, half = check_experiments(_subject(storage=str(tmp_path)))
    assert (whole.outcome, whole.text) == ("ok", "1 ended, 1 unfinished")
    assert half.outcome == "warn" and half.text == "half is unfinished (--time)"
    assert half.fix == f"python -m sweep.phase1 --resume half --storage {tmp_path}"


def test_an_experiment_that_runs_is_none_to_go_on_with(tmp_path: Path) -> None:
    experiment = begin_experiment(tmp_path, name="busy")
    with Lease.of_driver(experiment.storage, "busy").held():
        (found,) = check_experiments(_subject(storage=str(tmp_path)))
    assert (found.outcome, found.text) == ("ok", "1 running")


def test_an_experiment_that_ends_while_it_is_looked_at_is_not_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = begin_experiment(tmp_path, name="busy")
    look = Lease.look

    def end_then_look(self: Lease) -> Sighting | None:
        begin_experiment(tmp_path, name="busy", ended=True)
        return look(self)

    monkeypatch.setattr(Lease, "look", end_then_look)
    assert judge_experiment(experiment)[0] == "ended"


def test_a_damaged_experiment_is_told(tmp_path: Path) -> None:
    begin_experiment(tmp_path, name="broken").write("sweep.json", b"{")
    whole, broken = check_experiments(_subject(storage=str(tmp_path)))
    assert whole.text == "1 damaged" and broken.outcome == "warn" and "damaged" in broken.text


def _read(folder: Path, moment: datetime) -> Ledger:
    ledger = Ledger(Storage.open(str(folder)))
    ledger.append([a_reading(time=moment.isoformat())])
    return ledger


def test_a_ledger_is_whole_or_it_fails(tmp_path: Path) -> None:
    subject = _subject(storage=str(tmp_path))
    assert check_ledger(subject)[0].text == "no test reading yet"
    _read(tmp_path, datetime.now(UTC))
    assert check_ledger(subject)[0].text == "1 test reading, the chain is whole"
    path = tmp_path / LEDGER_FILE
    path.write_text(path.read_text().replace('"iou": 0.5', '"iou": 0.9'))
    (found,) = check_ledger(subject)
    assert found.outcome == "fail" and "line 1 was changed" in found.text
    assert f"python -m sweep.score --verify --storage {tmp_path}" in found.fix


def test_a_reading_of_the_future_is_a_warning(tmp_path: Path) -> None:
    subject = _subject(storage=str(tmp_path))
    _read(tmp_path, datetime.now(UTC))
    assert check_clock(subject)[0].outcome == "ok"
    _read(tmp_path, datetime.now(UTC) + timedelta(days=2))
    (found,) = check_clock(subject)
    assert found.outcome == "warn" and "has not come yet by this clock" in found.text


@pytest.mark.parametrize(("skew", "outcome"), [(None, "ok"), (2.0, "ok"), (-20.0, "warn"), (90.0, "fail")])
def test_clocks_that_disagree_are_told(skew: float | None, outcome: str) -> None:
    assert judge_clock(skew, None, time.time()).outcome == outcome


def test_a_storage_of_this_machine_has_this_clock(tmp_path: Path) -> None:
    assert storage_skew(Storage.open(str(tmp_path))) == 0.0
    assert list(tmp_path.iterdir()) == []


def test_an_error_s_line_becomes_a_finding_with_its_fix() -> None:
    assert as_finding("a.png: truncated; replace it") == Finding(
        outcome="fail", text="a.png: truncated", fix="replace it"
    )
    assert as_finding("broken") == Finding(outcome="fail", text="broken", fix="")
