"""In which step a study is, as its experiments and the ledger say."""

from __future__ import annotations

from sweep.records.experiment import Experiment
from sweep.records.lease import Lease
from sweep.records.store import gather
from sweep.records.studies import PHASES, StudyFolder
from sweep.sealed.next_step import awaits_score, is_complete


def step_states(study: StudyFolder) -> dict[str, str]:
    """Return how each step stands: phase, and ``report``, to a few words.

    Raises:
        TilesweepError: An experiment or the ledger is damaged.
    """
    found = {phase: _state(study.experiment(phase), study.record.without_test) for phase in PHASES}
    made = (
        "made of all phases" if is_complete(study) else "made of what had ended" if study.reported else "not made yet"
    )
    return {**found, "report": made}


def is_run(study: StudyFolder) -> bool:
    """Whether a process runs it at this moment."""
    return study.lease().in_use


def _state(experiment: Experiment, without_test: str) -> str:
    if not experiment.exists:
        return "not begun"
    running = Lease.of_driver(experiment.storage, experiment.name).in_use  # before the description, as that is later
    description = experiment.description
    if not description["ended"]:
        return "running" if running else "unfinished"
    if without_test:
        return "ended; there is no test split to score"
    return (
        "ended, not scored yet" if awaits_score(experiment, description, gather(experiment).trials) else "ended, scored"
    )
