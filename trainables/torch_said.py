"""What torch says of this machine's CPU, for processes that do without torch: its import takes seconds and 470 MiB."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache as kept_in_process
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.models.sources import cache
from trainables.owners import write_whole

FILE = "torch_said.json"
ASKED = "import json; from trainables.torch_said import of_torch; print(json.dumps(of_torch()))"
ANSWER_SECONDS = 120.0
CPU_FILE = Path("/proc/cpuinfo")
DECIDING = ("vendor_id", "model name", "cpu family", "model", "stepping", "flags", "Features", "CPU part")
"""Lines of that file which say what the CPU computes; others, such as its clock's, change from look to look."""
_asking = threading.Lock()


class _Said(TypedDict):
    """What ``of_torch`` returns."""

    version: str
    capabilities: dict[str, Any]


class _Kept(_Said):
    """The same in the cache, and what it holds for."""

    place: str


def said_by_torch() -> Mapping[str, Any]:
    """Return what ``of_torch`` does; a process without torch asks another one and stays without it.

    The answer is kept in the cache's folder for the same torch on the same CPU, so that only the first sweep asks.
    """
    if "torch" in sys.modules:
        return of_torch()
    with _asking:  # whoever comes second waits for the answer
        return _kept_or_asked(cache() / FILE)


def of_torch() -> Mapping[str, Any]:
    """Return torch's ``version`` and the CPU's ``capabilities``, its instruction sets; none where torch is too old."""
    import torch

    ask: Callable[[], Mapping[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return {"version": str(torch.__version__), "capabilities": dict(ask())}


@kept_in_process
def _kept_or_asked(file: Path) -> Mapping[str, Any]:
    place = _place()
    with suppress(OSError, DamagedError):
        kept = parse_json(read_bounded(file, MIB), _Kept)
        if place and kept["place"] == place:
            return kept
    try:
        done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, check=True, timeout=ANSWER_SECONDS)
        found = parse_json(done.stdout.strip().rpartition(b"\n")[2], _Said)
    except (OSError, subprocess.SubprocessError, DamagedError):  # as where no process may be started
        return of_torch()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"place": place, **found}, indent=1).encode())
    return found


def _place() -> str:
    """Return what an answer holds for: this installation of torch, this CPU, and how much of it torch may use."""
    found = find_spec("torch")
    origin = found.origin if found and found.origin else ""
    with suppress(PackageNotFoundError, OSError):
        lines = CPU_FILE.read_text(errors="replace").split("\n\n")[0].splitlines() if CPU_FILE.exists() else []
        cpu = [line for line in lines if line.partition(":")[0].strip() in DECIDING] or [platform.processor()]
        changed = Path(origin).stat().st_mtime_ns if origin else 0
        words = [version("torch"), origin, changed, os.environ.get("ATEN_CPU_CAPABILITY", ""), platform.node(), *cpu]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()
    return ""
