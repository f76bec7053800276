"""How a result was made: command, versions, hardware, git state."""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sweep import __version__
from sweep.machine.gpus import gpu_names
from sweep.machine.share import cpu_share
from trainables.secrets import hide_secret

_PACKAGES = (
    "torch",
    "torchvision",
    "ray",
    "optuna",
    "segmentation-models-pytorch",
    "segment-anything",
    "albumentations",
    "numpy",
    "pyarrow",
)


def provenance() -> dict[str, Any]:
    """Describe this process and machine.

    Returns:
        Plain values: ``created`` (UTC, ISO 8601), ``command``, ``python``, ``platform``, ``cpus``, ``gpus`` (names),
        ``packages`` (name to version) and ``git`` (``commit`` and ``dirty``; empty outside a repository).
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": typed_command(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": cpu_share().count,
        "gpus": gpu_names(),
        "packages": {"tilesweep": __version__} | {name: version(name) for name in _PACKAGES},
        "git": _git_state(),
    }


def typed_command(without: Collection[str] = ()) -> str:
    """Return the command line, without secrets and without some flags."""
    words = [hide_secret(word) for word in sys.argv[1:] if word not in without]
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = ["python", "-m", spec.name.removesuffix(".__main__")] if spec else [Path(sys.argv[0]).name]
    return shlex.join([*program, *words])


def _git_state() -> dict[str, Any]:
    git = shutil.which("git")
    folder = Path(__file__).resolve().parents[2]
    if git is None or not (folder / ".git").exists():
        return {}

    def ask(*arguments: str) -> str:
        done = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
