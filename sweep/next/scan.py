"""All windows of the rasters that a user named: those that may be labelled, looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import WindowProgress
from sweep.next.labelled import LabelledSet, look_at_labelled
from sweep.next.looking import Look, Looker
from sweep.next.strategies.strategy import Pool
from sweep.next.uncertainty_maps import UncertaintyMaps
from sweep.next.windows import CandidateWindow, Unlabelled, cut_grid, read_windows
from sweep.rasters.files import UnreadableError
from sweep.results.ensemble import Ensemble
from sweep.results.model_rasters import open_for_model, size_warning
from trainables.data.imagery import Scale
from trainables.data.tiles import MIN_SIDE
from trainables.errors import ExperimentError, TilesweepError

MOST_WINDOWS = 50_000
"""That are looked at; of more, so many are drawn by the seed."""
LEAST_VALID = 0.5
"""Share of a window's pixels that must hold anything."""
DROPPED = {
    "train": "labelled already",
    "val": "in val",
    "test": "in test",
    "empty": "without data on more than half",
    "small": f"smaller than {MIN_SIDE} pixels",
}
"""Why a window is no candidate, in words."""


@dataclass(frozen=True, kw_only=True)
class WindowReading:
    """How rasters are read.

    Attributes:
        bands: Numbers of the bands that the model sees; empty for those of its tiles' names.
        scale: The values that become 0 and 255; None for those of its tiles.
        skip_bad: Leave out damaged files and blocks.
        size: Side of a window in pixels.
        seed: Draws from too many windows.
    """

    bands: tuple[int, ...]
    scale: Scale | None
    skip_bad: bool
    size: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The windows of all rasters, before they are looked at.

    Attributes:
        rasters: Those that were named.
        windows: Those that may be labelled, raster by raster, row by row.
        total: How many there were before some were drawn.
        dropped: Why windows are no candidates, a key of ``DROPPED``, to how many.
        warnings: What does not fit the model, a line each.
        skipped: What could not be read, a line each.
    """

    rasters: Sequence[Unlabelled]
    windows: Sequence[CandidateWindow]
    total: int
    dropped: Counter[str]
    warnings: Sequence[str]
    skipped: Sequence[str]


def survey_rasters(
    rasters: Sequence[Unlabelled], ensemble: Ensemble, labelled: LabelledSet, reading: WindowReading
) -> Survey:
    """Find the windows of all rasters that are neither labelled nor held out; reads headers and hashes.

    Raises:
        ExperimentError: Everything that cannot be used, all at once.
    """
    windows: list[CandidateWindow] = []
    dropped: Counter[str] = Counter()
    faults: list[str] = []
    skipped: list[str] = []
    warnings: list[str] = []
    for number, one in enumerate(rasters):
        if split := labelled.known.split_of_file(one.path):
            dropped[split] += 1
            continue
        try:
            with open_for_model(
                one.path, ensemble, bands=reading.bands, scale=reading.scale, skip_bad=reading.skip_bad
            ) as raster:
                if warning := size_warning(one.path, raster, ensemble):
                    warnings.append(warning)
                cut = cut_grid(one, number, raster.height, raster.width, reading.size)
                there = labelled.known.of_raster(one, raster.dataset)
        except TilesweepError as error:
            left_out = reading.skip_bad and isinstance(error, UnreadableError)
            (skipped if left_out else faults).extend(error.faults)
            continue
        dropped["small"] += not cut
        for window in cut:
            if split := there.split_of(window):
                dropped[split] += 1
            else:
                windows.append(window)
    if faults:
        raise ExperimentError(faults)
    total = len(windows)
    if total > MOST_WINDOWS:
        drawn = np.sort(np.random.default_rng(reading.seed).permutation(total)[:MOST_WINDOWS])
        windows = [windows[place] for place in drawn.tolist()]
    return Survey(rasters=rasters, windows=windows, total=total, dropped=+dropped, warnings=warnings, skipped=skipped)


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Windows that were looked at.

    Attributes:
        windows: N of them.
        pool: What is known of them, in the same order.
        dropped: As in ``Survey``, with those that were known by their pixels alone.
        bad: What could not be read and was left out, a line each.
    """

    windows: Sequence[CandidateWindow]
    pool: Pool
    dropped: Counter[str]
    bad: Sequence[str]


def look_at_all(
    survey: Survey,
    ensemble: Ensemble,
    labelled: LabelledSet,
    reading: WindowReading,
    progress: WindowProgress,
    maps: UncertaintyMaps | None = None,
) -> Looked:
    """Look at all windows of a survey; maps of the same rasters say how unsure they are, in place of the models.

    Raises:
        ExperimentError: A block is damaged, or no window is left.
    """
    looker = Looker(ensemble)
    dropped, bad = Counter(survey.dropped), list(survey.skipped)
    windows: list[CandidateWindow] = []
    looks: list[Look] = []
    progress.begin("windows", len(survey.windows))
    for window, look in looker.look(_read(survey, ensemble, labelled, reading, progress, dropped, bad)):
        windows.append(window)
        looks.append(look)
    if not windows:
        raise ExperimentError(f"INPUT: no window is left to label: {said_dropped(dropped)}; name other rasters")
    features = np.stack([look.features for look in looks])
    theirs, shares = look_at_labelled(labelled, looker, ensemble.best.task, features.shape[1])
    entropy = np.array([look.entropy for look in looks], np.float32)
    disagreement = np.array([look.disagreement for look in looks], np.float32)
    if maps is not None:
        entropy, disagreement = maps.of(windows), np.zeros_like(disagreement)
    pool = Pool(
        features=features,
        entropy=entropy,
        disagreement=disagreement,
        shares=np.stack([look.shares for look in looks]),
        labelled_features=theirs,
        labelled_shares=shares,
    )
    return Looked(windows=windows, pool=pool, dropped=+dropped, bad=bad)


def _read(
    survey: Survey,
    ensemble: Ensemble,
    labelled: LabelledSet,
    reading: WindowReading,
    progress: WindowProgress,
    dropped: Counter[str],
    bad: list[str],
) -> Iterator[tuple[Any, NDArray[np.uint8], NDArray[np.bool_]]]:
    """Yield windows with their pixels; those that are no candidates after all are counted."""
    for number, windows in groupby(survey.windows, key=lambda window: window.source):
        one = survey.rasters[number]
        with open_for_model(
            one.path, ensemble, bands=reading.bands, scale=reading.scale, skip_bad=reading.skip_bad
        ) as raster:
            for window, pixels in read_windows(raster, list(windows)):
                progress.advance(1)
                if split := labelled.known.split_of_pixels(pixels.image):
                    dropped[split] += 1
                elif pixels.valid.mean() < LEAST_VALID:
                    dropped["empty"] += 1
                else:
                    yield window, pixels.image, pixels.valid
            bad += raster.bad


def said_dropped(dropped: Counter[str]) -> str:
    """Say why windows are no candidates, such as ``3 labelled already, 1 in test``."""
    return ", ".join(f"{dropped[why]:,} {words}" for why, words in DROPPED.items() if dropped[why]) or "there was none"
