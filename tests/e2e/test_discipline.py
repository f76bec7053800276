"""No sweep opens a file of the test split: driver, Ray's processes and workers are watched by an audit hook."""

from __future__ import annotations

from pathlib import Path

import pytest

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
                log.write(f"{os.path.basename(sys.argv[0])} {path}\\n")
            _watch.busy = False

sys.addaudithook(_watch)
"""


def _watch(folder: Path, watched: Path) -> tuple[Path, dict[str, str]]:
    """Return the log that the hook writes, and the variables that install it in every process."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    log = folder / "opened.txt"
    variables = {
        "PYTHONPATH": f"{folder / 'hook'}:{ROOT}",
        "WATCHED": str(watched.resolve()),
        "WATCH_LOG": str(log),
    }
    return log, variables


SWEEPS = {
    "phase1": ("--architectures", "unet,sam_vit_b_conv"),
    "phase2": ("--trials", "4"),
    "phase3": ("--tiles", "2", "--draws", "1", "--tune", "2"),
}


def _as_it_is(patches: Path, elsewhere: Path) -> list[Path]:
    return [patches / "test"]


def _test_folder_elsewhere(patches: Path, elsewhere: Path) -> list[Path]:
    (patches / "test").rename(elsewhere)
    (patches / "test").symlink_to(elsewhere)
    return [patches / "test", elsewhere]


def _every_file_a_link(patches: Path, elsewhere: Path) -> list[Path]:
    """As a data manager such as DVC or git-annex leaves them: links into one store of contents."""
    elsewhere.mkdir()
    store = []
    for number, path in enumerate(sorted(patches.rglob("*.png"))):
        content = elsewhere / f"{number}.png"
        path.rename(content)
        path.symlink_to(content)
        store += [content] if "test" in path.parts else []
    return [patches / "test", *store]


LAYOUTS = {"phase1": _as_it_is, "phase2": _test_folder_elsewhere, "phase3": _every_file_a_link}


@pytest.mark.parametrize("phase", SWEEPS)
def test_a_sweep_opens_no_test_file_fresh_or_resumed_and_score_does(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, phase: str
) -> None:
    (tmp_path / "data").mkdir()
    patches = write_dataset(tmp_path / "data" / "patches")
    forbidden = [path.resolve() for path in LAYOUTS[phase](patches, tmp_path / "data" / "elsewhere")]
    log, watch = _watch(tmp_path, tmp_path / "data")
    storage = ("--storage", tmp_path / "results")

    def opened() -> list[Path]:
        return [Path(line.split(" ", 1)[1]) for line in log.read_text().splitlines()]

    def of_test() -> list[Path]:
        return [path for path in opened() if any(path.is_relative_to(place) for place in forbidden)]

    arguments = ("--profile", "smoke", "--patches", patches, *storage, *SWEEPS[phase])
    stopped = run(phase, *arguments, "--budget", "0.00001cpu-hours", **watch)
    assert stopped.returncode == 0 and "stopped by --budget" in stopped.stdout, stopped.stdout + stopped.stderr
    assert opened() and not of_test()
    log.write_text("")
    resumed = run(phase, "--resume", f"{phase}-smoke", *storage, **watch)
    assert resumed.returncode == 0, resumed.stderr
    assert opened() and not of_test()

    log.write_text("")
    assert run("score", *storage, **watch).returncode == 0
    assert of_test(), "the hook sees test files when they are read"


def test_the_hook_reaches_the_workers(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    """Were the workers not watched, the test above would prove nothing about them."""
    patches = write_dataset(tmp_path / "patches")
    log, watch = _watch(tmp_path, ROOT / "trainables")
    arguments = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "r", "--architectures", "unet")
    assert run("phase1", *arguments, **watch).returncode == 0
    lines = log.read_text().splitlines()
    assert any(line.startswith("default_worker.py ") and "segmentation" in line for line in lines)
