"""``calibrations.json``: what the probabilities of models are worth, and the temperature that sets them right."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any, NotRequired

from annotated_types import Gt, Interval, Len, Lt
from typing_extensions import TypedDict

from sweep.records.experiment import Experiment
from trainables.documents import DamagedError, check, parse_json
from trainables.errors import StorageError
from trainables.wording import counted

CALIBRATIONS_FILE = "calibrations.json"
"""In the experiment's folder."""
FORMAT = 2

Share = Annotated[float, Interval(ge=0, le=1)]
Difference = Annotated[float, Interval(ge=-1, le=1)]
Loss = Annotated[float, Interval(ge=0)]


class ErrorShape(TypedDict):
    """An expected calibration error, or how much one changes, and its 95 % interval; no ends where nothing is known."""

    value: Difference
    low: Difference | None
    high: Difference | None


class CalibrationShape(TypedDict):
    """What was fitted, and what it brings.

    ``before`` is the error as it is. ``after``, ``change``, ``iou`` and the losses, in nats per pixel, are of each
    fold's tiles, or each scene's, with what was fitted to the others; they are missing where there are no others.
    ``threshold`` is one of calibrated probabilities; classes have none. Where the fitted temperature makes the error or
    the loss of those tiles larger, it is ``not_applied``, and ``temperature`` is 1.
    """

    temperature: Annotated[float, Gt(0), Lt(1000)]
    threshold: Annotated[float, Gt(0), Lt(1)] | None
    measured: str
    tiles: Annotated[list[str], Len(1)]
    pixels: int
    before: ErrorShape
    after: NotRequired[ErrorShape]
    change: NotRequired[ErrorShape]
    loss_before: NotRequired[Loss]
    loss_after: NotRequired[Loss]
    not_applied: NotRequired[Annotated[float, Gt(0), Lt(1000)]]
    iou_at_half: NotRequired[Share]
    iou: NotRequired[Share]


NO_CHANGE: ErrorShape = {"value": 0.0, "low": None, "high": None}


class _File(TypedDict):
    format: int
    calibrations: dict[str, CalibrationShape]


def read_calibrations(experiment: Experiment | None) -> dict[str, CalibrationShape]:
    """Return what is known of an experiment's models; a damaged file is as good as none, since it is made again."""
    data = experiment.find_file(CALIBRATIONS_FILE) if experiment else None
    with suppress(DamagedError):
        if data and (found := parse_json(data, _File))["format"] == FORMAT:
            return found["calibrations"]
    return {}


def keep_calibration(experiment: Experiment | None, key: str, calibration: CalibrationShape) -> None:
    """Remember one; a shared folder that is only read can do without."""
    if experiment is None:
        return
    known = {**read_calibrations(experiment), key: calibration}
    with suppress(StorageError):
        experiment.write(CALIBRATIONS_FILE, json.dumps({"format": FORMAT, "calibrations": known}, indent=1).encode())


def check_calibration(values: Any) -> CalibrationShape:
    """Return what an exported file says of its probabilities.

    Earlier versions applied a temperature also where they had measured that it makes the error larger.

    Raises:
        DamagedError: It is none.
    """
    found = check(values, CalibrationShape)
    if "not_applied" in found or found.get("change", NO_CHANGE)["value"] <= 0:
        return found
    from trainables.temperature import raw_threshold  # here, since it loads torch

    fitted, threshold = found["temperature"], found["threshold"]
    found |= {"temperature": 1.0, "not_applied": fitted}
    return found if threshold is None else {**found, "threshold": raw_threshold(threshold, fitted)}


def calibration_text(found: CalibrationShape) -> str:
    """Say what a calibration brings, or why it is not applied, in a line."""
    error = f"error {_with_ends(found['before'])}"
    error += f" -> {_with_ends(found['after'])}" if "after" in found else ", afterwards not known: of one scene or fold"
    tiles = f"{counted(len(found['tiles']), 'tile')} {found['measured']}"
    if "not_applied" not in found:
        return f"temperature {found['temperature']:.3g}; {error}, {tiles}"
    loss = f", log loss {found['loss_before']:.4f} -> {found['loss_after']:.4f}" if "loss_after" in found else ""
    return (
        f"probabilities are kept as they are: temperature {found['not_applied']:.3g} makes them worse on tiles that it "
        f"was not fitted to; {error}{loss}, {tiles}"
    )


def threshold_text(found: CalibrationShape) -> str:
    """Say which threshold was fitted, in a line; of a binary task."""
    half = found.get("iou_at_half", 0.0)
    if "iou" not in found:
        return f"0.5: another one cannot be fitted to one scene or fold; IoU {half:.4f}"
    fitted = f"IoU {half:.4f} at 0.5, {found['iou']:.4f} at what is fitted to the other tiles"
    return f"{found['threshold']:.3g}: {fitted}"


def _with_ends(error: ErrorShape) -> str:
    ends = "" if error["low"] is None or error["high"] is None else f" ({error['low']:.4f} to {error['high']:.4f})"
    return f"{error['value']:.4f}{ends}"
