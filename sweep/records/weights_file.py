"""A trial's best weights, as they were when it had finished."""

from __future__ import annotations

import hashlib

from sweep.records.experiment import Experiment
from sweep.records.trials import read_reports
from trainables.errors import ExperimentError
from trainables.trial_states import BEST_FILE


def read_best_weights(experiment: Experiment, attempt: str) -> bytes:
    """Read the best-weights file of a finished trial.

    Raises:
        ExperimentError: It cannot be read, or is not the file that the trial wrote. Trials of earlier versions did not
            record what they wrote.
    """
    name = f"{attempt}/{BEST_FILE}"
    data = experiment.read(name)
    reports = read_reports(experiment, attempt)
    recorded = reports[-1].get("best_sha256", "") if reports else ""
    if recorded and (found := hashlib.sha256(data).hexdigest()) != recorded:
        raise ExperimentError(
            f"{experiment.path(name)}: was changed or damaged after its training (sha256 {found[:12]}..., recorded "
            f"{str(recorded)[:12]}...); bring it back, or train the attempt again"
        )
    return data
