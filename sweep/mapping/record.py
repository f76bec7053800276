"""What lies in ``--out`` and how it was made: finished rasters are not predicted twice, and never in two ways."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from sweep.mapping.inputs import Input
from sweep.mapping.parts import told
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

RECORD_FILE = "predictions.json"
FORMAT = 1


class RecordShape(TypedDict):
    """``predictions.json``."""

    format: int
    settings: dict[str, Any]
    inputs: dict[str, dict[str, Any]]


class Record:
    """``predictions.json`` in the folder of results.

    Args:
        out: The folder; is made if it is not there.
        settings: All that decides what a prediction is.
        overwrite: Results that were made in another way may be replaced.

    Raises:
        ExperimentError: Results were made in another way, or the record is damaged.
        StorageError: The folder cannot be written.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self._path = out / RECORD_FILE
        self._settings = json.loads(json.dumps(settings))
        self._inputs: dict[str, Any] = {}
        with told(out):
            out.mkdir(parents=True, exist_ok=True)
            text = read_bounded(self._path) if self._path.exists() else None
        if text is not None and not overwrite:
            before = self._parse(text)
            if differences := [name for name in self._settings if self._settings[name] != before["settings"].get(name)]:
                raise ExperimentError(
                    f"--out {out}: holds predictions made otherwise ({', '.join(differences)}); "
                    f"choose another folder, or --overwrite replaces them"
                )
            self._inputs = before["inputs"]

    def _parse(self, text: bytes) -> dict[str, Any]:
        try:
            found = parse_json(text, RecordShape)
        except DamagedError as error:
            raise ExperimentError(f"{self._path}: damaged ({error}); delete it, or choose another --out") from error
        if found["format"] > FORMAT:
            raise ExperimentError(f"{self._path}: written by a newer tilesweep; update tilesweep")
        return dict(found)

    def has(self, one: Input) -> bool:
        """Whether a raster's results are there, and the raster has not changed since."""
        known = self._inputs.get(one.name, {})
        folder = self._path.parent
        return known.get("stamp") == stamp(one) and all((folder / file).exists() for file in known["files"])

    def add(self, one: Input, files: Sequence[Path], facts: Mapping[str, Any]) -> None:
        """Write down that a raster is finished.

        Args:
            one: The raster.
            files: Its results.
            facts: What is worth knowing of them.
        """
        names = [file.name for file in files]
        self._inputs[one.name] = {"path": one.path, "stamp": stamp(one), "files": names, **facts}
        text = json.dumps({"format": FORMAT, "settings": self._settings, "inputs": self._inputs}, indent=1)
        temporary = self._path.with_suffix(".tmp")
        with told(self._path):
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self._path)


def stamp(one: Input) -> list[Any]:
    """Return what changes when a raster does: path, size and time of the last change; the address alone if remote."""
    if one.is_remote:
        return [one.path]
    status = Path(one.path).stat()
    return [str(Path(one.path).resolve()), status.st_size, status.st_mtime_ns]
