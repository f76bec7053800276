"""The ledger of test readings: append-only, hash-chained, one for all experiments of a storage."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from sweep.records.experiment import LEDGER_FILE
from sweep.records.lease import Lease, TakenError
from trainables.documents import DamagedError, check, parse_json
from trainables.errors import LedgerError
from trainables.locks import LockedError, UnusableLockError, lock_file
from trainables.storage import Storage

LEASE_FILE = ".test_ledger.lease.json"
FIRST = "0" * 64
"""What the first line names as the hash of the line before it."""
MAX_BYTES = 2**30
"""What a ledger may hold: a reading of 50 tiles is 4 kB."""


@dataclass(frozen=True, kw_only=True)
class LedgerLine:
    """What every line of the ledger has.

    Attributes:
        experiment: The experiment's name; empty where none is meant.
        time: UTC, ISO 8601.
        previous: Hex sha256 of the line before.
        seal: Hex sha256 of the line itself, taken with an empty seal.
    """

    experiment: str
    time: str
    previous: str = ""
    seal: str = ""

    def line(self) -> str:
        """Return it as text, without the line end. Fields that were added later are left out while they are empty."""
        later = {one.name for one in fields(self) if one.metadata.get("later")}
        values = {name: value for name, value in asdict(self).items() if value or name not in later}
        return json.dumps(values, sort_keys=True)

    def after(self, previous: str) -> Self:
        """Return the line as it follows another one, given by its hash."""
        chained = replace(self, previous=previous, seal="")
        return replace(chained, seal=_hash(chained.line()))


@dataclass(frozen=True, kw_only=True)
class Reading(LedgerLine):
    """One scoring of the test split by one attempt.

    Attributes:
        attempt: The attempt's name.
        checkpoint_sha256: Hash of the weights that were scored.
        data_fingerprint: Hash of the train and val tiles that chose them.
        test_fingerprint: Hash of the test tiles.
        iou: Mean IoU over test tiles, in [0, 1].
        f1: Mean F1 over test tiles, in [0, 1].
        tiles: Tile name to IoU.
        reason: Why the attempt was read again; empty for a first reading.
        run: The experiment's id: another training under the same name has another one.
        scores_sha256: Hash of the scores as they were written; empty in a reading of an earlier version.
        test_pixels: Tile name to the hash of its decoded image, in the first reading of each test split.
        test_files: Tile name to the hash of its image file, likewise.
    """

    attempt: str
    checkpoint_sha256: str
    data_fingerprint: str
    test_fingerprint: str
    iou: float
    f1: float
    tiles: dict[str, float]
    reason: str = ""
    run: str = ""
    scores_sha256: str = field(default="", metadata={"later": True})
    test_pixels: dict[str, str] = field(default_factory=dict, metadata={"later": True})
    test_files: dict[str, str] = field(default_factory=dict, metadata={"later": True})


@dataclass(frozen=True, kw_only=True)
class Note(LedgerLine):
    """Something that a reader of the readings has to know: test tiles were seen outside a reading.

    Attributes:
        text: What happened, in a sentence.
        kind: Tells notes from readings, which have none.
    """

    text: str
    kind: Literal["note"] = "note"


class Ledger:
    """Reads and extends the ledger of a storage.

    Args:
        storage: The folder that holds experiments; the ledger is directly in it.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def address(self) -> str:
        """Where the ledger is."""
        return self._storage.path(LEDGER_FILE)

    @contextmanager
    def locked(self, timeout: float = 3600.0) -> Iterator[None]:
        """Hold the ledger for one scoring job; a second job waits here until the first has written.

        Args:
            timeout: Seconds to wait, at least 0.

        Raises:
            LedgerError: Another job still holds it, or the storage cannot be written.
        """
        with self._locked_here(timeout) if self._storage.is_local else self._locked_there(timeout):
            yield

    @contextmanager
    def _locked_here(self, timeout: float) -> Iterator[None]:
        path = Path(f"{self.address}.lock")
        with ExitStack() as stack:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(lock_file(path, timeout))
            except LockedError as error:
                raise LedgerError(f"{path}: another scoring job holds the ledger; try again when it is done") from error
            except UnusableLockError as error:
                raise LedgerError(str(error)) from error
            except OSError as error:
                raise LedgerError(
                    f"{path}: cannot be written ({error.strerror}), so no reading could be recorded; make the storage "
                    f"writable"
                ) from error
            yield

    @contextmanager
    def _locked_there(self, timeout: float) -> Iterator[None]:
        deadline = time.monotonic() + timeout
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(Lease(self._storage, LEASE_FILE).held())
                    break
                except TakenError as error:
                    if time.monotonic() >= deadline:
                        raise LedgerError(
                            f"{self.address}: {error.holder} holds the ledger; try again when it is done"
                        ) from error
                    time.sleep(1.0)
            yield

    def lines(self) -> list[Reading | Note]:
        """Read all lines and check their chain.

        Raises:
            LedgerError: A line was changed, removed or damaged.
        """
        found: list[Reading | Note] = []
        previous = FIRST
        for number, text in enumerate(self._texts(), start=1):
            try:
                line, whole = _parse(text)
            except DamagedError as error:
                raise LedgerError(f"{self.address}: line {number} is damaged ({error}); restore the file") from error
            if line.previous != previous:
                raise LedgerError(
                    f"{self.address}: line {number} does not follow from the line before it, which was changed or "
                    f"removed; restore the file"
                )
            if not whole:
                raise LedgerError(f"{self.address}: line {number} was changed; restore the file")
            found.append(line)
            previous = _hash(text)
        return found

    def readings(self) -> list[Reading]:
        """Read all readings; see ``lines``."""
        return [line for line in self.lines() if isinstance(line, Reading)]

    def notes(self) -> list[Note]:
        """Read all notes; see ``lines``."""
        return [line for line in self.lines() if isinstance(line, Note)]

    @property
    def last_hash(self) -> str:
        """Hex sha256 of the last line: published elsewhere, it shows whether the ledger was rewritten since."""
        texts = self._texts()
        return _hash(texts[-1]) if texts else FIRST

    def _texts(self) -> list[str]:
        if not self._storage.has(LEDGER_FILE):
            return []
        if (size := self._storage.size(LEDGER_FILE)) > MAX_BYTES:
            raise LedgerError(f"{self.address}: holds {size:,} bytes, more than {MAX_BYTES:,}; restore the file")
        try:
            text = self._storage.read(LEDGER_FILE).decode()
        except UnicodeDecodeError as error:
            raise LedgerError(f"{self.address}: damaged ({error}); restore the file") from error
        return text.removesuffix("\n").split("\n") if text else []

    def of(self, experiment: str, run: str = "") -> dict[str, list[Reading]]:
        """Return an experiment's readings by attempt, first one first.

        Args:
            experiment: Its name.
            run: Its id, by which it is found under any name; empty where it has none.
        """
        found: dict[str, list[Reading]] = {}
        for reading in self.readings():
            if reading.experiment == experiment or (run and reading.run == run):
                found.setdefault(reading.attempt, []).append(reading)
        return found

    def append(self, new: Sequence[LedgerLine]) -> None:
        """Add lines at the end, all of them or none; call it with the ledger locked."""
        self.lines()  # refuses to build on a broken chain
        texts = self._texts()
        for line in new:
            texts.append(line.after(_hash(texts[-1]) if texts else FIRST).line())
        self._storage.write(LEDGER_FILE, "".join(f"{text}\n" for text in texts).encode())


def _parse(text: str) -> tuple[Reading | Note, bool]:
    """Read a line, and see whether its seal is that of its own text.

    Raises:
        DamagedError: It is neither a reading nor a note.
    """
    values = parse_json(text, dict[str, Any])
    whole = values.get("seal") == _hash(json.dumps({**values, "seal": ""}, sort_keys=True))
    kind: type[Reading | Note] = Note if "kind" in values else Reading
    if unknown := sorted(values.keys() - {one.name for one in fields(kind)}):
        raise DamagedError(f"has an unknown field {unknown[0][:60]!r}")
    return check(values, kind), whole


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode(errors="surrogatepass")).hexdigest()
