"""Functions that run commands: datasets, sweeps, scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tilesweep.calling import call
from tilesweep.results import Results
from tilesweep.results import open as open_results
from trainables.storage import DEFAULT_STORAGE

Phase = Literal["phase1", "phase2", "phase3"]


def make_dataset(src: str | Path, dst: str | Path, *, quiet: bool = False, **options: Any) -> Path:
    """Make a dataset of tiles out of images and their masks or labels, as ``python -m sweep.patches make`` does.

    Args:
        src: The images and masks, as people and benchmarks keep them.
        dst: Where the dataset goes; nothing may be there, unless ``force=True``.
        quiet: Say only what came out.
        options: The command's other flags, such as ``grid=True`` or ``size=512``.

    Returns:
        ``dst``.

    Raises:
        tilesweep.Error: What is wrong with the files or the options, in a line each.
        TypeError: There is no such option.
    """
    call("patches make", {"src": src, "dst": dst, **options}, quiet=quiet)
    return Path(dst)


def sweep(
    patches: str | Path = "patches",
    *,
    phase: Phase = "phase1",
    storage: str | Path = DEFAULT_STORAGE,
    resume: str | None = None,
    quiet: bool = False,
    **options: Any,
) -> Results:
    """Run a sweep, as ``python -m sweep.phase1`` does, and wait for its end.

    Ray is started in this process, and ended with the sweep. Call it in the main thread: Ctrl-C, or a notebook's stop
    button, ends the sweep cleanly, and ``resume`` takes it up again.

    Args:
        patches: The dataset.
        phase: Which one.
        storage: Folder or URI that holds experiments.
        resume: Name of an unfinished experiment to resume; the other options are kept as they were.
        quiet: Say only what came out.
        options: The command's other flags, such as ``profile="demo"``, ``architectures=["unet"]`` or ``time="8h"``.

    Returns:
        What came out.

    Raises:
        tilesweep.Error: Anything that you can fix, in a line each, before the first trial.
        TypeError: There is no such option.
        KeyboardInterrupt: It was interrupted; nothing is lost.
    """
    asked: dict[str, Any] = {"storage": str(storage), **options}
    asked |= {"patches": patches} if resume is None else {"resume": resume}
    events = call(phase, asked, quiet=quiet)
    return open_results(str(events["started"]["experiment"]), storage=storage)


def score(
    name: str | None = None, *, storage: str | Path = DEFAULT_STORAGE, quiet: bool = False, **options: Any
) -> Results:
    """Read the test split once for each contender at the top, as ``python -m sweep.score`` does; the ledger notes it.

    Args:
        name: An experiment; None for the one that changed last.
        storage: Folder or URI that holds experiments.
        quiet: Say only what came out.
        options: The command's other flags.

    Returns:
        What came out, with the scores on test.

    Raises:
        tilesweep.Error: It was scored already, is unfinished, or has no test tiles.
        TypeError: There is no such option.
    """
    found = open_results(name, storage=storage)
    call("score", {"name": found.name, "storage": str(storage), **options}, quiet=quiet)
    return open_results(found.name, storage=storage)
