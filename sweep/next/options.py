"""The options of ``python -m sweep.next``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from sweep.cli.marks import RARE, Bounds
from sweep.cli.options import DeviceOptions, Numbers, StorageOptions, TrustOptions, comma_separated
from trainables.recipe import MAX_FOLDS, MAX_SEED

REPLAYED = (5, 8, 12, 16, 24)
"""Numbers of labelled tiles of a replay."""
MAX_COUNT = 1_000
"""Windows that one choice has at most."""


def _pair(parts: list[str]) -> tuple[float, float]:
    low, high = map(float, parts)
    return low, high


BlackAndWhite = Annotated[tuple[float, float] | None, comma_separated("LOW,HIGH", _pair)]
"""Two numbers with a comma between them."""


@dataclass(frozen=True, kw_only=True)
class NextOptions(DeviceOptions, StorageOptions, TrustOptions):
    """Choose which unlabelled tiles to label next, and prepare them for a labelling program.

    Windows that are labelled already, or in val or test, are left out, known by hashes and places.
    """

    inputs: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="[INPUT ...]")] = ()
    """Unlabelled images, GeoTIFFs of any size, folders, globs."""

    model: Annotated[str | None, arg(metavar="NAME[/TRIAL]|FILE")] = None
    """An experiment (its best by val IoU), one of its trials, or a weights file, FILE.safetensors."""

    count: Annotated[int, arg(metavar="N"), Bounds(1, MAX_COUNT)] = 10
    """How many to choose."""

    strategy: Annotated[str | None, arg(metavar="both|uncertainty|diverse|rare|random")] = None
    """How to choose; default: what --replay found best on the dataset, else both."""

    out: Annotated[Path, arg(metavar="DIR")] = Path("label_next")
    """Where tiles, pre-labels, table and contact sheet go."""

    patches: Annotated[Path | None, arg(metavar="DIR|URI")] = None
    """The dataset; default: where the model's was."""

    size: Annotated[int | None, arg(metavar="PIXELS"), Bounds(1, 16_384)] = None
    """Side of a window; default: the dataset's tiles'."""

    ensemble: Annotated[int, arg(metavar="K"), Bounds(1, 100)] = 1
    """Ask the experiment's K best, whose disagreement counts."""

    fold: Annotated[int | None, arg(metavar="K"), Bounds(1, MAX_FOLDS), RARE] = None
    """Only the K-th fold's model; default: all folds' models, whose disagreement counts."""

    uncertainty_map: Annotated[Path | None, arg(metavar="MAP"), RARE] = None
    """The --out of a predict --uncertainty of the same rasters, whose maps say how unsure windows are."""

    bands: Annotated[Numbers, RARE, Bounds(1, 65_535)] = ()
    """Which bands the model sees, from 1, such as 3,2,1; default: those of its tiles' names, as the file says."""

    scale: Annotated[BlackAndWhite, RARE] = None
    """The values that are black and white, for rasters that do not hold bytes; default: those of the model's tiles."""

    batch_size: Annotated[int | None, arg(metavar="N"), RARE, Bounds(1, 4_096)] = None
    """Windows per forward pass; default: what suits the device."""

    skip_bad: Annotated[bool, RARE] = False
    """Leave out damaged blocks, missing files of a virtual raster, and files that are no raster; each is listed."""

    seed: Annotated[int, arg(metavar="N"), RARE, Bounds(0, MAX_SEED)] = 0
    """Decides what is left to chance."""

    replay: bool = False
    """Measure the strategies on --patches instead: hide its labels, and uncover those that each one chooses."""

    draws: Annotated[int | None, arg(metavar="N"), RARE, Bounds(1, 1_000)] = None
    """With --replay: how many first draws of tiles each strategy begins with; default: 10."""

    tiles: Annotated[Numbers, arg(metavar="N,N,..."), RARE, Bounds(2, 100_000)] = REPLAYED
    """With --replay: numbers of labelled tiles; the first ones are drawn by chance."""

    folds: Annotated[int | None, arg(metavar="K"), RARE, Bounds(2, MAX_FOLDS)] = None
    """With --replay: score all tiles by folds of whole scenes; default: the val split."""

    architecture: Annotated[str | None, arg(metavar="NAME"), RARE] = None
    """With --replay: whose frozen encoder probes stand on; default: smp_unet_efficientnet_lite0."""

    overwrite: bool = False
    """Replace an earlier choice in --out that nobody has worked on."""
