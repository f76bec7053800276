"""Every mistake is one line with the file or flag and the mend, exit code 2, and nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Run, assert_refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--architectures", "unet,smp_unet_resnet43"], "did you mean 'smp_unet_resnet34'"),
        (["--profile", "dmeo"], "did you mean 'demo'"),
        (["--name", "../escape"], "--name '../escape'"),
        (["--max-concurrent", "0"], "--max-concurrent 0"),
        (["--gpus-per-trial", "1.5"], "--gpus-per-trial 1.5"),
        (["--gpus-per-trial", "banana"], "--gpus-per-trial 'banana': give"),
        (["--repeats", "0"], "--repeats 0"),
        (["--max-failures", "-1"], "--max-failures -1"),
        (["--patches", "nowhere"], "python -m sweep.patches synthesize --dst nowhere"),
        (["--storage", "nowhere://x"], "--storage nowhere://x"),
        (["--storage", "s3://key:secret@bucket/runs"], "--storage s3://***@bucket/runs"),
        (["--resume", "phase1-smoke"], "no experiment 'phase1-smoke'"),
        (["--seed", "-1"], "seed"),
        (["--profile", "paper"], "--profile demo"),
        (["--profile", "paper", "--offline", "--device", "cpu"], "--sam-checkpoint"),
        (["--profile", "demo", "--sam-checkpoint", "nowhere.pth"], "--sam-checkpoint nowhere.pth"),
        (["--address", "127.0.0.1:1"], "--address 127.0.0.1:1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_phase1_refuses(run: Run, dataset: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    common = ["--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results"]
    assert_refused(run("phase1", *common, *arguments), said)
    assert not list((tmp_path / "results").glob("*")) if (tmp_path / "results").exists() else True


def test_an_unknown_flag_or_value_is_exit_code_2(run: Run) -> None:
    for arguments in (["--profil", "demo"], ["--seed", "x"], ["--device", "tpu"]):
        done = run("phase1", *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr


def test_all_faults_of_a_dataset_are_told_before_anything_starts(run: Run, dataset: Path, tmp_path: Path) -> None:
    (dataset / "train/masks/t1.png").unlink()
    Image.new("L", (64, 64)).save(dataset / "val/images/t4.png")
    done = run("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(done, "t1.png: has no mask", "t4.png: is grey")
    assert not (tmp_path / "results").exists()


def test_a_results_folder_that_cannot_be_written(run: Run, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("phase1", "--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "file" / "results")
    assert_refused(done, "--storage", "cannot write")


def test_a_wrong_sam_checkpoint(run: Run, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "sam.pth").write_bytes(os.urandom(5000))
    arguments = ("--profile", "demo", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(run("phase1", *arguments, "--sam-checkpoint", tmp_path / "sam.pth"), "sam.pth: is damaged")


def test_score_refuses_what_is_not_there(run: Run, tmp_path: Path) -> None:
    assert_refused(run("score", "--storage", tmp_path), "holds no experiment")
    assert_refused(run("score", "phase1", "--storage", tmp_path), "holds no experiment 'phase1'")
    assert_refused(run("score", "../x", "--storage", tmp_path), "../x")


@pytest.mark.parametrize("command", ["phase1", "phase2", "phase3", "score", "status", "patches", "predict", "export"])
def test_help_is_quick_and_fits_a_screen(run: Run, command: str) -> None:
    done = run(command, "--help", timeout=20)
    assert done.returncode == 0
    assert f"python -m sweep.{command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.parametrize("subcommand", ["make", "import-pets", "synthesize", "check", "overview", "describe"])
def test_help_of_patches_subcommands_fits_a_screen(run: Run, subcommand: str) -> None:
    done = run("patches", subcommand, "--help", timeout=20)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 120 and len(lines) <= 45
