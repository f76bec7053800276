"""The options of ``python -m sweep.audit``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from sweep.cli.marks import RARE, Bounds, OnResume
from sweep.cli.options import DeviceOptions, Names, StorageOptions, TrustOptions
from trainables.recipe import MAX_SEED


@dataclass(frozen=True, kw_only=True)
class LabelOptions(DeviceOptions, StorageOptions, TrustOptions):
    """Find labels that are probably wrong, by models that have not seen them; test is never read.

    - Looked for: objects that nobody labelled, labels without an object, other classes, masks that are shifted.
    - Without --model, a probe is fitted for each of five folds of whole scenes: minutes on a CPU.
    """

    patches: Annotated[Path, arg(metavar="DIR|URI")] = Path("patches")
    """The dataset; its train and val tiles are looked at."""

    model: Annotated[str | None, arg(metavar="NAME[/TRIAL]|FILE")] = None
    """An experiment with --folds, or one of its trials: each tile is predicted by the fold that left it out."""

    group_by: Annotated[str | None, arg(metavar="PATTERN"), RARE, OnResume.FIXED] = None
    """A regular expression on tile names that gives their scene; default: the manifest."""

    seed: Annotated[int, arg(metavar="N"), RARE, Bounds(0, MAX_SEED), OnResume.FIXED] = 42
    """Decides between equal divisions into folds, and which pixels a probe is fitted to."""

    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Where page, table and outlines go; default: DATASET_label_audit beside the dataset."""

    overwrite: bool = False
    """Replace files there that another program wrote."""


@dataclass(frozen=True, kw_only=True)
class MapOptions(StorageOptions):
    """Say how right a class map is, from a random sample of its pixels that you label by eye.

    - First it draws the sample, and writes a page, a table and a GeoPackage with a column to fill.
    - The same command again finds what is filled, and says what is missing, or how right the map is.
    - Two maps of the same ground share the sample, and are compared by an exact test.
    """

    maps: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="MAP [MAP]")]
    """A class map: GeoTIFF, VRT or PNG, such as sweep.predict writes; or two."""

    sample: Annotated[int, arg(metavar="N"), Bounds(10, 100_000)] = 200
    """Pixels to label: half of them evenly over the map's classes, the rest by area."""

    image: Annotated[str | None, arg(metavar="FILE")] = None
    """What is shown on the page; default: the image that sweep.predict made the map of."""

    classes: Annotated[Names, RARE] = ()
    """What the values 0, 1, 2, ... are called; default: as the map says."""

    filled: Annotated[Path | None, arg(metavar="FILE")] = None
    """A filled CSV or GeoPackage elsewhere, whose labels are taken in, too."""

    seed: Annotated[int, arg(metavar="N"), RARE, Bounds(0, MAX_SEED), OnResume.FIXED] = 42
    """Decides which pixels are drawn."""

    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Where sample and results are; default: MAP_audit beside the map."""
