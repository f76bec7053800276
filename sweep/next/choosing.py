"""From what the user typed to a folder of tiles that are ready to be labelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sweep.cli.counting import WindowProgress
from sweep.cli.output import Output, say
from sweep.cli.tables import Sheet
from sweep.next.chosen import read_chosen
from sweep.next.folder import (
    CVAT,
    PLACES,
    SHEET,
    TABLE,
    TILES,
    FolderWriter,
    Heading,
    is_plain,
    labels_folder,
)
from sweep.next.keeping import keep_chosen
from sweep.next.labelled import LabelledSet, open_labelled
from sweep.next.options import NextOptions
from sweep.next.place import replacing, require_ours
from sweep.next.replay.curves import CHANCE
from sweep.next.replay.record import read_replay
from sweep.next.scan import Looked, Survey, WindowReading, look_at_all, said_dropped, survey_rasters
from sweep.next.scenes import held_out_scenes, scenes_of_rasters
from sweep.next.strategies.registry import DEFAULT, STRATEGIES, get_strategy
from sweep.next.strategies.strategy import Strategy
from sweep.next.table import ChosenRow, ranking_columns
from sweep.next.uncertainty_maps import UncertaintyMaps
from sweep.next.windows import called_apart, find_unlabelled
from sweep.rasters.addresses import is_remote
from sweep.rasters.extra import require_geo
from sweep.results.ensemble import Ensemble
from sweep.results.trained_models import find_models
from trainables.data.pictures import MAX_SIDE
from trainables.data.tiles import MIN_SIDE, SIDE_MULTIPLE
from trainables.errors import ExperimentError
from trainables.escaping import visible
from trainables.invocation import command
from trainables.models.trust import trust_everything
from trainables.storage import Storage
from trainables.wording import counted


def choose_windows(options: NextOptions, output: Output) -> None:
    """Choose windows, and write the folder.

    Raises:
        TilesweepError: A mistake in the options, or in what they name.
    """
    require_geo()
    strategy = get_strategy(options.strategy) if options.strategy else None
    if options.model is None:
        raise ExperimentError("--model: name an experiment, a trial or a weights file, which looks at the windows")
    _require_size(options.size)
    storage = Storage.open(options.storage)
    chosen = find_models(storage, options.model, count=options.ensemble, fold=options.fold)
    rasters = find_unlabelled(options.inputs, options.out)
    require_ours(options.out, overwrite=options.overwrite)
    if options.trust_code:
        trust_everything()
    ensemble = Ensemble.load(chosen, device=options.device, batch_size=options.batch_size, tta=False)
    labelled = open_labelled(ensemble, options.patches, storage, output)
    rasters = called_apart(rasters, labelled.known.names)
    strategy = strategy or _default(labelled, output)
    reading = WindowReading(
        bands=options.bands,
        scale=options.scale,
        skip_bad=options.skip_bad,
        size=options.size or labelled.side(ensemble.window),
        seed=options.seed,
    )
    survey = survey_rasters(rasters, ensemble, labelled, reading)
    maps = None
    if options.uncertainty_map is not None:
        used = {number: survey.rasters[number] for number in sorted({one.source for one in survey.windows})}
        maps = UncertaintyMaps.find(options.uncertainty_map, used, options.model)
        say(output.results, "uncertainty", f"{options.uncertainty_map}: {maps.meaning}")
    _say_survey(survey, ensemble, reading, strategy, output)
    with WindowProgress(output.console) as progress:
        looked = look_at_all(survey, ensemble, labelled, reading, progress, maps)
    _say_looked(looked, options.count, output)
    order = strategy.choose(looked.pool, min(options.count, len(looked.windows)), np.random.default_rng(options.seed))
    rows, placed = _write(options, ensemble, labelled, reading, survey, looked, strategy, order.tolist(), output)
    keep_chosen(options, rows, strategy, len(looked.windows), ensemble, labelled, output)
    _say_chosen(options, rows, placed, ensemble, labelled, output)


def _require_size(size: int | None) -> None:
    if size is not None and (not MIN_SIDE <= size <= MAX_SIDE or size % SIDE_MULTIPLE):
        raise ExperimentError(f"--size {size}: must be a multiple of {SIDE_MULTIPLE} from {MIN_SIDE} to {MAX_SIDE}")


def _default(labelled: LabelledSet, output: Output) -> Strategy:
    """Return the strategy that a replay found best on the dataset, else the usual one; says which and why.

    Raises:
        ExperimentError: The replay's record is damaged.
    """
    found = read_replay(labelled.place) if labelled.place and not is_remote(str(labelled.place)) else None
    if found is None or found["strategy"] not in STRATEGIES:
        text = f"{DEFAULT.name} is not proven on this dataset; --replay --patches DIR measures it"
        say(output.console, "replay", text)
        return DEFAULT
    if labelled.data is None or found["fingerprint"] != labelled.data.fingerprint:
        say(output.console, "replay", "was on other tiles than the dataset now has; --replay measures it again")
    if found["strategy"] == CHANCE:
        say(output.results, "replay", "no better than random here: chosen by chance, unless --strategy says otherwise")
    return STRATEGIES[found["strategy"]]


def _say_survey(survey: Survey, ensemble: Ensemble, reading: WindowReading, strategy: Strategy, output: Output) -> None:
    for kind, lines in (("warning", survey.warnings), ("skipped", survey.skipped)):
        for line in lines:
            say(output.results, kind, visible(line))
            output.events.emit(kind, text=line)
    for label in ensemble.labels:
        say(output.console, "model", label)
    count = counted(len(survey.windows), "window")
    more = f", drawn by --seed from {survey.total:,}" if survey.total > len(survey.windows) else ""
    rasters = counted(len(survey.rasters), "raster")
    say(output.console, "windows", f"{count} of {reading.size} pixels, of {rasters}{more}")
    say(output.console, "strategy", f"{strategy.name}: {strategy.about}")


def _say_looked(looked: Looked, count: int, output: Output) -> None:
    if looked.dropped:
        say(output.results, "left out", said_dropped(looked.dropped))
    for line in looked.bad:
        say(output.results, "skipped", visible(line))
    if len(looked.windows) < count:
        say(
            output.results,
            "fewer",
            f"{counted(len(looked.windows), 'window')}, fewer than --count {count}: all are taken",
        )
    output.events.emit("looked", windows=len(looked.windows), left_out=dict(looked.dropped), bad=list(looked.bad))


def _write(
    options: NextOptions,
    ensemble: Ensemble,
    labelled: LabelledSet,
    reading: WindowReading,
    survey: Survey,
    looked: Looked,
    strategy: Strategy,
    order: Sequence[int],
    output: Output,
) -> tuple[list[ChosenRow], int]:
    """Write the folder; returns its rows, and how many windows have a place on the ground."""
    best = ensemble.best
    scenes = scenes_of_rasters(survey.rasters, labelled.known.scenes)
    used = []
    with replacing(options.out) as root:
        writer = FolderWriter(root, best.task, best.imagery, scenes)
        for tile in read_chosen(order, looked, survey.rasters, ensemble, reading):
            writer.add(tile)
            used.append(tile.raster.name)
        heading = Heading(
            title=labelled.data.name if labelled.data else str(options.inputs[0]),
            headline=f"Label these {counted(len(order), 'tile')} next" if len(order) > 1 else "Label this tile next",
            notes=(
                f"Chosen by {strategy.name}, {strategy.about}, out of {counted(len(looked.windows), 'window')}, "
                f"as {', '.join(ensemble.labels)} sees them.",
            ),
            strategy=strategy.name,
            model=str(options.model),
            patches=str(labelled.place or ""),
        )
        found = writer.finish(heading)
    if shared := held_out_scenes(used, scenes, labelled.known.scenes):
        names = ", ".join(shared[:3]) + (f" and {len(shared) - 3} more" if len(shared) > 3 else "")
        say(
            output.results,
            "warning",
            f"val or test shows the scene of chosen tiles, too ({names}): scores flatter what is trained on them",
        )
    return found


def _say_chosen(
    options: NextOptions,
    rows: Sequence[ChosenRow],
    placed: int,
    ensemble: Ensemble,
    labelled: LabelledSet,
    output: Output,
) -> None:
    """Show the table, what was written, and what to do with it."""
    out, task = options.out, ensemble.best.task
    rare = task.classes[1] if task.binary else ""
    output.results.print(Sheet("", ranking_columns(rare), rows, elsewhere=f"{out / TABLE} has all"))
    for row in rows:
        output.events.emit(
            "chosen",
            rank=row.rank,
            name=row.name,
            raster=row.raster,
            x=row.left,
            y=row.top,
            entropy=row.entropy,
            disagreement=row.disagreement,
            shares=dict(row.shares),
            scene=row.scene,
        )
    say(output.results, "contact sheet", str(out / SHEET))
    if placed:
        more = "" if placed == len(rows) else f": {placed} of {len(rows)} windows, the others say no place on earth"
        say(output.results, "for a GIS", f"{out / PLACES}{more}")
    folder = labels_folder(ensemble.best.imagery)
    say(output.results, "to label", f"correct and save each in {out / folder} with LabelMe or X-AnyLabeling")
    say(output.results, "or in CVAT", f"upload these images, then {out / CVAT} as annotations (CVAT for images 1.1)")
    if labelled.place is None:
        output.next(command("patches", "make", "--help"))
    else:
        output.next(_back(options, labelled.place, folder, plain=is_plain(ensemble.best.imagery)))


def _back(options: NextOptions, place: Path, folder: str, *, plain: bool) -> str:
    """Return the command that adds the labelled tiles to the dataset."""
    labels = () if plain else ("--labels", str(options.out / folder))
    dst = _next_version(place)
    return command(
        "patches", "make", "--src", str(options.out / TILES), *labels, "--add", str(place), "--dst", str(dst)
    )


def _next_version(place: Path) -> Path:
    """Return a free place for the dataset's next version: ``roofs-2`` for ``roofs``, ``roofs-3`` for ``roofs-2``."""
    stem, _, number = place.name.rpartition("-")
    name, version = (stem, int(number) + 1) if stem and number.isdecimal() else (place.name, 2)
    while place.with_name(f"{name}-{version}").exists():
        version += 1
    return place.with_name(f"{name}-{version}")
