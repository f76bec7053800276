"""What a trial keeps in its own folder: its record, its best weights, and its last two states to resume from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from trainables.checkpoints import dump_state, parse_state
from trainables.errors import ExperimentError, StorageError
from trainables.owners import is_abandoned
from trainables.storage import Storage

REPORTS_FILE = "reports.jsonl"
LOG_FILE = "trial.log"
BEST_FILE = "best.safetensors"
FOLDER = "state"
KEPT = 2
"""The last state, and the one before it for the case that the last one is damaged."""
_NAME = re.compile(r"epoch-(\d{5})-([0-9a-f]{16})\.pt")


class TrialStates:
    """Saves and finds a trial's states; each file's name carries its epoch and its checksum.

    A trial looks here whenever it starts, so it continues in the same way after a lost worker, a lost node, a killed
    driver, or a pause.
    """

    def __init__(self, trial: Storage) -> None:
        self._trial = trial

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Write the state after an epoch and let go of old ones.

        Raises:
            ExperimentError: It cannot be written.
        """
        data = dump_state(state)
        self._trial.write(f"{FOLDER}/epoch-{epoch:05d}-{_checksum(data)}.pt", data)
        self._keep(KEPT)

    def keep_last(self) -> None:
        """Let go of all states but the last one."""
        self._keep(1)

    def clear(self) -> None:
        """Let go of all states: the trial will never resume."""
        self._keep(0)
        self._remove_unfinished(lambda name: name.endswith(".tmp"))

    def _keep(self, number: int) -> None:
        names = self._names()
        for name in names[: len(names) - number]:
            self._trial.delete(f"{FOLDER}/{name}")

    def newest(self) -> tuple[dict[str, Any] | None, list[str]]:
        """Read the newest whole state.

        Returns:
            The state, or None where there is none yet; and a line for every damaged file that was passed over.

        Raises:
            StorageError: The storage is out of reach.
        """
        self._remove_unfinished(is_abandoned)
        damaged: list[str] = []
        for name in reversed(self._names()):
            match = _NAME.fullmatch(name)
            assert match
            try:
                data = self._trial.read(f"{FOLDER}/{name}")
                if _checksum(data) != match[2]:
                    raise ExperimentError(f"{FOLDER}/{name}: truncated or changed")
                return parse_state(data, name), damaged
            except StorageError as error:
                if not self._trial.is_local:
                    raise  # out of reach is not damaged
                damaged.append(f"{error}; resuming from the state before it")
            except ExperimentError as error:
                damaged.append(f"{error}; resuming from the state before it")
                self._trial.delete(f"{FOLDER}/{name}")
        return None, damaged

    def _remove_unfinished(self, wanted: Callable[[str], bool]) -> None:
        """Remove states that a process was writing when it was killed."""
        for name in self._trial.files(FOLDER) if self._trial.is_local else ():  # others write no such names
            if wanted(name):
                self._trial.delete(f"{FOLDER}/{name}")

    def _names(self) -> list[str]:
        return [name for name in self._trial.files(FOLDER) if _NAME.fullmatch(name)]


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
