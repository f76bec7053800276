"""A whole study: three experiments under one name, and what no experiment says of itself.

Its folder holds ``study.json`` and the report; the experiments ``NAME-phase1``, ``NAME-phase2`` and ``NAME-phase3`` are
beside it. Which step a study is in follows from the experiments themselves.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from sweep.records.experiment import Experiment, check_name, is_name
from sweep.records.lease import Lease
from trainables.documents import DamagedError, parse_json
from trainables.errors import ExperimentError, StorageError, nearest
from trainables.invocation import command
from trainables.storage import Storage

STUDY_FILE = "study.json"
STUDY_REPORT_STEM = "report"
STUDY_REPORT = f"{STUDY_REPORT_STEM}.html"
PHASES = ("phase1", "phase2", "phase3")


def phases_until(last: str) -> tuple[str, ...]:
    """Return the phases of a study up to one of them."""
    return PHASES[: PHASES.index(last) + 1]


FORMAT = 1
MAX_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """What ``study.json`` holds.

    Attributes:
        options: What the user asked for, as plain values.
        fingerprint: Of the dataset's train and val tiles.
        budget: Seconds that the whole study may take; None for no limit.
        spent: Seconds of earlier runs.
        begun: When the run that is under way, or was killed, began, in seconds since 1970; None for neither.
        without_test: Why nothing can be scored, as on a dataset without a test split; empty where it can.
        format: Version of the file.
    """

    options: dict[str, Any]
    fingerprint: str
    budget: float | None = None
    spent: float = 0.0
    begun: float | None = None
    without_test: str = ""
    format: int = field(default=FORMAT)


class StudyFolder:
    """A study in a storage."""

    def __init__(self, storage: Storage, name: str, flag: str = "--name") -> None:
        self.storage = storage
        self.name = check_name(name, flag)
        check_name(f"{name}-{PHASES[0]}", flag)
        self._folder = Experiment(storage, name)

    @classmethod
    def find(cls, storage: Storage, name: str, flag: str) -> StudyFolder:
        """Open an existing study.

        Raises:
            ExperimentError: There is none; the nearest name is suggested.
        """
        study = cls(storage, name, flag)
        if not study.exists:
            known = [one for one in storage.names() if is_name(one) and storage.has(f"{one}/{STUDY_FILE}")]
            hint = nearest(name, known) if known else "there is none yet"
            raise ExperimentError(f"{flag} {name}: {storage.address} holds no study {name!r}; {hint}")
        return study

    @classmethod
    def of(cls, experiment: Experiment) -> StudyFolder | None:
        """Return the study that an experiment is a phase of; None for an experiment that stands alone."""
        name, _, phase = experiment.name.rpartition("-")
        with suppress(ExperimentError):
            if phase in PHASES and (study := cls(experiment.storage, name)).exists:
                return study
        return None

    @classmethod
    def named(cls, storage: Storage, name: str) -> StudyFolder | None:
        """Return the study of a name that no experiment has; None where there is none."""
        if not is_name(name) or Experiment(storage, name).exists:
            return None
        with suppress(ExperimentError):
            if (study := cls(storage, name)).exists:
                return study
        return None

    @property
    def exists(self) -> bool:
        """Whether it has begun."""
        return self._folder.has(STUDY_FILE)

    @property
    def address(self) -> str:
        """Its folder or URI."""
        return self._folder.address

    @property
    def record(self) -> StudyRecord:
        """What was written of it.

        Raises:
            ExperimentError: That is damaged, or from a newer version.
        """
        place = self._folder.path(STUDY_FILE)
        try:
            found = parse_json(self._folder.read(STUDY_FILE, MAX_BYTES), StudyRecord, MAX_BYTES)
        except DamagedError as error:
            raise ExperimentError(f"{place}: damaged ({error}); restore it") from error
        if found.format > FORMAT:
            raise ExperimentError(f"{place}: written by a newer tilesweep; update tilesweep")
        return found

    def save(self, record: StudyRecord) -> None:
        """Write the record, whole or not at all."""
        self._folder.write(STUDY_FILE, json.dumps(asdict(record), indent=2).encode())

    def experiment(self, phase: str) -> Experiment:
        """Return the experiment of a phase, whether it has begun or not."""
        return Experiment(self.storage, f"{self.name}-{phase}")

    @property
    def begun(self) -> list[Experiment]:
        """The experiments that have begun, in the order of the phases."""
        return [one for one in map(self.experiment, PHASES) if one.exists]

    def command(self, *words: str) -> str:
        """Return the command that resumes it, ready to be pasted."""
        return self._folder.command("study", *words, "--resume")

    @property
    def report(self) -> str:
        """Where its report is."""
        return self._folder.path(STUDY_REPORT)

    @property
    def reported(self) -> float | None:
        """When its report was written, in seconds since 1970 by the storage's clock; None where there is none."""
        return self._folder.changed(STUDY_REPORT)

    def lease(self) -> Lease:
        """Return the lease of the process that runs it."""
        return Lease.of_driver(self.storage, self.name)

    def seconds_of_killed_run(self, record: StudyRecord) -> float:
        """Return how long a run took that did not live to say so: until its last sign of life."""
        with suppress(StorageError):
            if record.begun is not None and (seen := self.lease().look()):
                return max(0.0, time.time() - seen.silent_seconds - record.begun)
        return 0.0

    @property
    def storage_words(self) -> list[str]:
        """The words of a command that name the storage; none for the default one."""
        return self._folder.storage_words

    def status_command(self) -> str:
        """Return the command that shows it."""
        return command("status", self.name, *self.storage_words)
