"""The options of every subcommand of ``python -m sweep.patches``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from sweep.cli.marks import RARE, Bounds
from sweep.cli.options import Numbers, OutputOptions
from trainables.data.manifest import SplitOrigin
from trainables.recipe import MAX_SEED

MAX_TILES = 100_000
"""Of a split that is drawn or imported."""


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(OutputOptions):
    """An existing dataset."""

    patches: Annotated[Path, arg(metavar="DIR")] = Path("patches")
    """The dataset."""


@dataclass(frozen=True, kw_only=True)
class Make(OutputOptions):
    """Cut tiles out of source rasters, and divide them into train, val and test.

    - Of each source one tile: its centre; where under 5 % of that is foreground, the nearest window with 5 %.
    - With several classes, what is labelled and not of the first class counts as foreground there.
    - Nothing is ever resized. Sides become multiples of 32 by padding with pixels that do not count.
    """

    src: Annotated[Path, arg(metavar="DIR")]
    """The images and masks, as people and benchmarks keep them."""

    dst: Annotated[Path, arg(metavar="DIR")] = Path("patches")
    """Where the dataset goes."""

    add: Annotated[Path | None, arg(metavar="DIR")] = None
    """Write this dataset's next version: its tiles as they are, and the new ones in train unless --split says."""

    take_prelabels: Annotated[bool, RARE] = False
    """Take labels that are as the model wrote them (sweep.next), without anybody having saved them."""

    split: Annotated[str, arg(metavar="auto|austin|FILE")] = "auto"
    """As published, else by scene; the study's; or a file as make writes it, split.toml."""

    shares: Annotated[Numbers, arg(metavar="N,N,N"), Bounds(0, 1_000_000), RARE] = (70, 15, 15)
    """Of train, val and test in an automatic split; val or test may be 0."""

    seed: Annotated[int, arg(metavar="N"), Bounds(0, MAX_SEED), RARE] = 0
    """Decides among equals where tiles are drawn or divided."""

    size: Annotated[int | None, arg(metavar="PIXELS"), Bounds(1, 16_384)] = None
    """Side of a tile, a multiple of 32 from 64 up; default: 1024, or what fits the sources."""

    grid: bool = False
    """Cut each source into all its windows; default where one feeds several splits."""

    tiles_per_source: Annotated[int | None, arg(metavar="N"), Bounds(1, MAX_TILES)] = None
    """Take N of those of each source, by the seed, over all shares of foreground."""

    overlap: Annotated[str, arg(metavar="SHARE|PIXELS"), RARE] = "0"
    """Of neighbouring windows of a grid, never across splits."""

    min_foreground: Annotated[float | None, arg(metavar="SHARE"), RARE] = None
    """Leave out windows with less; of one tile per source: what is looked for (0.05)."""

    negatives: Annotated[float | None, arg(metavar="SHARE"), RARE] = None
    """Most tiles without foreground; default: 0.1 where --min-foreground leaves out others, else all."""

    group_by: Annotated[str | None, arg(metavar="PATTERN"), RARE] = None
    """Scenes by tile names: a regular expression; default: folders, georeference, rasters."""

    split_origin: Annotated[SplitOrigin | None, arg(metavar="published|chosen|automatic"), RARE] = None
    """Who divided the tiles; default: what --split did."""

    nudge: Annotated[tuple[str, ...], arg(metavar="NAME=dx,dy"), RARE] = ()
    """Move single tiles by hand, in pixels to the right and down."""

    foreground: Annotated[str, arg(metavar="INDEX|R,G,B|>N")] = ""
    """Which value is foreground, where a mask has more than two; JPEG masks: ">127"."""

    bands: Annotated[str, arg(metavar="N,N,N|all"), RARE] = ""
    """Bands of the tiles, from 1, red, green and blue first; default: red, green and blue as each file says."""

    scale: Annotated[str, arg(metavar="LOW,HIGH|2%,98%"), RARE] = ""
    """Values that become 0 and 255, or their percentiles over all images, for images that do not hold bytes."""

    task: Annotated[Path | None, arg(metavar="FILE")] = None
    """JSON that names classes, colours and remapping; masks hold indices or its colours."""

    labels: Annotated[Path | None, arg(metavar="FILE|DIR")] = None
    """Polygons, brushes in place of masks: of CVAT, COCO, a GIS, ... (docs/labels.md). Later ones paint over."""

    classes: Annotated[str, arg(metavar="A,B|all"), RARE] = ""
    """Labels that become classes, others are left out; default: every label is foreground."""

    images: Annotated[str, arg(metavar="FOLDER|GLOB")] = ""
    """Which files of --src are images, if that is not recognised."""

    masks: Annotated[str, arg(metavar="FOLDER|GLOB")] = ""
    """Which are masks: of the same name, or the same for each *."""

    mask_suffix: Annotated[str, arg(metavar="TEXT"), RARE] = ""
    """What a mask's name has behind that of its image: _mask."""

    layer: Annotated[str, arg(metavar="NAME"), RARE] = ""
    """With --labels FILE.gpkg: which layer, where several hold areas."""

    class_attribute: Annotated[str, arg(metavar="NAME"), RARE] = ""
    """With --labels of a GIS or VIA: which attribute names the class; default: class, or the only one."""

    extent: Annotated[Path | None, arg(metavar="FILE"), RARE] = None
    """A vector file (.gpkg, .geojson, .shp) whose areas were labelled in full; pixels outside do not count."""

    crs: Annotated[str, arg(metavar="EPSG:N"), RARE] = ""
    """The coordinate reference system of rasters and vector files that name none."""

    no_leak_check: Annotated[bool, RARE] = False
    """Do not look for tiles of different splits that show the same ground; the manifest says that nobody has."""

    title: Annotated[str, arg(metavar="NAME"), RARE] = ""
    """What the dataset is called; default: the folder's name."""

    origin: Annotated[str, arg(metavar="TEXT"), RARE] = "unknown"
    """Where the imagery comes from."""

    licence: Annotated[str, arg(metavar="TEXT"), RARE] = "unknown"
    """Under which terms."""

    gsd: Annotated[float | None, arg(metavar="METRES"), RARE] = None
    """Metres per pixel."""

    dry_run: bool = False
    """Show pairs and split; write nothing."""

    force: bool = False
    """Replace a dataset that is there."""


@dataclass(frozen=True, kw_only=True)
class CheckOptions(DatasetOptions):
    """Read every file and report all faults and leaks at once; exit code 2 on any.

    - Leaks are tiles of different splits that show the same ground: copies, flips, crops, pictures saved again.
    - They go into the manifest, which is written where there is none, and stop a sweep unless --allow-leak.
    """

    no_leak_check: Annotated[bool, RARE] = False
    """Do not look for leaks; the manifest says that nobody has."""

    update: bool = False
    """Bring the manifest's hashes up to date with the files."""

    task: Annotated[Path | None, arg(metavar="FILE")] = None
    """Put what the masks mean into the manifest: JSON that names classes, colours and remapping."""

    group_by: Annotated[str | None, arg(metavar="PATTERN")] = None
    """Scenes by tile names: a regular expression; default: as the manifest says."""

    split_origin: Annotated[SplitOrigin | None, arg(metavar="published|chosen|automatic"), RARE] = None
    """Who divided the tiles, for the manifest."""


@dataclass(frozen=True, kw_only=True)
class PictureOptions(DatasetOptions):
    """A picture of it."""

    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """The file; default: in the dataset, overview.png, contact_sheet.html or, an SVG, description.svg."""

    overwrite: bool = False
    """Replace a file that is there and is not a picture as this command wrote it."""


@dataclass(frozen=True, kw_only=True)
class Overview(PictureOptions):
    """Draw a grid of all tiles with the outlines of their masks, or with their classes in colours."""


@dataclass(frozen=True, kw_only=True)
class SheetOptions(PictureOptions):
    """Write a contact sheet: one HTML file with tiles and masks, those whose masks look wrong first, and why.

    - Looked for: masks that are shifted, break off at neighbours, differ on the same ground, or are of one class.
    - All splits are shown, test too: that is no score of a model. Nothing in the dataset is changed.
    - At most 500 tiles and 20 MiB of pictures: of more tiles the suspicious ones and evenly spread others.
    """


@dataclass(frozen=True, kw_only=True)
class Describe(PictureOptions):
    """Say what the tiles look like: sizes, class balance, colours, sharpness, drift between splits, class weights.

    - The test split is described too, to show whether it differs from train; that is no score of a model.
    - The suggested class weights are computed on train alone: inverse frequency of its labelled pixels, N / (C n_c).
    - Drift is measured tile by tile: Cohen's d, and Kolmogorov-Smirnov after Holm's correction. `differs` is sure;
      `maybe` is large (0.8), on too few tiles to be sure.
    """


@dataclass(frozen=True, kw_only=True)
class Synthesize(OutputOptions):
    """Draw a synthetic dataset: aerial scenes with roofs, or road scenes with four classes."""

    dst: Annotated[Path, arg(metavar="DIR")]
    """Where the dataset goes."""

    kind: Literal["roofs", "roads"] = "roofs"
    """Roofs seen from above (binary), or a road with vehicles and pedestrians (four classes)."""

    counts: Annotated[Numbers, arg(metavar="N,N,N"), Bounds(0, MAX_TILES)] = (24, 6, 6)
    """Tiles for train, val and test."""

    size: Annotated[int | None, arg(metavar="PIXELS"), Bounds(1, 4_096)] = None
    """Side of a tile, a multiple of 32 from 64 up; default: 1024 for roofs, 256 for roads."""

    seed: Annotated[int, arg(metavar="N"), Bounds(0, MAX_SEED)] = 0
    """Another seed draws other scenes."""

    force: bool = False
    """Replace a dataset that is there."""


@dataclass(frozen=True, kw_only=True)
class ImportPets(OutputOptions):
    """Make a dataset out of the Oxford-IIIT Pet images and trimaps: pet (1) and uncertain (3) are foreground.

    - Larger sides are cropped around the centre, smaller ones padded with black. Nothing is ever resized.
    - Masks call the padding background; with --uncertain ignore it does not count.
    """

    src: Annotated[Path, arg(metavar="DIR")]
    """Holds images/*.jpg, annotations/trimaps/*.png, annotations/trainval.txt and test.txt, as published."""

    dst: Annotated[Path, arg(metavar="DIR")] = Path("pets")
    """Where the dataset goes."""

    size: Annotated[int, arg(metavar="PIXELS"), Bounds(1, 16_384)] = 384
    """Side of a tile, a multiple of 32 from 64 up."""

    fit: Literal["pad", "crop"] = "pad"
    """Pad smaller sides, or leave out images with a side below --size."""

    uncertain: Literal["foreground", "random", "background", "ignore"] = "foreground"
    """What a pixel of value 3 becomes; random: either, with probability 0.5."""

    subset: Annotated[int | None, arg(metavar="N"), Bounds(3, MAX_TILES)] = None
    """Take N images by the seed, divided between the splits as all of them are; default: all."""

    val_share: Annotated[float, arg(metavar="SHARE")] = 0.15
    """Share of trainval.txt that becomes val, by the seed; test.txt is test."""

    counts: Annotated[Numbers | None, arg(metavar="N,N,N"), Bounds(0, MAX_TILES)] = None
    """Tiles for train, val and test instead; without the lists they are drawn from all images."""

    seed: Annotated[int, arg(metavar="N"), Bounds(0, MAX_SEED)] = 0
    """Decides which images, which of them are val, and random uncertain pixels."""

    force: bool = False
    """Replace a dataset that is there."""
