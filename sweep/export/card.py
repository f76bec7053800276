"""A model card beside an exported file: what it does, how good it is, on what it was trained, and where it ends.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sweep.records.calibrations import calibration_text
from sweep.results.contenders import Readings
from sweep.results.statistics import Interval, mean_interval
from sweep.results.trained_models import TrainedModel
from trainables.data.imagery import band_list
from trainables.data.manifest import metres_said
from trainables.wording import counted

ROUGH = 12
"""Tiles below which a card says that an interval is a rough one: see ``statistics.COVERAGE``."""


def card_path(out: Path) -> Path:
    """Return where the card of an exported file is."""
    return out.with_name(f"{out.name}.md")


def score_on_test(chosen: TrainedModel) -> Interval | None:
    """Return the IoU of a model's last reading of test, as ``sweep.score`` recorded it; None where there is none.

    A single fold's model, and one that was trained on all tiles, were not read. No tile is opened.
    """
    if chosen.experiment is None or chosen.fold is not None or chosen.refit_of:
        return None
    rows = Readings(chosen.experiment, []).scores(chosen.name.partition("/")[2])
    return mean_interval(np.array([[row.iou for row in rows]])) if rows else None


def model_card(about: Mapping[str, Any], out: Path, test: Interval | None) -> str:
    """Return the card as Markdown.

    Args:
        about: What the file says of itself.
        out: The file.
        test: Its IoU on test; None where that was not read.
    """
    parts = (_use(about, out), _scores(about, test), _origin(about), _limits(about))
    return "\n".join([f"# {_plain(about['name'])}", "", *(line for part in parts for line in part)])


def _use(about: Mapping[str, Any], out: Path) -> Iterator[str]:
    size, given = about["size"], about["input"]
    sides = f"{size['fixed']} x {size['fixed']}" if size["fixed"] else f"multiples of {size['multiple_of']}"
    yield f"`{out.name}`: {_plain(about['title'])}. Classes: {', '.join(map(_plain, about['classes']))}."
    yield ""
    yield f"- Input `{given['name']}`: {given['dtype']}, {sides} pixels, {_plain(given['meaning'])}."
    yield f"- Output `{about['output']['name']}`: {about['output']['meaning']}."
    if about["threshold"] is not None:
        yield f"- Threshold: {about['threshold']:.3g}. Temperature: {about['temperature']:.3g}."
    yield f"- It computes with {about['precision']}."
    yield ""


def _scores(about: Mapping[str, Any], test: Interval | None) -> Iterator[str]:
    val, parity = about["val"], about["parity"]
    tiles = counted(len(val["tiles"]), "tile")
    found = Interval(mean=val["iou"], low=val["iou_interval"][0], high=val["iou_interval"][1])
    yield "## Scores"
    yield ""
    yield "| IoU | 95 % interval | measured |"
    yield "|---|---|---|"
    yield f"| {found.mean:.3f} | {found.ends() or 'not known'} | {val['measured']}, {tiles} |"
    if test is not None:
        yield f"| {test.mean:.3f} | {test.ends() or 'not known'} | on test, by `sweep.score` |"
    yield ""
    yield f"- Expected calibration error on the same tiles: {val['expected_calibration_error']:.4f}."
    if "calibration" in about:
        done = "Not calibrated" if "not_applied" in about["calibration"] else "Calibrated"
        yield f"- {done}: {calibration_text(about['calibration'])}."
    flipped = f"{100 * parity['flipped_share']:.2g} % of the pixels in another class"
    yield f"- This file against the model in PyTorch: IoU difference {parity['iou_difference']:+.4f}, {flipped}."
    yield ""


def _origin(about: Mapping[str, Any]) -> Iterator[str]:
    data, weights, recipe = about["data"], about["weights"], about["recipe"]
    tiles = f"{counted(data['train_tiles'], 'train tile')}, {counted(data['val_tiles'], 'val tile')}"
    yield "## Data and training"
    yield ""
    yield f"- Dataset {_plain(data['name'])}: {tiles}, {_plain(band_list(about['input']['bands']))}."
    yield from (f"- {_plain(key)}: {_plain(value)}" for key, value in data["sheet"].items() if key != "licence")
    yield f"- Fingerprint: `{data['fingerprint']}`."
    epochs = ", ".join(map(str, about["fold_epochs"])) or str(about["epoch"])
    yield f"- Architecture `{about['architecture']}`, seed {recipe['seed']}, best epoch {epochs}."
    yield f"- Encoder began with: {_plain(weights['encoder_started_from'])}."
    yield f"- Licence of the weights: {_plain(weights['licence'])}. Of the data: {_plain(data['licence'])}."
    yield f"- Made with {', '.join(f'{name} {one}' for name, one in about['versions'].items())}."
    yield ""


def _limits(about: Mapping[str, Any]) -> Iterator[str]:
    data, val = about["data"], about["val"]
    metres = metres_said(data["sheet"])
    yield "## Limits"
    yield ""
    yield "- The scores are about ground, sensors and seasons like those of the tiles, not about others."
    yield f"- Pixels of {_plain(metres)} m; resample others." if metres else "- The size of a pixel is not stated."
    if len(val["tiles"]) < ROUGH:
        yield f"- {counted(len(val['tiles']), 'tile').capitalize()} say little: the interval is a rough one."
    if not about["folds"] and not about["refit"]:
        yield "- The val tiles also chose the epoch, so their score flatters a little."
    if about["refit"]:
        yield "- This model was trained on all tiles: the score is that of its folds' models."
    if "calibration" not in about or "not_applied" in about["calibration"]:
        yield "- The probabilities are not calibrated."
    yield ""


def _plain(text: object) -> str:
    """Return text that Markdown shows as it is, in a line."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(str(text).split()))
