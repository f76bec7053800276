"""One process at a time: a lease that names its holder, and that a dead holder does not keep."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import psutil
from annotated_types import Gt

from trainables.documents import DamagedError, parse_json
from trainables.errors import StorageError
from trainables.locks import lock_file
from trainables.owners import lives, process_space, start_ticks
from trainables.storage import Storage

BEAT_SECONDS = 10.0
"""How often a holder shows that it is alive."""
SILENT_SECONDS = 2.5 * BEAT_SECONDS
"""A holder on another machine that shows nothing for so long is taken for dead."""
PRESUMED_DEAD_SECONDS = 60.0
"""The same for one who only looks: two clocks, which may differ by some seconds, take part in it."""
MAX_BYTES = 10_000
"""Of a lease's file."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds a lease.

    Attributes:
        host: Its machine's name.
        boot: Which boot of which machine, and which PID namespace: a process id means nothing in another one.
        pid: Its process id, at least 1.
        started: When it started, in seconds since 1970, for people.
        token: Different for every lease that was ever taken.
        beat: Counts up while it is alive.
        ticks: When it started, in clock ticks since the boot: a process id is used again, and no clock that is set
            moves this. 0 where that is not known.
    """

    host: str
    boot: str
    pid: Annotated[int, Gt(0)]
    started: float
    token: str
    beat: int = 0
    ticks: int = 0

    @classmethod
    def here(cls) -> Holder:
        """Describe this process."""
        return cls(
            host=socket.gethostname(),
            boot=process_space(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            token=uuid.uuid4().hex,
            ticks=start_ticks(os.getpid()) or 0,
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What can be seen of a lease from outside.

    Attributes:
        holder: The process that holds it, or held it when it died.
        alive: Whether that process lives: known where its process id can be looked up; else, on another machine or
            in another container, taken from its last sign of life.
        silent_seconds: Since its last sign of life, by this machine's clock and the storage's.
    """

    holder: Holder
    alive: bool
    silent_seconds: float

    @property
    def is_here(self) -> bool:
        """Whether its process can be looked up here."""
        return _lives_here(self.holder) is not None


class TakenError(Exception):
    """Somebody else holds the lease.

    Attributes:
        holder: Who.
    """

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        super().__init__(str(holder))


class Lease:
    """A file in a storage that says who holds something."""

    def __init__(self, storage: Storage, file: str) -> None:
        self._storage = storage
        self._file = file
        self._own: Holder | None = None
        self.lost = ""
        """Why the lease does not hold any more; empty while it does."""

    @classmethod
    def of_driver(cls, storage: Storage, experiment: str) -> Lease:
        """Return the lease of the process that runs an experiment; its file is beside the experiment's folder."""
        return cls(storage, f".{experiment}.driver.json")

    def look(self) -> Sighting | None:
        """See who holds the lease, without touching it and without waiting for a sign of life.

        Returns:
            What can be seen; None where nobody holds it.

        Raises:
            StorageError: The storage cannot be used.
        """
        changed, holder = self._storage.changed(self._file), self._read()
        if holder is None or changed is None:
            return None
        silent = max(0.0, time.time() - changed)
        known = _lives_here(holder)
        alive = silent < PRESUMED_DEAD_SECONDS if known is None else known
        return Sighting(holder=holder, alive=alive, silent_seconds=silent)

    @property
    def in_use(self) -> bool:
        """Whether a process that is alive holds it, as far as can be seen without waiting.

        Raises:
            StorageError: The storage cannot be used.
        """
        seen = self.look()
        return seen is not None and seen.alive

    @contextmanager
    def held(self) -> Iterator[Lease]:
        """Hold the lease during the block.

        Raises:
            TakenError: A process that is alive holds it.
            StorageError: The storage cannot be used.
        """
        self._take()
        stop = threading.Event()
        thread = threading.Thread(target=self._beat, args=(stop,), name="lease", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
            if not self.lost:
                with suppress(StorageError):
                    self._storage.delete(self._file)

    def _take(self) -> None:
        holder = self._read()
        if holder:
            known = _lives_here(holder)
            if self._shows_life(holder) if known is None else known:
                raise TakenError(holder)
        with self._alone():
            if (now := self._read()) and (holder is None or now.token != holder.token):
                raise TakenError(now)  # another one was faster
            self._own = Holder.here()
            self._write(self._own)

    def release_dead(self) -> bool:
        """Delete the lease of a process of this machine that has ended; returns whether there was one.

        Raises:
            StorageError: The storage cannot be used.
        """
        holder = self._read()
        if holder is None or _lives_here(holder) is not False:
            return False
        with self._alone():
            if self._read() != holder:
                return False  # somebody has just taken it
            self._storage.delete(self._file)
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep this machine's other processes away from the file during the block."""
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_file(self._critical_section()))
            except OSError as error:
                raise StorageError(f"{self._storage.path(self._file)}: cannot be taken ({error})") from error
            yield

    def _critical_section(self) -> Path:
        """Return a lock file of this machine: processes of other machines are seldom that fast.

        A user has sixteen of them for all experiments: to delete a lock file opens it to two processes at a time.
        """
        name = hashlib.sha256(f"{self._storage.address}/{self._file}".encode()).hexdigest()
        return Path(tempfile.gettempdir()) / f"tilesweep-{os.getuid()}-{name[0]}.lock"

    def _shows_life(self, holder: Holder) -> bool:
        """Watch a holder of another machine for a while; the clocks of two machines cannot be compared."""
        deadline = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(BEAT_SECONDS / 5)
            now = self._read()
            if now is None:
                return False
            if now != holder:
                return True
        return False

    def _read(self) -> Holder | None:
        data = self._storage.find(self._file)
        if data is None:
            return None
        try:
            return parse_json(data, Holder, limit=MAX_BYTES)
        except DamagedError:
            return None  # cut short by a crash: whoever wrote it is gone

    def _write(self, holder: Holder) -> None:
        self._storage.write(self._file, json.dumps(asdict(holder)).encode(), durable=False)

    def _beat(self, stop: threading.Event) -> None:
        assert self._own
        number = 0
        while not stop.wait(BEAT_SECONDS):
            number += 1
            try:
                now = self._read()
                if now is None:
                    self.lost = (
                        f"{self._storage.path(self._file)}: has vanished: the folder was moved, or another process "
                        f"took over and has ended; bring the folder back if it is gone"
                    )
                elif now.token != self._own.token:
                    self.lost = f"{self._storage.path(self._file)}: {now} took over; let one of them run"
                else:
                    self._write(Holder(**{**asdict(self._own), "beat": number}))
            except StorageError as error:
                self.lost = str(error)
            if self.lost:
                return


def _lives_here(holder: Holder) -> bool | None:
    """Say whether the holder's process lives; None where its process id cannot be looked up from here."""
    here = (holder.host, holder.boot) == (socket.gethostname(), process_space())
    return lives(holder.pid, holder.ticks) if here else None
