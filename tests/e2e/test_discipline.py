"""No sweep opens a file of the test split: driver, Ray's processes and workers are watched by an audit hook."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ROOT, WriteDataset
from tests.e2e.conftest import Run

HOOK = """
import os, sys

def _watch(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], (str, bytes)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        root = os.environ["WATCHED"]
        if path.startswith(root) and not getattr(_watch, "busy", False):
            _watch.busy = True
            with open(os.environ["WATCH_LOG"], "a") as log:
                log.write(f"{os.getpid()} {path}\\n")
            _watch.busy = False

sys.addaudithook(_watch)
"""


def test_a_sweep_opens_no_test_file_and_score_does(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    log = tmp_path / "opened.txt"
    watch = {
        "PYTHONPATH": f"{tmp_path / 'hook'}:{ROOT}",
        "WATCHED": str(patches.resolve()),
        "WATCH_LOG": str(log),
    }
    storage = ("--storage", tmp_path / "results")
    architectures = ("--architectures", "unet,sam_vit_b_conv")
    swept = run("phase1", "--profile", "smoke", "--patches", patches, *storage, *architectures, **watch)
    assert swept.returncode == 0, swept.stderr
    opened = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert any("/train/" in path for path in opened)
    assert not [path for path in opened if "/test" in path.removeprefix(str(patches.resolve()))]

    log.write_text("")
    assert run("score", *storage, **watch).returncode == 0
    assert any("/test/" in line for line in log.read_text().splitlines()), "the hook sees test files when they are read"


def test_the_hook_reaches_the_workers(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    """Were the workers not watched, the test above would prove nothing about them."""
    patches = write_dataset(tmp_path / "patches")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    log = tmp_path / "opened.txt"
    results = tmp_path / "results"
    watch = {"PYTHONPATH": f"{tmp_path / 'hook'}:{ROOT}", "WATCHED": "/tmp/ray", "WATCH_LOG": str(log)}
    arguments = ("--profile", "smoke", "--patches", patches, "--storage", results, "--architectures", "unet")
    assert run("phase1", *arguments, **watch).returncode == 0
    assert any("working_dirs/unet/trial.log" in line for line in log.read_text().splitlines())
