"""Fixtures: small datasets of the real layout, and processes that do not outlive their test."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from tests.commands import ROOT, Run, run_here, run_process
from tests.faults.table import Tally, pytest_terminal_summary, tally_of
from tests.shared_sweeps import SharedSweep, link_every_file, link_test_folder, shared
from trainables.task import Task

if TYPE_CHECKING:
    from tests.e2e.ray_nodes import RayNodes

SHARED = ROOT.parent / "shared" / "data"

WriteDataset = Callable[..., Path]
settings.register_profile("tilesweep", deadline=None)  # a busy machine is no fault
settings.load_profile("tilesweep")
__all__ = ["pytest_terminal_summary"]
ENDED = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember the exit status."""
    session.config.stash[ENDED] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End without tearing down the native libraries of all tests in one process: two GDALs, Ray, torch, ONNX, MLflow.

    The interpreter once crashed there, after the last test and its summary. Commands run in processes of
    their own, and tests look at their exit codes.
    """
    if ENDED in config.stash:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[ENDED])


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test see the weights and features that this machine has, or leave some behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TILESWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread_each() -> Iterator[None]:
    """Let tests that run at the same time leave each other a core.

    Threads of torch that wait for each other on a busy machine make a model's step ten times as long, and Ray
    starts its workers at niceness 15, where a trial gets next to nothing. A trial takes as many threads as it has
    CPUs, so a sweep of the tests has one CPU, as in a batch job.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"OMP_NUM_THREADS": "1", "SLURM_CPUS_PER_TASK": "1", "RAY_worker_niceness": "0"}.items():
            patch.setenv(name, value)
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        yield


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command in a process of its own."""
    return run_process


@pytest.fixture(scope="session")
def here() -> Run:
    """Run a command in this process; it must not start Ray."""
    return run_here


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> SharedSweep:
    """A sweep of the grid of five that was scored; its tiles were put away afterwards, into ``tiles``."""

    def make(sweep: SharedSweep) -> None:
        patches = write_dataset(sweep.patches, size=128)
        assert run_here("patches", "check", "--patches", patches).returncode == 0
        two = {"SLURM_CPUS_PER_TASK": "2"}  # trials side by side
        sweep.run("phase1", "--profile", "smoke", "--patches", patches, **two, **sweep.audit.variables)
        sweep.run("score")
        patches.rename(sweep.folder / "tiles")

    return shared(tmp_path_factory, "phase1-smoke", make)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> SharedSweep:
    """A search, one trial at a time, on tiles whose test folder is a link to elsewhere."""

    def make(sweep: SharedSweep) -> None:
        patches = write_dataset(sweep.patches, size=128)
        link_test_folder(patches)
        sweep.run("phase2", "--patches", patches, *SEARCH, **sweep.audit.variables)

    return shared(tmp_path_factory, "phase2-smoke", make)


SEARCH = (
    *("--profile", "smoke", "--architectures", "smp_unet_resnet34,unet"),
    *("--trials", "10", "--max-concurrent", "1"),
)
"""Arguments of the shared search."""


@pytest.fixture(scope="session")
def curve(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> SharedSweep:
    """A scored budget curve of three budgets, on tiles that are links into one store."""

    def make(sweep: SharedSweep) -> None:
        patches = write_dataset(sweep.patches, train=24)
        link_every_file(patches)
        arguments = ("--profile", "smoke", "--tiles", "5,12,24", "--draws", "1", "--patches", patches)
        sweep.run("phase3", *arguments, **sweep.audit.variables)
        sweep.run("score")

    return shared(tmp_path_factory, "phase3-smoke", make)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[RayNodes]:
    """A cluster without nodes."""
    from tests.e2e.ray_nodes import RayNodes

    made = RayNodes(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Return a function that adds a row to the table of faults at the end of the run."""
    return tally_of(request.node)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Keep a list of processes, and end those that still run at the end."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def _picture(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw bright rectangles on noise: learnable, and different for every seed."""
    random = np.random.default_rng(seed)
    image = random.integers(40, 110, (size, size, 3), dtype=np.uint8)
    mask = np.zeros((size, size), dtype=np.uint8)
    for _ in range(4):
        top, left = random.integers(0, size - size // 4, 2)
        mask[top : top + size // 4, left : left + size // 4] = 1
    image[mask == 1] += np.uint8(120)
    return image, mask


@pytest.fixture(scope="session")
def write_dataset() -> WriteDataset:
    """Return a function that writes a valid dataset without a manifest."""

    def write(root: Path, *, train: int = 3, val: int = 2, test: int = 2, size: int = 64) -> Path:
        number = 0
        for split, count in (("train", train), ("val", val), ("test", test)):
            for kind in ("images", "masks"):
                (root / split / kind).mkdir(parents=True)
            for _ in range(count):
                number += 1
                image, mask = _picture(number, size)
                Image.fromarray(image).save(root / split / "images" / f"t{number}.png")
                Image.fromarray(mask * np.uint8(255)).save(root / split / "masks" / f"t{number}.png")
        return root

    return write


SCENES = Task(
    kind="multiclass",
    classes=("ground", "roof", "tree"),
    colours=((90, 70, 50), (230, 159, 0), (0, 158, 115)),
)
"""What the masks of ``scenes`` mean."""


def _scene(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw bright and green rectangles on noise, and a strip that nobody has labelled."""
    image, mask = _picture(seed, size)
    random = np.random.default_rng(1000 + seed)
    top, left = random.integers(0, size - size // 3, 2)
    tree = (slice(top, top + size // 3), slice(left, left + size // 3))
    mask[tree], image[tree] = 2, image[tree] // 3
    image[tree][..., 1] += np.uint8(120)
    mask[:3] = 255
    return image, mask


@pytest.fixture(scope="session")
def write_scenes() -> WriteDataset:
    """Return a function that writes a valid dataset of three classes with its manifest."""

    def write(root: Path, *, train: int = 3, val: int = 2, test: int = 2, size: int = 64, task: Task = SCENES) -> Path:
        from sweep.patches.checks.checking import check, describe
        from sweep.patches.folders import write_tile

        number = 0
        for split, count in (("train", train), ("val", val), ("test", test)):
            for kind in ("images", "masks"):
                (root / split / kind).mkdir(parents=True)
            for _ in range(count):
                number += 1
                write_tile(root, split, f"t{number}", *_scene(number, size), task)
        report = check(root, task=task)
        assert not report.faults
        describe(report, name="scenes", origin="drawn by a test", licence="CC0-1.0", synthetic=True).write(root)
        return root

    return write


@pytest.fixture
def scenes(tmp_path: Path, write_scenes: WriteDataset) -> Path:
    """A valid dataset of 3, 2 and 2 tiles of 64 pixels with three classes."""
    return write_scenes(tmp_path / "scenes")


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    """A valid dataset of 3, 2 and 2 tiles of 64 pixels."""
    return write_dataset(tmp_path / "patches")
