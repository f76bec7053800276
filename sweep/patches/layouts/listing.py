"""What a folder holds: walked once, within bounds, so that layouts are recognised without touching the disk again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from trainables.data.tiles import same_name
from trainables.errors import DataError
from trainables.escaping import visible

ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".webp", ".bmp", ".gif", ".vrt")
"""Of rasters, in lower case."""
MAX_DEPTH = 8
"""Folders below the one that is walked; the deepest published layout has four."""
MAX_FILES = 200_000
FOREIGN = ("__MACOSX", "Thumbs.db", "desktop.ini")
"""What programs leave behind; so are all names that begin with a dot, such as macOS's ``._NAME``."""

_Place = tuple[int, int]
"""Device and number of a folder, by which links that lead back are known."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a folder and of the folders in it.

    Attributes:
        root: The folder.
        files: Path below the root, with ``/`` and in Unicode's composed form, to the file as the disk spells it; in
            order.
        notes: What was passed over and why, a line each.
    """

    root: Path
    files: Mapping[str, Path]
    notes: Sequence[str] = ()

    @classmethod
    def walk(cls, root: Path, *, without: Path | None = None) -> Listing:
        """List a folder. Hidden files, links that lead back and what is too deep are passed over.

        Args:
            root: The folder.
            without: A folder that may be in it and is not looked into, such as the one that is to be written.

        Raises:
            DataError: No such folder, more than ``MAX_FILES`` files, or what may not be read.
        """
        if not root.is_dir():
            raise DataError(f"--src {root}: no such folder; it holds the images")
        walk = _Walk(root, without.resolve() if without else None)
        try:
            files = dict(walk.files("", (_place(root),)))
        except OSError as error:
            raise DataError(
                f"{error.filename}: cannot be read ({error.strerror}); allow it, or move it away"
            ) from error
        return cls(root=root, files=files, notes=tuple(walk.notes))

    def under(self, folder: str) -> Listing:
        """Return the listing of a folder in it."""
        start = f"{folder}/"
        files = {path.removeprefix(start): file for path, file in self.files.items() if path.startswith(start)}
        return Listing(root=self.root / folder, files=files, notes=self.notes)

    @cached_property
    def rasters(self) -> Mapping[str, Path]:
        """The files whose ending is that of a raster."""
        return {path: file for path, file in self.files.items() if file.suffix.lower() in ENDINGS}

    @cached_property
    def stems(self) -> Mapping[str, Sequence[str]]:
        """Path without its ending to the paths of the rasters that have it."""
        return _grouped(self.rasters, lambda path: str(PurePosixPath(path).with_suffix("")))

    @cached_property
    def folders(self) -> Mapping[str, Sequence[str]]:
        """Folder, empty for the root, to the names of the files right in it."""
        found: dict[str, list[str]] = {}
        for path in self.files:
            folder, _, name = path.rpartition("/")
            found.setdefault(folder, []).append(name)
        return found

    @property
    def only_folder(self) -> str:
        """The one folder right below the root that holds all files of folders; empty where there are several."""
        tops = {path.split("/")[0] for path in self.files if "/" in path}
        return tops.pop() if len(tops) == 1 else ""


def _grouped(paths: Mapping[str, Path], key: Callable[[str], str]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(key(path), []).append(path)
    return found


def _place(folder: Path) -> _Place:
    status = folder.stat()
    return status.st_dev, status.st_ino


class _Walk:
    """One walk through a folder.

    Args:
        root: The folder.
        without: Resolved path of a folder that is not looked into.
    """

    def __init__(self, root: Path, without: Path | None) -> None:
        self._root = root
        self._without = without
        self._count = 0
        self.notes: list[str] = []

    def files(self, below: str, above: tuple[_Place, ...]) -> Iterator[tuple[str, Path]]:
        """Yield what a folder holds; ``above`` are the folders that lead to it, itself included."""
        folder = self._root / below
        with os.scandir(folder) as entries:
            found = sorted(((same_name(entry.name), entry) for entry in entries), key=lambda one: (one[0], one[1].name))
        seen: dict[str, str] = {}
        for name, entry in found:
            if name.startswith(".") or name in FOREIGN:
                continue
            if (twin := seen.setdefault(name, entry.name)) != entry.name:
                raise DataError(f"{folder}: holds {visible(name)!r} twice, in two Unicode forms; keep one ({twin!r})")
            if not name.isprintable():
                raise DataError(f"{entry.path!r}: its name has unprintable letters; rename it")
            path = f"{below}/{name}" if below else name
            if entry.is_dir():
                yield from self._folder(path, Path(entry.path), above)
            elif entry.is_file():
                self._count += 1
                if self._count > MAX_FILES:
                    raise DataError(
                        f"--src {self._root}: holds more than {MAX_FILES:,} files; name the folder in it that holds "
                        f"the images"
                    )
                yield path, Path(entry.path)
            elif entry.is_symlink():
                self.notes.append(f"{entry.path}: a link to what is not there; passed over")

    def _folder(self, path: str, folder: Path, above: tuple[_Place, ...]) -> Iterator[tuple[str, Path]]:
        if self._without is not None and folder.resolve() == self._without:
            return
        place = _place(folder)
        if place in above:
            self.notes.append(f"{folder}: a link back to a folder that it is in; passed over")
        elif len(above) > MAX_DEPTH:
            self.notes.append(f"{folder}: is more than {MAX_DEPTH} folders deep; passed over")
        else:
            yield from self.files(path, (*above, place))
