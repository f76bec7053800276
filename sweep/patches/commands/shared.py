"""What several subcommands do: check a dataset, draw it, say what was made and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from sweep.cli.counting import Watch, unwatched
from sweep.cli.faults import SHOWN_FAULTS
from sweep.cli.output import Output
from sweep.cli.tables import Sheet, columns_of
from sweep.machine.gpus import gpu_count
from sweep.patches.checks.checking import Report
from sweep.patches.checks.checking import check as check_dataset
from sweep.patches.checks.tiles import SeeTile, unseen
from sweep.patches.look.notes import Notes
from sweep.patches.look.overview import overview_png
from sweep.patches.options import MAX_TILES
from sweep.patches.splits.scenes import KnownScenes
from sweep.ray_tune.cluster import joins
from sweep.records.outputs import sealed, write_files
from trainables.data.imagery import Imagery
from trainables.data.manifest import MANIFEST_FILE, Leak, Manifest
from trainables.data.pictures import MAX_SIDE
from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE, SPLITS
from trainables.errors import DataError
from trainables.invocation import call
from trainables.task import Task

OVERVIEW_FILE = "overview.png"


def command(words: str, root: Path) -> str:
    """Return a command on a dataset, ready to be pasted."""
    return f"{call(words)} --patches {shlex.quote(str(root))}"


def check_size(size: int) -> None:
    """Refuse a tile size that no model takes.

    Raises:
        DataError: Too small or too large, or no multiple of 32.
    """
    if not MIN_SIDE <= size <= MAX_SIDE or size % SIDE_MULTIPLE:
        raise DataError(f"--size {size}: must be a multiple of {SIDE_MULTIPLE} from {MIN_SIDE} to {MAX_SIDE}")


def check_counts(counts: tuple[int, ...], example: str) -> None:
    """Refuse numbers of tiles that make no three splits.

    Raises:
        DataError: Not three counts of at least 1, or more tiles than a dataset has.
    """
    if len(counts) != len(SPLITS) or min(counts) < 1 or sum(counts) > MAX_TILES:
        shown = ",".join(map(str, counts[:4]))
        raise DataError(
            f"--counts {shown[:60]}: give three counts of at least 1, {MAX_TILES:,} together at most, such as {example}"
        )


def warn_of_absent_classes(report: Report, output: Output) -> None:
    """Name the classes that no train tile shows; a published legend has more than a few tiles show."""
    if absent := report.absent_classes:
        output.console.print(
            f"no train tile shows {', '.join(absent)}: nothing can learn that, and where it is, all models are wrong; "
            f"move a tile that shows it to train, or remap it in the task"
        )
        output.events.emit("absent_classes", classes=list(absent))


def read_sound(
    root: Path,
    *,
    leaks: bool = True,
    viewed: bool = False,
    task: Task | None = None,
    imagery: Imagery | None = None,
    scenes: KnownScenes | None = None,
    watch: Watch = unwatched,
    see: SeeTile = unseen,
) -> Report:
    """Read a dataset, and look for leaks if asked.

    Args:
        root: The dataset.
        leaks: Also look for tiles of different splits or scenes that show the same ground.
        viewed: Also keep what is needed to look for them later.
        task: What the masks mean; None is what the manifest says.
        imagery: What the images hold; None is what the manifest says.
        scenes: What is known of the tiles' scenes; None is what the manifest says.
        watch: Shows how far it is.
        see: Is shown every sound tile while its pixels are in memory.

    Raises:
        DataError: It is not sound.
    """
    report = check_dataset(
        root,
        leaks=leaks,
        viewed=viewed,
        task=task,
        imagery=imagery,
        scenes=(lambda _: scenes) if scenes else None,
        watch=watch,
        see=see,
    )
    if report.faults:
        raise DataError(report.faults)
    return report


def draw_overview_of(
    root: Path, title: str, report: Report, notes: Notes, out: Path | None = None, *, overwrite: bool = False
) -> Path:
    """Draw the overview of a dataset; returns where it is.

    Raises:
        ExperimentError: It cannot be written there, or what is there is not ours.
    """
    path = out or root / OVERVIEW_FILE
    png = overview_png(title, report.splits, report.task, lambda files: notes.small.of(report, files))
    picture = sealed(png, ".png")
    flag = "--out" if out else ""
    write_files({path: picture}, flag=flag, overwrite=overwrite, ending=".png", make_folders=False)
    return path


def title(manifest: Manifest) -> str:
    """Return a dataset's name as pictures show it."""
    return manifest.name + (" (synthetic)" if manifest.synthetic else "")


def train_words(report: Report) -> str:
    """Return the command that comes after a sound dataset, in a profile that this machine can run.

    One without val tiles is divided into folds; the paper profile needs GPUs, here or in a cluster that is named.
    """
    profile = "" if gpu_count() or joins(None) else " --profile demo"
    return ("study" if report.splits["val"] else "study --folds 5") + profile


def say_absent_splits(report: Report, output: Output) -> None:
    """Say which splits have no tiles, and what that means."""
    if not report.splits["val"]:
        output.results.print("no val tiles: sweeps divide train by --folds N")
    if not report.splits["test"]:
        output.results.print("no test tiles: there will be no score of test, only of val")


def emit_dataset(root: Path, report: Report, output: Output) -> None:
    """Emit how many tiles a dataset has."""
    tiles = {split: len(files) for split, files in report.splits.items()}
    output.events.emit("dataset", path=str(root), tiles=tiles)


def say_scenes(report: Report, output: Output) -> None:
    """Say how many scenes there are and whence that is known, and which of them show the same ground."""
    output.results.print(f"scenes: {report.scenes.origin}", markup=False)
    if report.leaks is None:
        output.results.print(
            f"nobody has looked for tiles that show the same ground (--no-leak-check), and the manifest says so; "
            f"{call('patches')} check does"
        )
    for pair in report.same_ground or ():
        output.events.emit("same_ground", first=pair.first, second=pair.second, how=pair.how)
    if report.same_ground:
        _list_pairs("the same ground in train or in val", report.same_ground, "same_ground", output)
        output.results.print("That is no fault: folds by scene keep such tiles together")


def show_leaks(root: Path, leaks: tuple[Leak, ...], output: Output) -> None:
    """List the leaks."""
    for leak in leaks:
        output.events.emit("leak", first=leak.first, second=leak.second, how=leak.how)
    _list_pairs(f"{root}: leaks between splits", leaks, "leaks", output)
    output.results.print("A sweep refuses them: move or remove one tile of each pair, or say --allow-leak")


def _list_pairs(title: str, pairs: Sequence[Leak], key: str, output: Output) -> None:
    """Say how many pairs there are, and list the first ones."""
    tiles = {name for pair in pairs for name in (pair.first, pair.second)}
    rows = [(pair.first, pair.second, pair.how) for pair in pairs[:SHOWN_FAULTS]]
    more = len(pairs) - len(rows)
    title += f": {len(pairs):,}" + (f", of {len(tiles):,} tiles" if more else "")
    output.results.print(Sheet(title, columns_of("tile", "and", "show"), rows))
    if more:
        output.results.print(f"and {more:,} more; {key} in {MANIFEST_FILE} has all", markup=False)
