"""The ledger of test readings: append-only, hash-chained, one for all experiments of a storage."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from sweep.engine.lease import Lease, TakenError
from trainables.errors import LedgerError
from trainables.storage import Storage

LEDGER_FILE = "test_ledger.jsonl"
LEASE_FILE = ".test_ledger.lease.json"
FIRST = "0" * 64
"""What the first line names as the hash of the line before it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One scoring of the test split by one attempt: a line of the ledger.

    Attributes:
        experiment: The experiment's name.
        attempt: The attempt's name.
        checkpoint_sha256: Hash of the weights that were scored.
        data_fingerprint: Hash of the train and val tiles that chose them.
        test_fingerprint: Hash of the test tiles.
        time: UTC, ISO 8601.
        iou: Mean IoU over test tiles, in [0, 1].
        f1: Mean F1 over test tiles, in [0, 1].
        tiles: Tile name to IoU.
        reason: Why the attempt was read again; empty for a first reading.
        run: The experiment's id: another training under the same name has another one.
        previous: Hex sha256 of the line before.
        seal: Hex sha256 of the line itself, taken with an empty seal.
    """

    experiment: str
    attempt: str
    checkpoint_sha256: str
    data_fingerprint: str
    test_fingerprint: str
    time: str
    iou: float
    f1: float
    tiles: dict[str, float]
    reason: str = ""
    run: str = ""
    previous: str = ""
    seal: str = ""

    def line(self) -> str:
        """Return the reading as its line, without the line end."""
        return json.dumps(asdict(self), sort_keys=True)

    def after(self, previous: str) -> Reading:
        """Return the reading as it follows a line, given by its hash."""
        chained = replace(self, previous=previous, seal="")
        return replace(chained, seal=_hash(chained.line()))

    @property
    def is_whole(self) -> bool:
        """Whether nothing in it was changed since it was written."""
        return self.seal == _hash(replace(self, seal="").line())


class Ledger:
    """Reads and extends the ledger of a storage.

    Args:
        storage: The folder that holds experiments; the ledger lies directly in it.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def address(self) -> str:
        """Where the ledger lies."""
        return self._storage.path(LEDGER_FILE)

    @contextmanager
    def locked(self, timeout: float = 3600.0) -> Iterator[None]:
        """Hold the ledger for one scoring job; a second job waits here until the first has written.

        Args:
            timeout: Seconds to wait, at least 0.

        Raises:
            LedgerError: Another job still holds it.
        """
        with self._locked_here(timeout) if self._storage.is_local else self._locked_there(timeout):
            yield

    @contextmanager
    def _locked_here(self, timeout: float) -> Iterator[None]:
        path = Path(f"{self.address}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=timeout):
                yield
        except Timeout as error:
            raise LedgerError(f"{path}: another scoring job holds the ledger; try again when it is done") from error

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

    def readings(self) -> list[Reading]:
        """Read all lines and check their chain.

        Raises:
            LedgerError: A line was changed, removed or damaged.
        """
        readings = []
        previous = FIRST
        for number, line in enumerate(self._lines(), start=1):
            try:
                reading = Reading(**json.loads(line))
                whole = reading.is_whole
            except (ValueError, TypeError) as error:
                raise LedgerError(f"{self.address}: line {number} is damaged; restore the file") from error
            if reading.previous != previous:
                raise LedgerError(
                    f"{self.address}: line {number} does not follow from the line before it, which was changed or "
                    f"removed; restore the file"
                )
            if not whole:
                raise LedgerError(f"{self.address}: line {number} was changed; restore the file")
            readings.append(reading)
            previous = _hash(line)
        return readings

    def _lines(self) -> list[str]:
        if not self._storage.has(LEDGER_FILE):
            return []
        try:
            return self._storage.read(LEDGER_FILE).decode().splitlines()
        except UnicodeDecodeError as error:
            raise LedgerError(f"{self.address}: damaged ({error}); restore the file") from error

    def of(self, experiment: str) -> dict[str, list[Reading]]:
        """Return an experiment's readings by attempt, first one first."""
        found: dict[str, list[Reading]] = {}
        for reading in self.readings():
            if reading.experiment == experiment:
                found.setdefault(reading.attempt, []).append(reading)
        return found

    def append(self, new: Sequence[Reading]) -> None:
        """Add readings at the end, all of them or none; call it with the ledger locked."""
        self.readings()  # refuses to build on a broken chain
        lines = self._lines()
        for reading in new:
            lines.append(reading.after(_hash(lines[-1]) if lines else FIRST).line())
        self._storage.write(LEDGER_FILE, "".join(f"{line}\n" for line in lines).encode())


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
