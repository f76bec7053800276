"""``--calibrated``: probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sweep.cli.output import Output, say
from sweep.predict.settings import MapSettings
from sweep.predict.workers import told_by_first
from sweep.records.calibrations import calibration_text, threshold_text
from sweep.results.calibrating import find_calibration
from sweep.results.ensemble import Ensemble
from sweep.results.trained_models import TrainedModel


def calibrated(
    chosen: Sequence[TrainedModel],
    ensemble: Ensemble,
    settings: MapSettings,
    output: Output,
    *,
    threshold: float | None,
    patches: Path | None,
) -> tuple[Ensemble, MapSettings]:
    """Return models and settings with the temperature and the threshold that suit them, and say what that brings.

    A further process of a command takes what the first one has fitted.

    Args:
        chosen: The models.
        ensemble: The same, loaded.
        settings: As without calibration.
        output: Where to say so.
        threshold: What the user says; None for the fitted one.
        patches: Where the dataset is; None for where it was.

    Raises:
        ExperimentError: The calibration is not known and cannot be fitted.
        DataError: The dataset that the user named is not the one, or is damaged.
    """
    if told := told_by_first():
        unused = told.get("temperature_not_applied")
        settings = replace(settings, temperature=told["temperature"], threshold=told["threshold"])
        return ensemble.calibrated(told["temperature"]), replace(settings, temperature_not_applied=unused)
    output.console.print("calibrating on tiles that the models have not seen")
    found = find_calibration(chosen, ensemble, patches)
    say(output.results, "calibration", calibration_text(found))
    if threshold is None and found["threshold"] is not None:
        settings = replace(settings, threshold=found["threshold"])
        say(output.results, "threshold", threshold_text(found))
    output.events.emit("calibrated", **found)
    temperature = found["temperature"]
    settings = replace(settings, temperature=temperature, temperature_not_applied=found.get("not_applied"))
    return ensemble.calibrated(temperature), settings
