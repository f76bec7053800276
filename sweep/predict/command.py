"""``python -m sweep.predict``: images and rasters of any size in, masks and polygons out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.marks import RARE, Bounds
from sweep.cli.options import DeviceOptions, Names, Numbers, StorageOptions, TrustOptions, comma_separated
from sweep.cli.output import Output, say
from sweep.sealed.next_step import trusting
from trainables.errors import ExperimentError
from trainables.invocation import command
from trainables.models.trust import trust_everything
from trainables.recipe import MAX_FOLDS
from trainables.storage import Storage

if TYPE_CHECKING:
    from sweep.records.experiment import Experiment


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

    fold: Annotated[int | None, arg(metavar="K"), RARE, Bounds(1, MAX_FOLDS)] = None
    """Only the K-th fold's model; default: the mean of all folds' models."""

    refit: Annotated[bool, RARE] = False
    """The model that the sweep's --refit trained on all tiles."""

    ensemble: Annotated[int, arg(metavar="K"), Bounds(1, 100)] = 1
    """Average the experiment's K best."""

    tta: bool = False
    """Test-time augmentation by eight symmetries; eight times the time."""

    calibrated: bool = False
    """Calibrate probabilities: a temperature and a threshold fitted to tiles that the models have not seen."""

    threshold: Annotated[float | None, arg(metavar="P")] = None
    """Least probability that counts as foreground; default: 0.5, or the fitted one."""

    probability: bool = False
    """Write probabilities, too."""

    uncertainty: Annotated[bool, RARE] = False
    """Write how unsure the model is (entropy), or how far several models or folds disagree, at twice the time."""

    polygons: Annotated[Literal["gpkg", "geojson"] | None, arg(metavar="gpkg|geojson")] = None
    """Write polygons, too, with area in square metres and mean probability."""

    min_area: Annotated[float, arg(metavar="M2")] = 0.0
    """Drop polygons, and fill holes, smaller than this many square metres."""

    simplify: Annotated[float, arg(metavar="METRES"), RARE] = 0.0
    """Let polygons' edges move by this much to get rid of corners."""

    regularise: Annotated[bool, RARE] = False
    """Make rectangles of polygons that nearly are ones; --simplify acts on the others."""

    bands: Annotated[Numbers, RARE, Bounds(1, 65_535)] = ()
    """Which bands the model sees, from 1, such as 3,2,1; default: those of its tiles' names, as the file says."""

    band_files: Annotated[Names, RARE] = ()
    """Each INPUT is a folder that holds one file per band: words or patterns of their names, such as B04,B03,B02."""

    scale: Annotated[Scale, RARE] = None
    """The values that are black and white, for rasters that do not hold bytes; default: those of the model's tiles."""

    nodata: Annotated[float | None, arg(metavar="VALUE"), RARE] = None
    """Value that means no data where every band has it, such as 0 for a black collar."""

    ignore_alpha: Annotated[bool, RARE] = False
    """Ignore transparency: a band that is tagged as alpha may be near infrared."""

    clip: Annotated[Path | None, arg(metavar="FILE")] = None
    """Predict inside the polygons of a vector file alone, whatever its CRS."""

    batch_size: Annotated[int | None, arg(metavar="N"), RARE, Bounds(1, 4_096)] = None
    """Windows per forward pass; default: what suits the device."""

    workers: Annotated[int, arg(metavar="N"), RARE, Bounds(1, 64)] = 1
    """Processes that share all rasters, each on a GPU of its own where there are several."""

    mosaic: bool = False
    """Predict all inputs as one: they are on one grid, and windows see across their borders; results: mosaic_..."""

    on_top: Annotated[Literal["last", "first", "mean"], arg(metavar="last|first|mean"), RARE] = "last"
    """With --mosaic: which of two rasters that overlap is seen, by the order of the inputs, or their mean."""

    resample: Annotated[str | None, arg(metavar="METRES|model"), RARE] = None
    """Resample to so many metres per pixel, or to those of the model's tiles; so is the map."""

    skip_bad: Annotated[bool, RARE] = False
    """Leave out damaged blocks, missing files of a virtual raster, and files that are no raster; each is listed."""

    overwrite: bool = False
    """Replace what --out holds of other models or settings."""

    patches: Annotated[Path | None, arg(metavar="DIR|URI"), RARE] = None
    """The dataset, to measure gains on its val tiles; default: where it was."""


def main(options: PredictOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading torch and rasterio.
    from sweep.predict.again import make_again, require_no_prediction
    from sweep.predict.settings import MapSettings, metres_of
    from sweep.predict.together import MOSAIC, find_stacks, put_together, stack_bands
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
        uncertainty=options.uncertainty,
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
    stacks = {}
    if options.band_files:
        if options.bands:
            raise ExperimentError("--bands: numbers bands of a file, and --band-files names their files; leave one out")
        stacks = find_stacks(options.inputs, options.band_files)
        inputs = [Input(path=place, name=place) for place in options.inputs]
    elif options.mosaic:
        inputs = [
            Input(path=path, name=MOSAIC) for path in list_inputs(options.inputs, options.out, band_flag="--band-files")
        ]
    else:
        inputs = find_inputs(options.inputs, options.out, band_flag="--band-files")
    area = None if options.clip is None else ClipArea.read(options.clip)
    validity = Validity(nodata=options.nodata, ignore_alpha=options.ignore_alpha, area=area)
    storage = Storage.open(options.storage)
    chosen = find_models(storage, options.model, count=options.ensemble, fold=options.fold, refit=options.refit)

    from sweep.cli.counting import WindowProgress
    from sweep.predict.calibrated import calibrated
    from sweep.predict.checking import check_inputs, say_gain, say_hidden, say_models, say_scale
    from sweep.predict.job import Job
    from sweep.predict.record import Record
    from sweep.predict.running import map_all
    from sweep.predict.saying import say_removed
    from sweep.predict.workers import is_further, working
    from sweep.results.ensemble import Ensemble
    from sweep.results.model_rasters import Arrangement

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
    metres = metres_of(options.resample, ensemble)
    arrangement = Arrangement(mean=options.mosaic and options.on_top == "mean", metres=metres)
    record = Record(
        options.out,
        {
            "models": dict(zip(ensemble.names, ensemble.hashes, strict=True)),
            "fold": ensemble.fold,
            "tta": ensemble.tta,
            **asdict(settings),
            **validity.settings,
            **arrangement.settings,
        },
        overwrite=options.overwrite,
    )
    if stacks:
        inputs = stack_bands(
            stacks,
            ensemble.best.imagery.bands,
            options.out,
            overwrite=options.overwrite,
            ignore_alpha=options.ignore_alpha,
        )
    if options.mosaic:
        mosaic = Mosaic.of(
            [one.path for one in inputs],
            ensemble.best.imagery.bands,
            options.bands,
            options.on_top,
            ignore_alpha=options.ignore_alpha,
            skip_bad=options.skip_bad,
        )
        arrangement = replace(arrangement, mosaic=mosaic)
    with WindowProgress(output.console) as progress:
        job = Job(
            ensemble=ensemble,
            settings=settings,
            out=options.out,
            skip_bad=options.skip_bad,
            progress=progress,
            validity=validity,
            arrangement=arrangement,
        )
        say_hidden({} if stacks else hidden_files(options.inputs), output)
        if arrangement.mosaic:
            inputs = [put_together(arrangement.mosaic, options.out, output, overwrite=options.overwrite)]
        inputs = check_inputs(job, inputs, record, output)
        say_models(ensemble, output)
        say_scale(settings.scale, ensemble.best.imagery, output)
        if not is_further() and (options.ensemble > 1 or options.tta or options.threshold not in (None, 0.5)):
            say_gain(as_trained, settings, options.patches, output)
        say_removed(record.begin(), output)
        with working("sweep.predict", options, options.workers, output, settings.fitted):
            map_all(job, inputs, record, output)
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
