"""``python -m sweep.audit map``: a sample is drawn once, filled by a person, and then estimated from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from sweep.audit.maps.class_maps import ClassMaps, open_class_maps
from sweep.audit.maps.drawing import allocate, draw
from sweep.audit.maps.filling import CSV_FILE, GPKG_FILE, Filled, read_filled, write_sheets
from sweep.audit.maps.naming import class_names
from sweep.audit.maps.origin import origin_of
from sweep.audit.maps.results import audit_of
from sweep.audit.maps.sample import SAMPLE_FILE, MapSample, Stratum
from sweep.audit.maps.saying import emit_audit, say_audit, say_sample
from sweep.audit.maps.sheet.chips import PointView, open_views
from sweep.audit.maps.sheet.page import MOST_POINTS, draw_page
from sweep.audit.maps.survey import survey
from sweep.audit.options import MapOptions
from sweep.cli.counting import CountedItems
from sweep.cli.marks import typed
from sweep.cli.output import Output, say
from sweep.rasters.addresses import is_remote, unsigned
from sweep.rasters.extra import require_geo
from sweep.records.labelling import keep_with
from sweep.records.map_audits import ACCURACY_FILE, MAP_AUDIT_FILE
from sweep.records.outputs import require_free, require_no_tiles, sealed, unused_beside, write_files
from sweep.records.provenance import typed_command
from trainables.errors import ExperimentError

PAGE_FILE = "sheet.html"


def main(options: MapOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    require_geo()
    if not options.maps:
        raise ExperimentError("MAP: none is named; name the mask that predict wrote, or two that are to be compared")
    if len(options.maps) > 2:
        raise ExperimentError(f"MAP: {len(options.maps)} maps; name one, or two that are to be compared")
    if len(set(options.maps)) < len(options.maps):
        raise ExperimentError(f"MAP: {options.maps[0]} is named twice; a map is compared with another one")
    folder = options.out or default_folder(options.maps)
    require_no_tiles(folder, f"--out {folder}")
    if folder.exists() and not folder.is_dir():
        raise ExperimentError(f"--out {folder}: is a file; name a folder")
    for name, ending in ((PAGE_FILE, ".html"), (ACCURACY_FILE, ".json")):
        require_free(folder / name, flag="", overwrite=None, ending=ending)
    if options.filled is not None and not options.filled.is_file():
        raise ExperimentError(f"--filled {options.filled}: no such file; correct the path")
    sample = MapSample.read(folder)
    with open_class_maps(options.maps) as maps:
        if sample is None:
            sample = _draw(options, maps, folder, output)
        else:
            _require_same(options, sample, maps, folder, output)
        places = maps.locate(_centres(sample))
        filled = read_filled(sample, folder, [options.filled] if options.filled else [])
        write_sheets(folder, sample, places, filled)
        if filled.missing:
            image = options.image or origin_of(options.maps[0]).image
            _write_page(sample, filled, maps, folder, image, output)
            _say_missing(sample, filled, folder, output)
            return 0
    _estimate(options, sample, filled, folder, output)
    return 0


def default_folder(maps: Sequence[str]) -> Path:
    """Return where the sample of maps is unless the user says: beside the first map, or here if that is elsewhere."""
    stems = [Path(unsigned(one)).stem for one in maps]
    folder = Path() if is_remote(maps[0]) else Path(maps[0]).parent
    return folder / f"{'_or_'.join(stems)}_audit"


def _draw(options: MapOptions, maps: ClassMaps, folder: Path, output: Output) -> MapSample:
    """Draw a sample, and write it down."""
    for name in (CSV_FILE, GPKG_FILE):
        if (folder / name).exists():
            raise ExperimentError(
                f"{folder / name}: is there without its {SAMPLE_FILE}, which says what it is of; put that back, or "
                f"{_new_sample(folder)}"
            )
    name = " and ".join(map(unsigned, options.maps))
    watch = CountedItems(output.console)
    found = survey(maps, name, watch)
    tag = next(filter(None, maps.class_tags), "")
    values = sorted({value for number in range(len(options.maps)) for value in found.values(number)})
    names = class_names(name, values, tag, options.classes)
    if options.sample < 2 * len(found.strata):
        raise ExperimentError(
            f"--sample {options.sample}: {name} has {len(found.strata)} strata, each of which needs some points; take "
            f"at least {2 * len(found.strata)}, better {50 * len(found.strata)}"
        )
    counts = allocate(found, options.sample)
    sample = MapSample(
        paths=tuple(map(unsigned, options.maps)),
        stamps=tuple(maps.stamps),
        digest=found.digest,
        names=names,
        seed=options.seed,
        requested=options.sample,
        unit="m2" if maps.ground else "pixels",
        crs=maps.crs,
        empty=found.empty,
        strata=tuple(
            Stratum(number=one, pixels=found.stratum_pixels(one), area=found.stratum_area(one)) for one in found.strata
        ),
        class_areas=tuple(
            {value: float(areas[value]) for value in found.values(number)}
            for number, areas in enumerate(found.class_areas)
        ),
        points=tuple(draw(maps, found, counts, options.seed)),
    )
    sample.write(folder)
    say_sample(sample, output)
    return sample


def _require_same(options: MapOptions, sample: MapSample, maps: ClassMaps, folder: Path, output: Output) -> None:
    """Refuse a sample of other maps, and of a map that has changed since.

    Raises:
        ExperimentError: As said.
    """
    another = _new_sample(folder)
    if len(sample.paths) != len(options.maps):
        raise ExperimentError(f"{folder}: holds a sample of {' and '.join(sample.paths)}; {another}")
    asked = typed(options)
    names = tuple(sample.names.values())
    for flag, given, kept in (
        ("sample", options.sample, sample.requested),
        ("seed", options.seed, sample.seed),
        ("classes", options.classes, names),
    ):
        if flag in asked and given != kept:
            shown = [",".join(one) if isinstance(one, tuple) else str(one) for one in (given, kept)]
            raise ExperimentError(
                f"--{flag} {shown[0]}: the sample in {folder} has {shown[1]}; leave it out, or {another}"
            )
    if tuple(maps.stamps) == sample.stamps:
        return
    now = survey(maps, " and ".join(sample.paths), CountedItems(output.console))
    if now.digest != sample.digest:
        raise ExperimentError(
            f"{' and '.join(map(unsigned, options.maps))}: changed since the sample in {folder} was drawn, whose "
            f"labels are kept; put the old map back, or {another}"
        )


def _new_sample(folder: Path) -> str:
    return f"draw a new sample with --out {quote(str(unused_beside(folder)))}"


def _centres(sample: MapSample) -> NDArray[np.float64]:
    return np.array([(one.column + 0.5, one.row + 0.5) for one in sample.points], float).reshape(-1, 2)


def _write_page(sample: MapSample, filled: Filled, maps: ClassMaps, folder: Path, image: str, output: Output) -> None:
    """Write the page, with pictures where there is an image."""
    views: list[PointView | None] = []
    if image:
        shown = sample.points[:MOST_POINTS]
        with open_views(image, maps) as opened:
            drawn = opened.draw([one.column for one in shown], [one.row for one in shown])
            views = list(CountedItems(output.console)("drawing the page", drawn, len(shown)))
    page = draw_page(sample, filled, views, folder, image)
    write_files({folder / PAGE_FILE: sealed(page.encode(), ".html")}, flag="", overwrite=None)


def _say_missing(sample: MapSample, filled: Filled, folder: Path, output: Output) -> None:
    """Say how much is left to label, and where."""
    done, total = len(filled.labels), len(sample.points)
    say(output.results, "labelled", f"{done} of {total} points; without a label: {filled.missing_words()}")
    say(output.results, "page", f"{folder / PAGE_FILE}: open it in a browser, label, save")
    tables = f"{folder / CSV_FILE}, or of {folder / GPKG_FILE}"
    say(output.results, "or fill", f"the column label of {tables}; ? where one cannot tell")
    output.events.emit(
        "sample",
        folder=str(folder),
        points=total,
        labelled=done,
        missing=list(filled.missing),
        page=str(folder / PAGE_FILE),
    )
    output.next(typed_command())


def _estimate(options: MapOptions, sample: MapSample, filled: Filled, folder: Path, output: Output) -> None:
    """Estimate, write and say what the labels tell."""
    audit = audit_of(sample, filled, folder)
    content = json.dumps(audit).encode()
    path = folder / ACCURACY_FILE
    write_files({path: sealed(content, ".json")}, flag="", overwrite=None)
    say_audit(audit, output)
    say(output.results, "results", str(path))
    emit_audit(audit, str(path), output)
    names = list(dict.fromkeys(filter(None, (origin_of(one).experiment for one in options.maps))))
    told = [one for name in names if (one := keep_with(options.storage, name, MAP_AUDIT_FILE, content))]
    for experiment in told:
        say(output.results, "kept with", f"{experiment.address}, so that its report shows it")
    if told:
        output.next(told[0].command("report"))
