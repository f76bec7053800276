"""Every mistake is one line with the file or flag and the mend, exit code 2, and nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import Run, assert_refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--architectures", "unet,smp_unet_resnet43"], "did you mean 'smp_unet_resnet34'"),
        (["--profile", "dmeo"], "did you mean 'demo'"),
        (["--name", "../escape"], "--name '../escape'"),
        (["--gpus-per-trial", "1.5"], "--gpus-per-trial 1.5"),
        (["--gpus-per-trial", "banana"], "--gpus-per-trial 'banana': give"),
        (["--patches", "nowhere"], "python -m sweep.patches synthesize --dst nowhere"),
        (["--storage", "nowhere://x"], "--storage nowhere://x"),
        (["--storage", "s3://key:secret@bucket/runs"], "--storage s3://***@bucket/runs"),
        (["--resume", "phase1-smoke"], "no experiment 'phase1-smoke'"),
        (["--profile", "paper"], "--profile demo"),
        (["--profile", "paper", "--offline", "--device", "cpu"], "--sam-checkpoint"),
        (["--profile", "demo", "--sam-checkpoint", "nowhere.pth"], "--sam-checkpoint nowhere.pth"),
        (["--address", "127.0.0.1:1"], "--address 127.0.0.1:1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_phase1_refuses(here: Run, dataset: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    common = ["--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results"]
    assert_refused(here("phase1", *common, *arguments), said)
    assert not list((tmp_path / "results").glob("*")) if (tmp_path / "results").exists() else True


def test_an_unknown_flag_or_value_is_exit_code_2(here: Run) -> None:
    for arguments in (["--profil", "demo"], ["--seed", "x"], ["--device", "tpu"]):
        done = here("phase1", *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr


def test_all_faults_of_a_dataset_are_told_before_anything_starts(here: Run, dataset: Path, tmp_path: Path) -> None:
    (dataset / "train/masks/t1.png").unlink()
    Image.new("L", (64, 64)).save(dataset / "val/images/t4.png")
    done = here("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(done, "t1.png: has no mask", "t4.png: is grey")
    assert not (tmp_path / "results").exists()


def test_a_results_folder_that_cannot_be_written(here: Run, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = here("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "file" / "results")
    assert_refused(done, "--storage", "cannot write")


def test_a_wrong_sam_checkpoint(here: Run, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "sam.pth").write_bytes(os.urandom(5000))
    arguments = ("--profile", "demo", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(here("phase1", *arguments, "--sam-checkpoint", tmp_path / "sam.pth"), "sam.pth: is damaged")


def test_score_refuses_what_is_not_there(here: Run, tmp_path: Path) -> None:
    assert_refused(here("score", "--storage", tmp_path), "holds no experiment")
    assert_refused(here("score", "phase1", "--storage", tmp_path), "holds no experiment 'phase1'")
    assert_refused(here("score", "../x", "--storage", tmp_path), "../x")


@pytest.mark.parametrize("command", ["phase1", "phase2", "phase3", "score", "status", "patches", "predict", "export"])
def test_a_process_exits_with_2_after_a_mistake(run: Run, command: str) -> None:
    done = run(command, "--no-such-flag")
    assert done.returncode == 2 and done.stderr and "Traceback" not in done.stderr
