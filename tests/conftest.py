"""Fixtures: small datasets of the real layout, and processes that do not outlive their test."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.task import Task

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

WriteDataset = Callable[..., Path]


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
        from sweep.patches.checking import check, describe
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
