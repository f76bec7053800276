"""Which files a command and all processes below it open: an audit hook in every Python that starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.commands import ROOT

HOOK = """
import os, sys

def _watch(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], (str, bytes)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(tuple(os.environ["WATCHED"].split(os.pathsep))) and not getattr(_watch, "busy", False):
            _watch.busy = True
            with open(os.environ["WATCH_LOG"], "a") as log:
                log.write(f"{os.path.basename(sys.argv[0])} {path}\\n")
            _watch.busy = False

sys.addaudithook(_watch)
"""


@dataclass(frozen=True)
class Audit:
    """A log of what is opened below some folders.

    Attributes:
        log: A line per opened file: the program, and the file with all links resolved.
        variables: What installs the hook in a command and in all processes below it.
    """

    log: Path
    variables: dict[str, str]

    @classmethod
    def of(cls, folder: Path, *watched: Path) -> Audit:
        """Write the hook into a folder."""
        hook = folder / "hook"
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(HOOK)
        log = folder / "opened.txt"
        log.touch()
        roots = os.pathsep.join(str(path.resolve()) for path in watched)
        return cls(log, {"PYTHONPATH": f"{hook}{os.pathsep}{ROOT}", "WATCHED": roots, "WATCH_LOG": str(log)})

    def opened(self, *places: Path) -> list[Path]:
        """Return what was opened below some places; all of it if none is given."""
        paths = [Path(line.split(" ", 1)[1]) for line in self.log.read_text().splitlines()]
        return [path for path in paths if not places or any(path.is_relative_to(place.resolve()) for place in places)]

    def of_test(self, patches: Path) -> list[Path]:
        """Return what was opened of a dataset's test split, also where it or its files are links."""
        return self.opened(patches / "test", *(patches / "test").rglob("*.*"))
