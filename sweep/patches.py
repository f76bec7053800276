"""``python -m sweep.patches``: make, check, show and synthesize datasets of tiles."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg, subcommand

from sweep.console import run_command
from sweep.engine.options import Numbers, OutputOptions
from sweep.engine.output import LABEL_WIDTH, Output

if TYPE_CHECKING:
    from sweep.dataset.checking import Report
    from trainables.data.manifest import Leak, Manifest

OVERVIEW_FILE = "overview.png"


@dataclass(frozen=True, kw_only=True)
class Make(OutputOptions):
    """Cut one tile out of each source raster.

    The tile is the geometric centre; where under 5 % of that is foreground, the nearest window with at least 5 %
    (multiples of size/16 away from the centre). Nothing is ever resized.
    """

    src: Annotated[Path, arg(metavar="DIR")]
    """Holds imgs/NAME.tif and msks/NAME.tif (or images/, masks/; .png, .jpg), or scene folders that do: SCENE_NAME."""

    dst: Annotated[Path, arg(metavar="DIR")] = Path("patches")
    """Where the dataset goes."""

    split: Annotated[str, arg(metavar="austin|FILE")] = "austin"
    """The study's split, or a TOML file: train = ["a1", "b_*"], val = [...], test = [...]."""

    size: Annotated[int, arg(metavar="PIXELS")] = 1024
    """Side of a tile, a multiple of 32 from 64 up."""

    nudge: Annotated[tuple[str, ...], arg(metavar="NAME=dx,dy")] = ()
    """Move single tiles by hand, in pixels to the right and down."""

    foreground: Annotated[str, arg(metavar="INDEX|R,G,B")] = ""
    """Which mask value is foreground, where a mask has more than two."""

    name: str = ""
    """The dataset's name; default: the folder's."""

    origin: str = "unknown"
    """Where the imagery comes from."""

    licence: str = "unknown"
    """Under which terms."""

    gsd: Annotated[float | None, arg(metavar="METRES")] = None
    """Metres a pixel."""

    force: bool = False
    """Replace a dataset that is there."""


@dataclass(frozen=True, kw_only=True)
class Check(OutputOptions):
    """Read every file and report all faults and leaks at once; exit code 2 on any.

    Leaks are tiles of different splits that show the same ground: copies, flips, crops, pictures saved again. They go
    into the manifest, which is written where there is none, and stop a sweep unless --allow-leak.
    """

    patches: Annotated[Path, arg(metavar="DIR")] = Path("patches")
    """The dataset."""

    update: bool = False
    """Bring the manifest's hashes up to date with the files."""


@dataclass(frozen=True, kw_only=True)
class Overview(OutputOptions):
    """Draw a grid of all tiles with the outlines of their masks."""

    patches: Annotated[Path, arg(metavar="DIR")] = Path("patches")
    """The dataset."""

    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """The picture; default: overview.png in the dataset."""


@dataclass(frozen=True, kw_only=True)
class Synthesize(OutputOptions):
    """Draw a synthetic dataset of aerial scenes with roofs."""

    dst: Annotated[Path, arg(metavar="DIR")]
    """Where the dataset goes."""

    tiles: Numbers = (24, 6, 6)
    """Tiles for train, val and test."""

    size: Annotated[int, arg(metavar="PIXELS")] = 1024
    """Side of a tile, a multiple of 32 from 64 up."""

    seed: int = 0
    """Another seed draws other scenes."""

    force: bool = False
    """Replace a dataset that is there."""


Command = (
    Annotated[Make, subcommand("make")]
    | Annotated[Check, subcommand("check")]
    | Annotated[Overview, subcommand("overview")]
    | Annotated[Synthesize, subcommand("synthesize")]
)


def make(options: Make, output: Output) -> None:
    """Run ``make``."""
    from sweep.dataset.checking import describe
    from sweep.dataset.folders import new_dataset
    from sweep.dataset.making import cut_tiles, parse_nudges
    from sweep.dataset.sources import find_sources, parse_foreground
    from sweep.dataset.splits import read_split

    _check_size(options.size)
    parse_foreground(options.foreground)
    nudges = parse_nudges(options.nudge)
    sources = find_sources(options.src)
    splits = read_split(options.split, sources)
    with new_dataset(options.dst, force=options.force) as root:
        cuts = cut_tiles(root, sources, splits, size=options.size, foreground=options.foreground, nudges=nudges)
        report = _sound(root)
        manifest = describe(
            report,
            name=options.name or options.dst.resolve().name,
            origin=options.origin,
            licence=options.licence,
            ground_sample_distance_m=options.gsd,
            sources={name: done.source for name, done in cuts.items()},
        )
        manifest.write(root)
        _overview(root, manifest.name, report)
    console = output.console
    unused = len(sources) - len(cuts)
    for name, done in cuts.items():
        if done.poor:
            console.print(f"{name}: no window reaches 5 % foreground; took {done.window.share:.1%}", highlight=False)
    if unused:
        console.print(f"{unused} sources are in no split and were left out", highlight=False)
    _made(options.dst, report, output)


def synthesize(options: Synthesize, output: Output) -> None:
    """Run ``synthesize``."""
    from sweep.dataset.checking import describe
    from sweep.dataset.folders import new_dataset
    from sweep.dataset.synthesis import GROUND_SAMPLE_DISTANCE_M, LICENCE, ORIGIN, draw_tiles, split_names

    _check_size(options.size)
    splits = split_names(options.tiles)
    with new_dataset(options.dst, force=options.force) as root:
        sources = draw_tiles(root, splits, size=options.size, seed=options.seed)
        report = _sound(root)
        manifest = describe(
            report,
            name="synthetic-roofs",
            origin=ORIGIN,
            licence=LICENCE,
            synthetic=True,
            ground_sample_distance_m=GROUND_SAMPLE_DISTANCE_M,
            sources=sources,
            notes={"colour_threshold": _colour_threshold(report)},
        )
        manifest.write(root)
        _overview(root, f"{manifest.name} (synthetic)", report)
    _made(options.dst, report, output)


def check(options: Check, output: Output) -> int:
    """Run ``check``; returns its exit code."""
    from dataclasses import replace

    from rich.table import Table

    from sweep.dataset.checking import check as check_dataset

    report = check_dataset(options.patches, against_manifest=not options.update)
    console = output.results
    again = _command("patches check", options.patches)
    if report.faults:
        table = Table(title=f"{options.patches}: {len(report.faults)} faults", title_justify="left", show_lines=True)
        for heading in ("file", "fault", "mend"):
            table.add_column(heading, overflow="fold")
        for fault in report.faults:
            place, _, rest = fault.partition(": ")
            what, _, mend = rest.rpartition("; ")
            table.add_row(place, what, mend)
            output.events.emit("fault", file=place, fault=what, mend=mend)
        console.print(table)
        output.next(again)
        return 2
    root = options.patches
    manifest = report.manifest
    if options.update or manifest is None:
        manifest = _fresh_manifest(root, report, keep=options.update)
    manifest = replace(manifest, leaks=report.leaks)
    if manifest != report.manifest:
        manifest.write(root)
        output.console.print(f"wrote {root / 'manifest.json'}", highlight=False)
    if report.leaks:
        _show_leaks(root, report.leaks, output)
        output.next(again)
        return 2
    console.print(f"{root}: sound. {report.summary()}, none in two splits", highlight=False)
    _emit_dataset(root, report, output)
    output.next(_command("phase1", root))
    return 0


def _fresh_manifest(root: Path, report: Report, *, keep: bool) -> Manifest:
    """Describe the files as they are; ``keep`` what an old manifest says besides."""
    from dataclasses import replace

    from sweep.dataset.checking import describe
    from trainables.data.manifest import Manifest
    from trainables.errors import DataError

    fresh = describe(report, name=root.resolve().name, origin="unknown", licence="unknown")
    try:
        old = Manifest.read(root) if keep else None
    except DataError:  # a damaged manifest is what --update replaces
        old = None
    return replace(old, splits=fresh.splits, files=_keep_sources(old, fresh)) if old else fresh


def _show_leaks(root: Path, leaks: tuple[Leak, ...], output: Output) -> None:
    """List the leaks."""
    from rich.table import Table

    table = Table(title=f"{root}: leaks between splits: {len(leaks)}", title_justify="left")
    for heading in ("tile", "and", "show"):
        table.add_column(heading, overflow="fold")
    for leak in leaks:
        table.add_row(leak.first, leak.second, leak.how)
        output.events.emit("leak", first=leak.first, second=leak.second, how=leak.how)
    output.results.print(table)
    output.results.print(
        "A sweep refuses them: move or remove one tile of each pair, or say --allow-leak", highlight=False
    )


def overview(options: Overview, output: Output) -> None:
    """Run ``overview``."""
    report = _sound(options.patches, leaks=False)
    name = report.manifest.name if report.manifest else options.patches.resolve().name
    synthetic = " (synthetic)" if report.manifest and report.manifest.synthetic else ""
    path = _overview(options.patches, name + synthetic, report, options.out)
    output.results.print(f"wrote {path}", highlight=False)
    output.next(_command("phase1", options.patches))


def _sound(root: Path, *, leaks: bool = True) -> Report:
    """Read a dataset, and look for leaks if asked.

    Raises:
        DataError: It is not sound.
    """
    from sweep.dataset.checking import check as check_dataset
    from trainables.errors import DataError

    report = check_dataset(root, leaks=leaks)
    if report.faults:
        raise DataError(report.faults)
    return report


def _check_size(size: int) -> None:
    from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE
    from trainables.errors import DataError

    if size < MIN_SIDE or size % SIDE_MULTIPLE:
        raise DataError(f"--size {size}: must be a multiple of {SIDE_MULTIPLE} from {MIN_SIDE} up")


def _colour_threshold(report: Report) -> dict[str, Any]:
    """Say what the best threshold on one colour channel reaches, fitted on train."""
    from dataclasses import asdict

    from trainables.data.colour_baseline import fit_colour_threshold

    tiles = {split: [files.tile for files in found] for split, found in report.splits.items()}
    rule = fit_colour_threshold(tiles["train"], step=1)
    return {
        **asdict(rule),
        "meaning": "foreground where low <= channel <= high; the best such rule on train",
        "train_iou": round(rule.score(tiles["train"]), 4),
        "val_iou": round(rule.score(tiles["val"]), 4),
    }


def _keep_sources(old: Any, fresh: Any) -> dict[str, Any]:
    return {path: {**entry, "source": old.files.get(path, entry)["source"]} for path, entry in fresh.files.items()}


def _overview(root: Path, title: str, report: Report, out: Path | None = None) -> Path:
    from sweep.dataset.overview import write_overview
    from trainables.errors import DataError

    path = out or root / OVERVIEW_FILE
    try:
        write_overview(path, title, report.splits)
    except OSError as error:
        raise DataError(f"--out {path}: cannot be written ({error.strerror}); choose another place") from error
    return path


def _made(root: Path, report: Report, output: Output) -> None:
    """Say what was made, and what to do with it."""
    output.results.print(f"{root}: {report.summary()}", highlight=False)
    output.results.print(f"{'overview':{LABEL_WIDTH}}{root / OVERVIEW_FILE}", highlight=False, soft_wrap=True)
    _emit_dataset(root, report, output)
    if report.leaks:
        _show_leaks(root, report.leaks, output)
    output.next(_command("patches check", root))


def _emit_dataset(root: Path, report: Report, output: Output) -> None:
    tiles = {split: len(files) for split, files in report.splits.items()}
    output.events.emit("dataset", path=str(root), tiles=tiles)


def _command(words: str, root: Path) -> str:
    """Return a command on a dataset, ready to be pasted."""
    return f"python -m sweep.{words} --patches {shlex.quote(str(root))}"


def main(options: Make | Check | Overview | Synthesize, output: Output) -> int | None:
    """Run the chosen subcommand; returns its exit code."""
    if isinstance(options, Check):
        return check(options, output)
    if isinstance(options, Make):
        make(options, output)
    elif isinstance(options, Overview):
        overview(options, output)
    else:
        synthesize(options, output)
    return None


if __name__ == "__main__":
    run_command(main, Command, prog="python -m sweep.patches")
