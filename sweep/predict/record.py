"""What is in ``--out`` and how it was made: finished rasters are not predicted twice, and never in two ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sweep.predict.parts import write_faults
from sweep.rasters.files import Stamp
from sweep.rasters.inputs import Input
from sweep.records.outputs import require_free, require_no_tiles
from sweep.records.predictions import FORMAT, RECORD_FILE, RESULTS, Document, FinishedRaster, read_document
from trainables.errors import ExperimentError


class Record:
    """``predictions.json`` in the folder of results; several commands may fill one folder at the same time.

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
        self._overwrite = overwrite
        self._known: tuple[object, Document | None] = (None, None)
        with write_faults(out):
            out.mkdir(parents=True, exist_ok=True)
        before = self._read()
        if before and not overwrite and (differences := self._differences(before)):
            raise ExperimentError(
                f"--out {out}: holds predictions made otherwise ({', '.join(differences)}); "
                f"choose another folder, or --overwrite replaces them"
            )

    def begin(self) -> list[str]:
        """Remove what was made in another way, if it may be replaced: every file that the record lists, and no other.

        Returns:
            The names of the files that are gone.

        Raises:
            ExperimentError: Another command has begun to fill the folder in another way.
            StorageError: The folder cannot be written.
        """
        with self._locked():
            before = self._read()
            if not before or not (differences := self._differences(before)):
                return []
            if not self._overwrite:
                raise ExperimentError(
                    f"--out {self._path.parent}: another command fills it otherwise ({', '.join(differences)}); choose "
                    f"another folder"
                )
            gone = [file for name, entry in before["inputs"].items() for file in self._remove(name, entry)]
            self._write({})
            return gone

    def has(self, one: Input, stamp: Stamp, *, skip_bad: bool = False) -> bool:
        """Whether a raster's results are there, whole or with ``skip_bad``, and the raster has not changed since.

        Raises:
            ExperimentError: There are results of another raster of that name, and they may not be replaced.
        """
        known = self._inputs().get(one.name)
        if known is None:
            return False
        folder = self._path.parent
        if isinstance(known.get("stamp"), dict) and known["path"] != one.identity:
            if not self._overwrite:
                raise ExperimentError(
                    f"{one.identity}: --out {folder} holds results of another raster of that name, {known['path']}; "
                    f"choose another folder, or --overwrite replaces them"
                )
            return False
        if known.get("bad") and not skip_bad:
            return False
        return known.get("stamp") == stamp and all((folder / file).exists() for file in known["files"])

    def require_free(self, one: Input) -> None:
        """Refuse to write where files of a raster's results stand that no prediction here has made.

        A mask drawn by hand may be called ``NAME_mask.png``, too. What a run that was killed had begun to write is
        known by its parts.

        Raises:
            ExperimentError: There are such files, or the folder keeps a dataset's tiles.
        """
        folder = self._path.parent
        require_no_tiles(folder, f"--out {folder}")
        parts_are_there = (folder / f".{one.name}.parts").is_dir()
        ours = set((self._read() or {"inputs": {}})["inputs"].get(one.name, {"files": []})["files"])
        for file in () if parts_are_there else (f"{one.name}{ending}" for ending in RESULTS):
            if file not in ours:
                require_free(folder / file, overwrite=self._overwrite)

    def add(self, one: Input, stamp: Stamp, files: Sequence[Path], facts: Mapping[str, Any]) -> None:
        """Write down that a raster is finished; what other commands wrote down meanwhile stays."""
        with self._locked():
            before = self._read()
            if before and (differences := self._differences(before)):
                raise ExperimentError(
                    f"--out {self._path.parent}: another command has replaced its predictions by others "
                    f"({', '.join(differences)}); choose another folder"
                )
            inputs: dict[str, Any] = dict(before["inputs"]) if before else {}
            names = [file.name for file in files]
            if one.name in inputs:
                self._remove(one.name, inputs[one.name], keep=names)
            inputs[one.name] = {"path": one.identity, "stamp": stamp, "files": names, **facts}
            self._write(inputs)

    @contextmanager
    def predicting(self, one: Input, *, wait: bool) -> Iterator[bool]:
        """Keep other commands from predicting the same raster into the same folder.

        Returns:
            Whether it is ours for the duration of the block; always if waited for.
        """
        lock = FileLock(self._path.with_name(f".{one.name}.lock"))
        with write_faults(self._path.parent):
            try:
                lock.acquire(timeout=-1 if wait else 0)
            except Timeout:
                ours = False
            else:
                ours = True
        try:
            yield ours
        finally:
            if ours:
                _release(lock)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self._path.with_name(f".{RECORD_FILE}.lock"))
        with write_faults(self._path):
            lock.acquire()
        try:
            yield
        finally:
            _release(lock)

    def _inputs(self) -> dict[str, FinishedRaster]:
        """Return the finished rasters of these settings."""
        before = self._read()
        return {} if before is None or self._differences(before) else before["inputs"]

    def _differences(self, before: Document) -> list[str]:
        """Return the settings that differ; one that an earlier version did not know was not set."""
        now, then = self._settings, before["settings"]
        return [name for name in {**now, **then} if (now.get(name) or None) != (then.get(name) or None)]

    def _read(self) -> Document | None:
        """Return the record as it is now; None where there is none."""
        with write_faults(self._path):
            if not self._path.exists():
                return None
            state = _state(self._path)
        if self._known[0] != state:
            self._known = state, read_document(self._path)
        return self._known[1]

    def _remove(self, name: str, entry: FinishedRaster, keep: Sequence[str] = ()) -> list[str]:
        """Delete a raster's results; returns their names."""
        gone = []
        for file in entry["files"]:
            path = self._path.parent / file
            if file not in keep and path.is_file():
                with write_faults(path):
                    path.unlink()
                gone.append(file)
        return gone

    def _write(self, inputs: Mapping[str, object]) -> None:
        text = json.dumps({"format": FORMAT, "settings": self._settings, "inputs": inputs}, indent=1)
        temporary = self._path.with_suffix(".tmp")
        with write_faults(self._path):
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self._path)


def _state(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is replaced."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _release(lock: FileLock) -> None:
    """Give a lock up and leave no file behind; who opened that file meanwhile notices, and opens a new one."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
