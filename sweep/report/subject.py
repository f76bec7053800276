"""What a report is about: experiments by name, or a study, of which more phases begin while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.records.experiment import Experiment
from sweep.records.lease import Lease
from sweep.records.studies import StudyFolder
from sweep.sealed.next_step import is_done, resume_command
from sweep.sealed.study_steps import is_run
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
        """Return whether a process runs one of them at this moment, or is still to score it as a step of its study."""
        experiments = self.experiments()
        leases = [Lease.of_driver(one.storage, one.name) for one in experiments]
        leases += [study.lease() for name in self.names if (study := StudyFolder.named(self.storage, name))]
        return any(lease.in_use for lease in leases) or any(map(_is_to_be_scored, experiments))

    def resume_command(self) -> str:
        """Return the command that resumes what was interrupted; empty where nothing was."""
        for one in self.experiments():
            study = StudyFolder.of(one)
            if not (is_done(study, one) if study else one.has_ended):
                return resume_command(one, one.description)
        return ""

    def _phases(self, name: str) -> list[str]:
        study = StudyFolder.named(self.storage, name)
        return [one.name for one in study.begun] if study and study.begun else [name]


def _is_to_be_scored(experiment: Experiment) -> bool:
    """Whether the study of an experiment runs, and has not scored it yet."""
    study = StudyFolder.of(experiment)
    return bool(study and is_run(study) and not is_done(study, experiment))
