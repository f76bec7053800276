"""Before the first raster is predicted: each is looked at, and what will predict them is shown."""

from __future__ import annotations

from pathlib import Path

from sweep.cli.output import Output, say
from sweep.predict.job import Job
from sweep.predict.record import Record
from sweep.predict.settings import MapSettings
from sweep.predict.val_gain import measure_gain
from sweep.rasters.addresses import unsigned
from sweep.rasters.files import UnreadableError, replace_or_skip
from sweep.rasters.inputs import Input
from sweep.rasters.validity import OutsideError
from sweep.results.ensemble import Ensemble
from sweep.results.unseen_data import unseen_data
from trainables.data.imagery import Imagery
from trainables.errors import ExperimentError, TilesweepError
from trainables.escaping import visible
from trainables.held_out import unseen_tiles
from trainables.temperature import raw_threshold
from trainables.wording import counted


def say_hidden(counts: dict[str, int], output: Output) -> None:
    """Say which files of folders are not read."""
    for folder, count in counts.items():
        text = f"{counted(count, 'file')} in {folder} whose names begin with a dot"
        say(output.results, "skipped", visible(text))
        output.events.emit("skipped", input=folder, text=text)


def check_inputs(job: Job, inputs: list[Input], record: Record, output: Output) -> list[Input]:
    """Look at every raster before the first one is predicted.

    Returns:
        Those that can be used; with --skip-bad, what is no raster is left out.

    Raises:
        ExperimentError: Some cannot be used, all of them listed at once.
    """
    faults: list[str] = []
    skipped: list[str] = []
    outside: list[str] = []
    usable: list[Input] = []
    for one in inputs:
        try:
            if not job.is_done(one, record):
                record.require_free(one)
                for warning in job.warnings(one):
                    say(output.results, "warning", visible(warning))
                    output.events.emit("warning", input=unsigned(one.path), text=warning)
        except OutsideError as error:
            outside += error.faults
        except TilesweepError as error:
            (skipped if job.skip_bad and isinstance(error, UnreadableError) else faults).extend(error.faults)
        else:
            usable.append(one)
    if faults or not usable:
        raise ExperimentError(faults or skipped or outside)
    if outside:
        text = f"{counted(len(outside), 'raster')} of which --clip shows nothing"
        say(output.results, "skipped", text)
        output.events.emit("skipped", text=text)
    for fault in skipped:
        text = fault.removesuffix(f"; {replace_or_skip()}")
        say(output.results, "skipped", visible(text))
        output.events.emit("skipped", text=text)
    return usable


def say_models(ensemble: Ensemble, output: Output) -> None:
    """Show what predicts, and by windows of which size."""
    for label in ensemble.labels:
        say(output.console, "model", label)
    batch, symmetries = ensemble.batch_size, ", eight symmetries each" if ensemble.tta else ""
    output.console.print(
        f"windows        {ensemble.window} pixels, {batch} a batch on {ensemble.device.type}{symmetries}"
    )
    output.events.emit(
        "model",
        names=list(ensemble.names),
        fold=ensemble.fold,
        window=ensemble.window,
        device=ensemble.device.type,
        tta=ensemble.tta,
    )


def say_scale(chosen: tuple[float, float] | None, imagery: Imagery, output: Output) -> None:
    """Say which values become 0 and 255, and who says so; bytes that are taken as they are need no word."""
    if chosen:
        text = f"{chosen[0]:g} to {chosen[1]:g} become 0 to 255, as --scale says"
    elif imagery.scale:
        ends = zip(imagery.bands, imagery.scale, strict=True)
        shown = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in ends)
        text = f"{shown} become 0 to 255, as in the tiles that were trained on"
    else:
        return
    say(output.console, "values", text)


def say_gain(ensemble: Ensemble, settings: MapSettings, patches: Path | None, output: Output) -> None:
    """Show what the flags bring on val, before they are used."""
    data = unseen_data(ensemble, patches)
    if isinstance(data, str):
        output.results.print(f"gain on val    not known: {data}")
        return
    unseen = counted(len(unseen_tiles(ensemble.best, data)), f"{'out-of-fold' if ensemble.best.folds else 'val'} tile")
    output.console.print(f"measuring on {unseen} what the flags bring")
    threshold = settings.threshold
    if settings.temperature is not None:
        threshold = raw_threshold(threshold, settings.temperature)
    gain = measure_gain(ensemble, threshold, data)
    output.results.print(f"gain on val    {gain}")
    output.events.emit(
        "gain",
        plain=list(gain.plain),
        chosen=list(gain.chosen),
        mean=gain.difference.mean,
        out_of_fold=gain.out_of_fold,
    )
