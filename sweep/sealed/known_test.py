"""Test tiles that a storage's ledger knows, met again where no reading is recorded: in val, in train, in a map."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.cli.output import Output, say
from sweep.rasters.held_out import pixels_sha256
from sweep.records.experiment import Experiment
from sweep.sealed.ledger import Ledger, Note, Reading
from trainables.data.tiles import TileFiles, TuningData
from trainables.errors import LedgerError, StorageError
from trainables.storage import Storage

WAIT_SECONDS = 5.0
"""For a scoring job that holds the ledger: a note is no reason to wait for it."""
SHOWN = 3
"""Tiles that a note names."""


def tile_hashes(files: Iterable[TileFiles], root: Path) -> dict[str, Any]:
    """Return what a reading records of its test tiles, so that they are known again."""
    tiles = list(files)
    return {
        "test_pixels": {one.tile.name: pixels_sha256(one.tile.image) for one in tiles},
        "test_files": {one.tile.name: f"{(root / one.image).stat().st_size} {one.image_sha256}" for one in tiles},
    }


def scored_tiles(storage: Storage, output: Output) -> tuple[frozenset[str], frozenset[str]]:
    """Return what is known of the test tiles that were scored, none of which is opened.

    Returns:
        Entries ``SIZE SHA256`` of their files, and hashes of their pixels as ``pixels_sha256`` gives them.
    """
    readings = _readings(storage, output)
    files = frozenset(entry for reading in readings for entry in reading.test_files.values())
    return files, frozenset(digest for reading in readings for digest in reading.test_pixels.values())


def note_sweep(experiment: Experiment, data: TuningData, output: Output) -> None:
    """Say, on the screen and in the ledger, that a sweep trains or validates on test tiles of its storage."""
    readings = _readings(experiment.storage, output)
    known = {digest: reading for reading in readings for digest in reading.test_pixels.values()}
    if not known:
        return
    for split, tiles in (("val", data.val), ("train", data.train)):
        hashes = {tile.name: pixels_sha256(tile.image) for tile in tiles}
        found = {name: known[digest].experiment for name, digest in hashes.items() if digest in known}
        if found:
            by = next(iter(found.values()))
            text = f"{split} tiles of {experiment.name} are test tiles that {by} was scored on: {_some(list(found))}"
            _note(experiment.storage, experiment.name, text, output)


def note_inputs(storage: Storage, inputs: Iterable[str], model: str, output: Output) -> None:
    """Say, on the screen and in the ledger, that a model predicts test tiles of its storage."""
    known = {entry: reading for reading in _readings(storage, output) for entry in reading.test_files.values()}
    if not known:
        return
    sizes = {int(entry.partition(" ")[0]) for entry in known if entry.partition(" ")[0].isdecimal()}
    found: dict[str, str] = {}
    for path in map(Path, inputs):
        if path.is_file() and (size := path.stat().st_size) in sizes:
            with path.open("rb") as file:
                entry = f"{size} {hashlib.file_digest(file, 'sha256').hexdigest()}"
            if entry in known:
                found[path.name] = known[entry].experiment
    if found:
        text = f"predict --model {model} predicts test tiles that {next(iter(found.values()))} was scored on: "
        _note(storage, "", text + _some(list(found)), output)


def _readings(storage: Storage, output: Output) -> list[Reading]:
    try:
        return Ledger(storage).readings()
    except (LedgerError, StorageError) as error:
        output.results.print(f"warning        known test tiles are not looked for: {error}")
        return []


def _note(storage: Storage, experiment: str, text: str, output: Output) -> None:
    """Write a note unless it is there, and say it in any case."""
    say(output.results, "warning", f"{text}; the ledger notes it")
    output.events.emit("warning", text=text)
    ledger = Ledger(storage)
    if text in {note.text for note in ledger.notes()}:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with ledger.locked(timeout=WAIT_SECONDS):
            ledger.append([Note(experiment=experiment, time=now, text=text)])
    except (LedgerError, StorageError) as error:
        say(output.results, "warning", f"could not be noted: {error}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} ({', '.join(names[:SHOWN])}{more})"
