"""The sdist, the wheel that is built from it, and that wheel in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

MINUTES = 600
"""Seconds that a build or a command may take on a busy machine."""


def checked_out() -> set[str]:
    """Return the files of the checkout that git tracks or would track."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


@dataclass(frozen=True)
class Built:
    """What `python -m build` makes of a clean checkout."""

    sdist: Path
    wheel: Path


def build(folder: Path) -> Built:
    """Build the sdist, and the wheel out of the sdist, with the setuptools that is here."""
    clean, out = folder / "checkout", folder / "dist"
    for name in checked_out():
        (clean / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clean / name)
    out.mkdir()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(clean)]
    # In a folder without a folder "build", which would hide the package of that name.
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build once for all tests of what comes out."""
    return build(tmp_path_factory.mktemp("built"))


def new_environment(folder: Path, wheel: Path | None = None) -> Path:
    """Make a virtual environment that borrows this one's packages, but has a tilesweep of its own, or none yet.

    Args:
        folder: Where it goes.
        wheel: What is installed in it; nothing is fetched.

    Returns:
        Its Python.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=MINUTES)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-deps", "--no-index"]
    if wheel is not None:
        subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=MINUTES)
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    # A line of a .pth is a folder more; the checkout's own editable installation is no folder, so it stays unseen.
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    return python


@dataclass(frozen=True)
class Installed:
    """The installed wheel; its commands run in a folder outside the checkout."""

    python: Path

    def __call__(self, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run ``python WORDS``."""
        return self._run(self.python, *words, cwd=cwd)

    def script(self, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run ``tilesweep WORDS``."""
        return self._run(self.python.with_name("tilesweep"), *words, cwd=cwd)

    def _run(self, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [*map(str, words)],
            cwd=cwd,
            env={**variables, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=MINUTES,
            check=False,
        )


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install once for all tests of what is installed."""
    return Installed(new_environment(tmp_path_factory.mktemp("installed") / "venv", built.wheel))
