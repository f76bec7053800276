"""What a report tells of: experiments by name, or a study, of which more phases begin while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.records.experiment import Experiment
from sweep.records.lease import Lease
from sweep.records.studies import StudyFolder
from trainables.storage import Storage


@dataclass(frozen=True)
class ReportSubject:
    """Experiments and studies that share a page.

    Attributes:
        storage: What holds them.
        names: Theirs; none for the experiment that changed last.
    """

    storage: Storage
    names: Sequence[str]

    @property
    def study(self) -> StudyFolder | None:
        """The study that it is the report of; None for single experiments, and for several studies."""
        return StudyFolder.named(self.storage, self.names[0]) if len(self.names) == 1 else None

    def named(self) -> list[str]:
        """Return the names of its experiments, those of studies as far as they have begun."""
        return list(dict.fromkeys(one for name in self.names for one in self._phases(name)))

    def experiments(self) -> list[Experiment]:
        """Return those that are there now.

        Raises:
            ExperimentError: A name is nobody's; the nearest one is suggested.
        """
        names: list[str | None] = [*self.named()] or [None]
        return [Experiment.find(self.storage, name) for name in names]

    def is_run(self) -> bool:
        """Return whether a process runs one of them at this moment."""
        studies = [study for name in self.names if (study := StudyFolder.named(self.storage, name))]
        leases = [study.lease() for study in studies]
        leases += [Lease.of_driver(one.storage, one.name) for one in self.experiments()]
        return any(lease.in_use for lease in leases)

    def _phases(self, name: str) -> list[str]:
        study = StudyFolder.named(self.storage, name)
        return [one.name for one in study.begun] if study and study.begun else [name]
