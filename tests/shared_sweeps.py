"""Three real sweeps, one per phase, that are run once for all tests that only read them.

All three run under an audit hook, each on another layout of the tiles.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.audit import Audit
from tests.commands import ROOT, run_process


@dataclass(frozen=True)
class SharedSweep:
    """A finished smoke sweep; a test that changes something copies it first.

    Attributes:
        folder: Holds everything of it.
        name: The experiment's name.
    """

    folder: Path
    name: str

    @property
    def storage(self) -> Path:
        """The folder of experiments, and of the ledger."""
        return self.folder / "results"

    @property
    def experiment(self) -> Path:
        """The experiment's folder."""
        return self.storage / self.name

    @property
    def patches(self) -> Path:
        """Where the sweep found its tiles."""
        return self.folder / "data" / "patches"

    @property
    def audit(self) -> Audit:
        """What the sweep opened of its tiles and of ``trainables``."""
        return Audit.of(self.folder, self.folder / "data", ROOT / "trainables")

    def said(self, command: str) -> str:
        """Return what a command printed."""
        return (self.folder / f"{command}.txt").read_text()

    def run(self, command: str, *arguments: object, **variables: str) -> None:
        """Run a command on it, and keep what it prints."""
        done = run_process(command, *arguments, "--storage", self.storage, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        (self.folder / f"{command}.txt").write_text(done.stdout + done.stderr)

    def copy(self, folder: Path) -> Path:
        """Copy its storage; returns the copy."""
        return Path(shutil.copytree(self.storage, folder))


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[SharedSweep], None]) -> SharedSweep:
    """Make a sweep once for all workers of pytest-xdist.

    Args:
        factory: Whose base folder is shared, but for its last part, which is the worker's.
        name: The experiment's name.
        make: Runs it.
    """
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    sweep = SharedSweep(base / name, name)
    with FileLock(base / f"{name}.lock"):
        if not (sweep.folder / "made").exists():
            shutil.rmtree(sweep.folder, ignore_errors=True)
            (sweep.folder / "data").mkdir(parents=True)
            make(sweep)
            (sweep.folder / "made").touch()
    return sweep


def link_test_folder(patches: Path) -> None:
    """Replace a dataset's test folder by a link to elsewhere."""
    elsewhere = patches.with_name("elsewhere")
    (patches / "test").rename(elsewhere)
    (patches / "test").symlink_to(elsewhere)


def link_every_file(patches: Path) -> None:
    """Leave a dataset as DVC or git-annex do: links into one store of contents."""
    store = patches.with_name("store")
    store.mkdir()
    for number, path in enumerate(sorted(patches.rglob("*.png"))):
        content = store / f"{number}.png"
        path.rename(content)
        path.symlink_to(content)
