"""``python -m sweep.audit labels``: out-of-fold predictions against labels, written as page, table and outlines."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.audit.masks.auditing import LabelAudit, audit_labels
from sweep.audit.masks.files import findings_csv, write_findings
from sweep.audit.masks.page.drawing import draw_label_page, headline
from sweep.audit.masks.page.pictures import FindingPictures, finding_pictures
from sweep.audit.masks.predicting import PROBE, ProbeFolds, UnseenTiles, by_folds_of
from sweep.audit.options import LabelOptions
from sweep.cli.counting import CountedItems
from sweep.cli.output import Output, say
from sweep.cli.tables import Column, Sheet
from sweep.rasters.extra import require_geo
from sweep.records.labelling import (
    FORMAT,
    LABEL_AUDIT_FILE,
    MOST_KEPT,
    LabelAuditRecord,
    audit_folder,
    hashes_as_written,
    keep_with,
)
from sweep.records.outputs import require_free, require_no_tiles, sealed, unwritable, write_files
from sweep.results.trained_models import TrainedModel, find_models
from trainables.data.manifest import Manifest
from trainables.data.remote import local_copy
from trainables.data.tiles import Tile, TuningData
from trainables.errors import DataError, ExperimentError
from trainables.invocation import call
from trainables.models.trust import trust_everything
from trainables.owners import scratch_folder, write_whole
from trainables.storage import Storage
from trainables.wording import counted

PAGE_FILE, TABLE_FILE, OUTLINES_FILE = "label_audit.html", "findings.csv", "findings.gpkg"
FILES = {PAGE_FILE: ".html", LABEL_AUDIT_FILE: ".json", TABLE_FILE: None, OUTLINES_FILE: None}
"""Files, and how they are sealed; of those without a seal the record holds hashes. What a person has added to any of
them is not replaced unasked."""
MOST_SHOWN, LISTED = 200, 20
"""Findings on the page, and in the terminal."""


def main(options: LabelOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    require_geo()
    folder = _folder(options)
    require_no_tiles(folder, f"--out {folder}")
    _require_free(folder, options)  # before the work, which takes minutes
    data = TuningData.read(options.patches)
    if options.trust_code:
        trust_everything()
    experiment = None
    if options.model is None:
        folds = ProbeFolds.of(data, options.group_by, options.seed)
        origin = f"a probe on ImageNet features, in {folds.origin}"
        held_out: Iterable[UnseenTiles] = folds.fit(options.seed, options.device)
        tiles = folds.data.train
        say(output.console, "model", f"{PROBE}, fitted for each of {folds.origin}")
    else:
        (chosen,) = find_models(Storage.open(options.storage), options.model)
        held_out = by_folds_of(chosen, data, options.device)
        experiment = chosen.experiment.name if chosen.experiment else None
        tiles = tuple(tile for one in held_out for tile in one.tiles)
        origin = (
            f"{chosen.name}, {'the folds that left them out' if len(held_out) > 1 else 'which was not trained on them'}"
        )
        _say_model(chosen, held_out, data, output)
    if not tiles:
        raise DataError(f"{options.patches}: no tile is new to the model; sweep with --folds 5, or leave --model out")
    audit = audit_labels(held_out, data.task, len(tiles), CountedItems(output.console))
    _write(options, folder, data, tiles, audit, origin, experiment, output)
    return 0


def _require_free(folder: Path, options: LabelOptions) -> None:
    """Refuse a folder with files that are not ours, or that somebody has edited."""
    written = hashes_as_written(folder / LABEL_AUDIT_FILE)
    for name, ending in FILES.items():
        require_free(folder / name, overwrite=options.overwrite, ending=ending, sha256=written.get(name))


def _folder(options: LabelOptions) -> Path:
    """Return where the results go."""
    if options.out is not None:
        if options.out.exists() and not options.out.is_dir():
            raise ExperimentError(f"--out {options.out}: is a file; name a folder")
        return options.out
    if "://" in str(options.patches) or str(options.patches).startswith(("s3:/", "gs:/")):
        return Path("label_audit")
    return audit_folder(options.patches)


def _say_model(chosen: TrainedModel, held_out: Iterable[UnseenTiles], data: TuningData, output: Output) -> None:
    """Say whose predictions are taken, and which tiles nobody can look at."""
    seen = len(data.train) + len(data.val) - sum(len(one.tiles) for one in held_out)
    say(output.console, "model", chosen.name)
    if seen:
        text = f"{counted(seen, 'tile')} that it was trained on; a sweep with --folds, or no --model, looks at all"
        say(output.results, "not looked at", text)


def _write(
    options: LabelOptions,
    folder: Path,
    data: TuningData,
    tiles: Iterable[Tile],
    audit: LabelAudit,
    origin: str,
    experiment: str | None,
    output: Output,
) -> None:
    """Write page, table and outlines, and say what was found."""
    train = {tile.name for tile in data.train}
    splits = {tile.name: "train" if tile.name in train else "val" for tile in tiles}
    where = {name: ", ".join(filter(None, (split, data.scenes.get(name, "")))) for name, split in splits.items()}
    by_name = {tile.name: tile for tile in tiles}
    pictures = _pictures(audit, by_name, output)
    page = draw_label_page(data.name, audit, pictures, where, origin)
    table = folder / TABLE_FILE
    with scratch_folder() as scratch:
        (scratch / TABLE_FILE).write_text(findings_csv(audit.findings, splits), encoding="utf-8")
        placed = write_findings(audit.findings, _places(options.patches, splits), scratch / OUTLINES_FILE)
        unsealed = {name: (scratch / name).read_bytes() for name, ending in FILES.items() if ending is None}
    record = json.dumps(_record(options, folder, data, audit, splits, origin, unsealed)).encode()
    _require_free(folder, options)  # again: somebody may have edited them meanwhile
    contents = {folder / PAGE_FILE: sealed(page.encode(), ".html"), folder / LABEL_AUDIT_FILE: sealed(record, ".json")}
    write_files(contents, overwrite=options.overwrite)
    for name, content in unsealed.items():
        try:
            write_whole(folder / name, content)
        except OSError as error:
            raise unwritable(folder / name, error) from error
    _say(audit, splits, output)
    say(output.results, "page", str(folder / PAGE_FILE))
    ground = "on the ground" if placed else "in pixels of their tiles, as not all tiles say where they are"
    say(output.results, "files", f"{table}; {folder / OUTLINES_FILE} ({ground})")
    paths = {"page": str(folder / PAGE_FILE), "table": str(table), "outlines": str(folder / OUTLINES_FILE)}
    output.events.emit("label_audit", tiles=len(audit.tiles), findings=len(audit.findings), **paths)
    for rank, one in enumerate(audit.findings, start=1):
        output.events.emit("finding", rank=rank, split=splits[one.tile], **_plain(one))
    if experiment is not None and (kept := keep_with(options.storage, experiment, LABEL_AUDIT_FILE, record)):
        say(output.results, "kept with", f"{kept.address}, so that its report shows it")
    output.next(f"{call('patches check')} --patches {shlex.quote(str(options.patches))} --update")


def _record(
    options: LabelOptions,
    folder: Path,
    data: TuningData,
    audit: LabelAudit,
    splits: dict[str, str],
    origin: str,
    unsealed: Mapping[str, bytes],
) -> LabelAuditRecord:
    """Return what the report shows of it."""
    first = audit.findings[:MOST_KEPT]
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "fingerprint": data.fingerprint,
        "model": origin,
        "tiles": len(audit.tiles),
        "kinds": dict(Counter(one.kind for one in audit.findings)),
        "first": [
            {"tile": one.tile, "split": splits[one.tile], "kind": one.kind, "score": one.score, "reason": one.reason}
            for one in first
        ],
        "page": str((folder / PAGE_FILE).resolve()),
        "written": {name: hashlib.sha256(content).hexdigest() for name, content in unsealed.items()},
    }


def _plain(finding: Any) -> dict[str, Any]:
    names = ("tile", "kind", "reason", "score", "box", "pixels", "labelled", "predicted")
    return {name: getattr(finding, name) for name in names}


def _pictures(audit: LabelAudit, tiles: dict[str, Tile], output: Output) -> list[FindingPictures]:
    shown = audit.findings[:MOST_SHOWN]
    watch = CountedItems(output.console)
    drawn = (finding_pictures(tiles[one.tile], audit.predicted[one.tile], one) for one in shown)
    return list(watch("drawing the page", drawn, len(shown)))


def _places(patches: Path, splits: dict[str, str]) -> dict[str, Any]:
    """Return what the manifest says of each tile's image; nothing without a manifest."""
    manifest = Manifest.read(local_copy(patches, ("train", "val")))
    files = manifest.files if manifest else {}
    stems = {path.rpartition(".")[0]: entry for path, entry in files.items()}
    return {name: stems.get(f"{split}/images/{name}", {}) for name, split in splits.items()}


def _say(audit: LabelAudit, splits: dict[str, str], output: Output) -> None:
    output.results.print(headline(audit))
    if not audit.findings:
        return
    rows = [
        (rank, one.kind, one.tile, splits[one.tile], one.score, one.reason)
        for rank, one in enumerate(audit.findings[:LISTED], start=1)
    ]
    more = len(audit.findings) - len(rows)
    columns = [
        Column(heading="", value=lambda row: row[0], right=True),
        Column(heading="kind", value=lambda row: row[1], least=8),
        Column(heading="tile", value=lambda row: row[2], least=8),
        Column(heading="split", value=lambda row: row[3], priority=3),
        Column(heading="score", value=lambda row: row[4], format=".2f", right=True),
        Column(heading="why", value=lambda row: row[5], least=24, priority=2),
    ]
    title = f"the first {len(rows)} of {len(audit.findings):,}" if more else ""
    output.results.print(Sheet(title, columns, rows, elsewhere="the page shows all"))
