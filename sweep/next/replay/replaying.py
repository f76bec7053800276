"""``--replay``: from a labelled dataset to what each strategy is worth on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from sweep.cli.counting import CountedItems, WindowProgress
from sweep.cli.output import Output, say
from sweep.next.options import REPLAYED, NextOptions
from sweep.next.replay.curves import CHANCE, StrategyCurve, best_strategy, curves_of, reaches_double
from sweep.next.replay.pixels import Directions, TilePixels, draw_pixels
from sweep.next.replay.record import REPLAY_FILE, write_replay
from sweep.next.replay.running import Replay, run_replay
from sweep.next.replay.saying import curves_sheet, said_best
from sweep.next.replay.student import ProbeStudent
from sweep.next.strategies.registry import STRATEGIES, get_strategy
from sweep.next.strategies.strategy import Strategy
from trainables.data.folds import split_folds
from trainables.data.scenes import scenes_of
from trainables.data.tiles import Tile, TuningData
from trainables.errors import DataError, ExperimentError
from trainables.held_out import labelled as with_labels
from trainables.inference import choose_device
from trainables.invocation import command
from trainables.models.probe_names import PROBE
from trainables.models.registry import build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.recipe import Recipe
from trainables.task import Task
from trainables.wording import counted

ARCHITECTURE = "smp_unet_efficientnet_lite0"
"""Whose encoder has real weights on any machine."""
DRAWS = 10
WINDOW = 256
LEAST_LEFT = 2
"""Tiles that a probe can be fitted to: one is left out at a time."""
THIRDS = 6
"""Tiles from which on thirds can be replayed."""


def replay_strategies(options: NextOptions, output: Output) -> None:
    """Replay strategies, show and keep what came out.

    Raises:
        TilesweepError: A mistake in the options, or in what they name.
    """
    for flag, value in (("INPUT", options.inputs), ("--model", options.model)):
        if value:
            raise ExperimentError(f"{flag}: --replay looks at a labelled dataset alone; leave it out")
    if options.patches is None:
        raise ExperimentError("--replay: name the labelled dataset by --patches")
    chosen = [STRATEGIES[CHANCE], get_strategy(options.strategy)] if options.strategy else list(STRATEGIES.values())
    strategies = list({one.name: one for one in chosen}.values())
    data = TuningData.read(options.patches)
    scenes = scenes_of([tile.name for tile in (*data.train, *data.val)], data.scenes, None, data.same_ground)
    parts = _divide(data, scenes.of, options)
    budgets = fitting_budgets(options.tiles, min(len(own) for own, _ in parts))
    pixels = _pixels(data, options, output)
    students = [
        _student([pixels[tile.name] for tile in own], [pixels[tile.name] for tile in held], scenes.of, data.task)
        for own, held in parts
    ]
    draws = options.draws or DRAWS
    replay = _run(students, strategies, budgets, draws, options.seed, output)
    curves = curves_of(replay)
    _say(options.patches, data, replay, curves, scenes.origin, len(parts), output)
    _keep(options, data, replay, curves, len(parts), output)


def fitting_budgets(wanted: Sequence[int], available: int) -> tuple[int, ...]:
    """Return the budgets that can be replayed, rising; thirds of what there is where the usual ones are too many.

    Raises:
        ExperimentError: Fewer than two.
    """
    found = tuple(sorted({budget for budget in wanted if budget <= available}))
    if tuple(wanted) == REPLAYED and len(found) < 2 and available >= THIRDS:
        found = (available // 3, 2 * available // 3, available)
    if len(found) < 2 or found[0] < LEAST_LEFT:
        raise ExperimentError(
            f"--tiles {','.join(map(str, wanted[:6]))}: {counted(available, 'tile')} may be uncovered; a replay needs "
            f"two numbers of at least {LEAST_LEFT} and at most that; give such, or label more"
        )
    return found


def _divide(
    data: TuningData, scenes: Mapping[str, str], options: NextOptions
) -> list[tuple[Sequence[Tile], Sequence[Tile]]]:
    """Return the tiles whose labels are hidden and those that are scored: one pair, or one per fold.

    Raises:
        DataError: There are no val tiles, or not so many scenes.
    """
    if options.folds is None:
        if not data.val:
            raise DataError(f"--patches {options.patches}: has no val tiles; --folds 5 scores all tiles by scene")
        return [(with_labels(data.train), with_labels(data.val))]
    pooled = data.pooled()
    folds = split_folds(pooled.train, scenes, options.folds, options.seed, data.task)
    divided = [fold.of(pooled) for fold in folds]
    return [(with_labels(one.train), with_labels(one.val)) for one in divided]


def _pixels(data: TuningData, options: NextOptions, output: Output) -> dict[str, TilePixels]:
    """Look at all tiles once through a frozen encoder."""
    name = options.architecture or ARCHITECTURE
    host = get_architecture(name)
    weights = resolve(host.needs, "available")
    recipe = Recipe(architecture=PROBE + host.name, crop_size=WINDOW)
    model = build_model(recipe, weights, data.task.channels, bands=len(data.imagery.bands)).eval()
    model.to(choose_device(options.device))
    say(output.console, "probes on", f"{host.title}, {weights.kind} weights")
    tiles = with_labels((*data.train, *data.val))
    watch = CountedItems(output.console)
    with torch.no_grad():
        drawn = draw_pixels(tiles, model, window=recipe.crop_size, seed=options.seed)
        return {one.name: one for one in watch("looking at tiles", drawn, len(tiles))}


def _student(
    own: Sequence[TilePixels], held: Sequence[TilePixels], scenes: Mapping[str, str], task: Task
) -> ProbeStudent:
    """Return a student whose features are along the main directions of the tiles that it may learn from."""
    directions = Directions.of(own)
    return ProbeStudent(
        own=[directions.along(one) for one in own],
        held=[directions.along(one) for one in held],
        scenes=scenes,
        task=task,
    )


def _run(
    students: Sequence[ProbeStudent],
    strategies: Sequence[Strategy],
    budgets: Sequence[int],
    draws: int,
    seed: int,
    output: Output,
) -> Replay:
    """Run the replay, and show how far it is."""
    each = 1 + len(strategies) * (len(budgets) - 1)
    total = each * draws * len(students)
    folds = f" x {counted(len(students), 'fold')}" if len(students) > 1 else ""
    say(output.console, "replay", f"{counted(draws, 'draw')}{folds} x {len(strategies)} strategies: {total:,} fits")
    with WindowProgress(output.console) as progress:
        progress.begin("fits", total)
        return run_replay(students, strategies, budgets, draws, seed=seed, done=progress.advance)


def _say(
    place: Path,
    data: TuningData,
    replay: Replay,
    curves: Sequence[StrategyCurve],
    origin: str,
    folds: int,
    output: Output,
) -> None:
    """Show the curves, and what follows from them."""
    where = f"{folds} folds of whole scenes" if folds > 1 else f"{counted(len(data.val), 'val tile')}"
    title = f"IoU on {where} of {place} by labelled tiles, {counted(replay.draws, 'draw')}"
    output.results.print(curves_sheet(title, replay.budgets, curves))
    say(
        output.results,
        "gain",
        "mean over the budgets, against random of the same draw; intervals hold together at 95 %",
    )
    say(output.results, "about", f"other draws of these tiles, not other scenes; scenes: {origin}")
    for curve in curves:
        if curve.name != CHANCE and (found := reaches_double(replay, curve.name)):
            half, whole, count = found
            text = f"{half} by {curve.name} reach the IoU of {whole} random ones in {count} of {replay.draws} draws"
            say(output.results, "double", text)
    say(output.results, "so", said_best(curves))
    for curve in curves:
        output.events.emit(
            "curve",
            strategy=curve.name,
            tiles=list(replay.budgets),
            ious=list(curve.ious),
            gain=None if curve.gain is None else [curve.gain.mean, curve.gain.low, curve.gain.high],
            gains=[[one.mean, one.low, one.high] for one in curve.gains],
            worth=list(curve.worth),
        )


def _keep(
    options: NextOptions, data: TuningData, replay: Replay, curves: Sequence[StrategyCurve], folds: int, output: Output
) -> None:
    """Keep what was found with the dataset, if every strategy was replayed."""
    assert options.patches is not None
    best = best_strategy(curves)
    if len(replay.ious) < len(STRATEGIES):
        say(output.results, "kept", "nothing: --strategy replays some; without it the best one becomes the default")
    else:
        try:
            path = write_replay(
                options.patches,
                curves,
                fingerprint=data.fingerprint,
                strategy=best,
                student=f"probe on {options.architecture or ARCHITECTURE}",
                draws=replay.draws,
                folds=folds if folds > 1 else 0,
                seed=options.seed,
                budgets=replay.budgets,
            )
            say(output.results, "kept", f"{path}: sweep.next takes {best} on this dataset unless --strategy says")
        except ExperimentError as error:
            say(output.results, "warning", f"{REPLAY_FILE} is not kept: {error}")
    output.next(command("next", "--help"))
