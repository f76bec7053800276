"""``python -m sweep.predict``: images and rasters of any size in, masks and polygons out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.marks import RARE, Bounds
from sweep.cli.options import DeviceOptions, Numbers, StorageOptions, TrustOptions, comma_separated
from sweep.cli.output import Output, say
from sweep.predict.saying import made_in_words
from sweep.rasters.addresses import unsigned
from sweep.rasters.files import SHOWN, replace_or_skip
from sweep.records.provenance import typed_command
from sweep.sealed.next_step import trusting
from trainables.errors import ExperimentError, TilesweepError
from trainables.escaping import visible
from trainables.invocation import command
from trainables.models.trust import trust_everything
from trainables.recipe import MAX_FOLDS
from trainables.storage import Storage
from trainables.wording import counted

if TYPE_CHECKING:
    from sweep.predict.job import Job, Mapped
    from sweep.predict.record import Record
    from sweep.predict.settings import MapSettings
    from sweep.rasters.inputs import Input
    from sweep.records.experiment import Experiment
    from sweep.results.ensemble import Ensemble
    from trainables.data.imagery import Imagery


def _pair(parts: list[str]) -> tuple[float, float]:
    low, high = map(float, parts)
    return low, high


Scale = Annotated[tuple[float, float] | None, comma_separated("LOW,HIGH", _pair)]
"""Two numbers with a comma between them."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions(DeviceOptions, StorageOptions, TrustOptions):
    """Predict images and rasters with a sweep's winner; the same command resumes after an interruption.

    A raster with a place on earth becomes a GeoTIFF, and polygons if asked for; any other image a PNG.
    """

    inputs: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="[INPUT [INPUT ...]]")] = ()
    """Images, GeoTIFFs of any size, folders, globs, or addresses that GDAL opens."""

    model: Annotated[str, arg(metavar="NAME[/TRIAL]|FILE")] = ""
    """An experiment (its best by val IoU), one of its trials, or a weights file, FILE.safetensors."""

    out: Annotated[Path, arg(metavar="DIR")]
    """Where results go."""

    from_map: Annotated[Path | None, arg(name="from", metavar="MAP")] = None
    """Instead of INPUT and --model: the --out of an earlier prediction, for polygons or a --threshold of their own."""

    fold: Annotated[int | None, arg(metavar="K"), Bounds(1, MAX_FOLDS)] = None
    """Only the K-th fold's model; default: the mean of all folds' models."""

    refit: Annotated[bool, RARE] = False
    """The model that the sweep's --refit trained on all tiles."""

    ensemble: Annotated[int, arg(metavar="K"), Bounds(1, 100)] = 1
    """Average the experiment's K best."""

    tta: bool = False
    """Test-time augmentation by eight symmetries; eight times the time."""

    calibrated: bool = False
    """Set probabilities right, by a temperature and a threshold fitted to tiles that the models have not seen."""

    threshold: Annotated[float | None, arg(metavar="P")] = None
    """Foreground from this probability on; default: 0.5, or the fitted one."""

    probability: bool = False
    """Write probabilities, too."""

    polygons: Annotated[Literal["gpkg", "geojson"] | None, arg(metavar="gpkg|geojson")] = None
    """Write polygons, too, with area in square metres and mean probability."""

    min_area: Annotated[float, arg(metavar="M2")] = 0.0
    """Drop polygons, and fill holes, smaller than this many square metres."""

    simplify: Annotated[float, arg(metavar="METRES"), RARE] = 0.0
    """Let polygons' edges move by this much to get rid of corners."""

    regularise: bool = False
    """Make rectangles of polygons that nearly are ones; --simplify acts on the others."""

    bands: Annotated[Numbers, RARE, Bounds(1, 65_535)] = ()
    """Which bands the model sees, from 1, such as 3,2,1; default: those of its tiles' names, as the file says."""

    scale: Annotated[Scale, RARE] = None
    """The values that are black and white, for rasters that do not hold bytes; default: those of the model's tiles."""

    nodata: Annotated[float | None, arg(metavar="VALUE"), RARE] = None
    """Take pixels with this value in every band for nothing, such as 0 for a black collar."""

    ignore_alpha: Annotated[bool, RARE] = False
    """Transparency hides nothing: what is tagged as alpha may be near infrared."""

    clip: Annotated[Path | None, arg(metavar="FILE")] = None
    """Predict inside the polygons of a vector file alone, whatever its CRS."""

    batch_size: Annotated[int | None, arg(metavar="N"), RARE, Bounds(1, 4_096)] = None
    """Windows a forward pass; default: what suits the device."""

    mosaic: bool = False
    """Predict all inputs as one: they are on one grid, and windows see across their borders; results: mosaic_..."""

    on_top: Annotated[Literal["last", "first"], arg(metavar="last|first"), RARE] = "last"
    """With --mosaic: which of two rasters that overlap is seen, by the order of the inputs."""

    skip_bad: Annotated[bool, RARE] = False
    """Leave out damaged blocks, missing files of a virtual raster, and files that are no raster; each is listed."""

    overwrite: bool = False
    """Replace what --out holds of other models or settings."""

    patches: Annotated[Path | None, arg(metavar="DIR|URI")] = None
    """The dataset, to measure gains on its val tiles; default: where it was."""


def main(options: PredictOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading torch and rasterio.
    from sweep.predict.again import make_again, require_no_prediction
    from sweep.predict.settings import MapSettings
    from sweep.predict.together import MOSAIC, put_together, require_files_alone
    from sweep.rasters.extra import require_geo
    from sweep.rasters.inputs import Input, find_inputs, hidden_files, list_inputs
    from sweep.rasters.mosaic import Mosaic
    from sweep.rasters.validity import ClipArea, Validity
    from sweep.results.trained_models import find_models
    from sweep.sealed.known_test import note_inputs

    require_geo()
    for flag, value in (("--ensemble", options.ensemble), ("--batch-size", options.batch_size)):
        if value is not None and value < 1:
            raise ExperimentError(f"{flag} {value}: must be at least 1")
    settings = MapSettings(
        threshold=0.5 if options.threshold is None else options.threshold,
        probability=options.probability,
        polygons=options.polygons,
        min_area=options.min_area,
        simplify=options.simplify,
        regularise=options.regularise,
        bands=() if options.mosaic else options.bands,  # a mosaic has those that were chosen of each raster
        scale=options.scale,
    )
    if options.from_map is not None:
        require_no_prediction(options)
        make_again(
            options.from_map,
            options.out,
            settings,
            output,
            threshold=options.threshold,
            overwrite=options.overwrite,
        )
        return 0
    if not options.inputs:
        raise ExperimentError("INPUT: name an image, a folder, a glob or a GeoTIFF, or a finished map by --from")
    if not options.model:
        raise ExperimentError("--model: is missing; give --model NAME[/TRIAL]|FILE")
    if options.mosaic:
        require_files_alone(nodata=options.nodata, ignore_alpha=options.ignore_alpha)
        inputs = [Input(path=path, name=MOSAIC) for path in list_inputs(options.inputs, options.out)]
    else:
        inputs = find_inputs(options.inputs, options.out)
    area = None if options.clip is None else ClipArea.read(options.clip)
    validity = Validity(nodata=options.nodata, ignore_alpha=options.ignore_alpha, area=area)
    storage = Storage.open(options.storage)
    chosen = find_models(storage, options.model, count=options.ensemble, fold=options.fold, refit=options.refit)

    from sweep.cli.counting import WindowProgress
    from sweep.predict.calibrated import calibrated
    from sweep.predict.job import Job
    from sweep.predict.record import Record
    from sweep.results.ensemble import Ensemble

    note_inputs(storage, [one.path for one in inputs], options.model, output)
    if options.trust_code:
        trust_everything()
    ensemble = Ensemble.load(chosen, device=options.device, batch_size=options.batch_size, tta=options.tta)
    if options.threshold not in (None, 0.5) and not ensemble.best.task.binary:
        raise ExperimentError(
            f"--threshold {options.threshold:g}: decides on one foreground class, but {ensemble.names[0]} tells "
            f"{len(ensemble.best.task.classes)} classes apart; leave it out"
        )
    as_trained = ensemble
    if options.calibrated:
        ensemble, settings = calibrated(
            chosen, ensemble, settings, output, threshold=options.threshold, patches=options.patches
        )
    record = Record(
        options.out,
        {
            "models": dict(zip(ensemble.names, ensemble.hashes, strict=True)),
            "fold": ensemble.fold,
            "tta": ensemble.tta,
            **asdict(settings),
            **validity.settings,
        },
        overwrite=options.overwrite,
    )
    with WindowProgress(output.console) as progress:
        job = Job(
            ensemble=ensemble,
            settings=settings,
            out=options.out,
            skip_bad=options.skip_bad,
            progress=progress,
            validity=validity,
        )
        _say_hidden(hidden_files(options.inputs), output)
        if options.mosaic:
            mosaic = Mosaic.of([one.path for one in inputs], ensemble.best.imagery.bands, options.bands, options.on_top)
            inputs = [put_together(mosaic, options.out, output, overwrite=options.overwrite)]
        inputs = _check(job, inputs, record, output)
        _say_models(ensemble, output)
        _say_scale(settings.scale, ensemble.best.imagery, output)
        if options.ensemble > 1 or options.tta or options.threshold not in (None, 0.5):
            _say_gain(as_trained, settings, options.patches, output)
        _map_all(job, inputs, record, output)
    masks = [mask for one in inputs if (mask := options.out / f"{one.name}_mask.tif").is_file()]
    if masks:
        say(output.results, "how right", command("audit", "map", str(masks[0])))
    output.next(_export(ensemble.experiment, options))
    return 0


def _export(experiment: Experiment | None, options: PredictOptions) -> str:
    """Return the command that makes one file of the model for other programs; a weights file takes its tiles, too."""
    if experiment:
        words = ["--model", options.model, *trusting(experiment.description), *experiment.storage_words]
        return command("export", *words)
    if options.patches is None:
        return command("export", "--help")
    return command("export", "--model", options.model, "--patches", str(options.patches))


def _say_hidden(counts: dict[str, int], output: Output) -> None:
    """Say which files of folders are not read."""
    for folder, count in counts.items():
        text = f"{counted(count, 'file')} in {folder} whose names begin with a dot"
        say(output.results, "skipped", visible(text))
        output.events.emit("skipped", input=folder, text=text)


def _check(job: Job, inputs: list[Input], record: Record, output: Output) -> list[Input]:
    """Look at every raster before the first one is predicted.

    Returns:
        Those that can be used; with --skip-bad, what is no raster is left out.

    Raises:
        ExperimentError: Some cannot be used, all of them listed at once.
    """
    from sweep.rasters.files import UnreadableError
    from sweep.rasters.validity import OutsideError

    faults: list[str] = []
    skipped: list[str] = []
    outside: list[str] = []
    usable: list[Input] = []
    for one in inputs:
        try:
            if not job.is_done(one, record):
                record.require_free(one)
                if warning := job.warning(one):
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


def _say_models(ensemble: Ensemble, output: Output) -> None:
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


def _say_scale(chosen: tuple[float, float] | None, imagery: Imagery, output: Output) -> None:
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


def _say_gain(ensemble: Ensemble, settings: MapSettings, patches: Path | None, output: Output) -> None:
    """Show what the flags bring on val, before they are used."""
    from sweep.predict.val_gain import measure_gain
    from sweep.results.unseen_data import unseen_data
    from trainables.held_out import unseen_tiles
    from trainables.temperature import raw_threshold

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


def _map_all(job: Job, inputs: list[Input], record: Record, output: Output) -> None:
    """Predict one raster after the other; those that another command predicts now come last."""
    for name in record.begin():
        say(output.console, "removed", f"{visible(name)}, made in another way")
    try:
        elsewhere = [one for one in inputs if not _map(job, one, record, output, wait=False)]
        for one in elsewhere:
            output.results.print(f"{visible(one.name)}: another command predicts it; waiting")
            _map(job, one, record, output, wait=True)
    except KeyboardInterrupt:
        output.results.print("interrupted; what is finished is kept")
        output.next(typed_command())
        raise
    say(output.results, "results", str(job.out))


def _map(job: Job, one: Input, record: Record, output: Output, *, wait: bool) -> bool:
    """Predict a raster unless it is done; returns whether it could be had."""
    with record.predicting(one, wait=wait) as ours:
        if not ours:
            return False
        if job.is_done(one, record):
            output.console.print(f"{visible(one.name)}: is there already")
        else:
            _say_mapped(one, job.map(one, record), output)
    return True


def _say_mapped(one: Input, mapped: Mapped, output: Output) -> None:
    output.results.print(made_in_words(one.name, mapped.files, mapped.facts))
    path = unsigned(one.path)
    if bad := mapped.bad:
        more = f" and {len(bad) - SHOWN} more, all listed in predictions.json" if len(bad) > SHOWN else ""
        text = f"{path}: damaged and left out: {'; '.join(bad[:SHOWN])}{more}"
        say(output.results, "warning", visible(text))
    output.events.emit("predicted", input=path, files=[str(file) for file in mapped.files], **mapped.facts)


COMMAND = Command(
    name="predict",
    options=PredictOptions,
    main=main,
    examples={
        "a.tif --model phase1-demo --out map/": "masks by the experiment's best",
        "a.tif --model phase1-demo --out map/ --polygons gpkg": "polygons, too",
        "'images/*.png' --model best.safetensors --out masks/": "images, by a weights file",
    },
)
