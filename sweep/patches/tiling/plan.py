"""Which tiles a dataset will have, before any is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweep.cli.counting import Watch, unwatched
from sweep.patches.layouts.sources import SourceRaster, SourceSet
from sweep.patches.options import Make
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.choosing import SourceImages, look_at_images
from sweep.patches.rasters.foreground import values_held
from sweep.patches.rasters.georeference import ground_of
from sweep.patches.rasters.images import ImageFile
from sweep.patches.splits.automatic import parse_shares
from sweep.patches.splits.blocks import Blocks
from sweep.patches.splits.dividing import SplitChoice, divide_by_scene, known_division
from sweep.patches.splits.parts import RasterPart, require_apart, split_toml
from sweep.patches.splits.scenes import KnownScenes, scenes_by_pattern, scenes_of_tiles
from sweep.patches.tiling.rules import Tiling, choose_tiling, largest_fitting
from sweep.patches.tiling.selection import LeftOut, select
from sweep.patches.tiling.survey import Nudges, survey, truth_reader
from sweep.patches.tiling.window import Window
from trainables.data.imagery import Imagery
from trainables.data.tiles import SPLITS, natural_order
from trainables.errors import DataError
from trainables.task import Task

Windows = Mapping[RasterPart, Sequence[Window]]


@dataclass(frozen=True, kw_only=True)
class PlannedTile:
    """A tile that will be.

    Attributes:
        name: What it will be called.
        split: Which split.
        source: The name of its source.
        window: Where it is cut.
    """

    name: str
    split: str
    source: str
    window: Window


@dataclass(frozen=True, kw_only=True)
class TilePlan:
    """The tiles of a dataset.

    Attributes:
        tiles: In the order of their splits, then of their names.
        images: Those that they are cut from.
        tiling: How they are cut.
        division: Who is in which split.
        scenes: What is known of the tiles' scenes.
        task: What the masks will mean.
        left_out: The windows that are no tiles.
        unused: Sources that give no tile.
    """

    tiles: tuple[PlannedTile, ...]
    images: SourceImages
    tiling: Tiling
    division: SplitChoice
    scenes: KnownScenes
    task: Task
    left_out: LeftOut
    unused: tuple[str, ...]

    @property
    def imagery(self) -> Imagery:
        """What the tiles' images hold."""
        return self.images.reading.imagery

    @property
    def counts(self) -> dict[str, int]:
        """Split to the number of its tiles."""
        return {split: sum(tile.split == split for tile in self.tiles) for split in SPLITS}

    @property
    def split_file(self) -> str:
        """What ``--split FILE`` reads to make the same tiles again."""
        comments = (
            f"who is train, val and test: {self.division.how}",
            f"to make it again, maybe after editing this file: make ... {self.tiling.flags} --split THIS_FILE",
            "names, patterns, and parts of rasters: NAME x=FIRST:END y=FIRST:END",
        )
        return split_toml(self.division.parts, comments)


def plan_tiles(
    found: SourceSet, options: Make, nudges: Nudges, watch: Watch = unwatched, *, imagery: Imagery | None = None
) -> TilePlan:
    """Choose the tiles of a dataset and their splits; reads the truth, and of images the headers.

    Args:
        found: The sources.
        options: How to cut and divide them.
        nudges: Source to pixels right and down from where its one tile would be cut.
        watch: Shows how many sources are read.
        imagery: What the tiles of the dataset hold that these are added to; None for a new dataset.

    Raises:
        DataError: Everything that is wrong, all at once.
    """
    shares = parse_shares(options.shares)
    division = known_division(found.sources, options)
    names = list(found.sources)
    if division:
        names = list(dict.fromkeys(part.source for parts in division.parts.values() for part in parts))
    looked_at = look_at_images([found.sources[name] for name in names], options.bands, options.scale, watch, imagery)
    found = replace(found, truth=looked_at.ignoring(found.truth), task=looked_at.task(found.task))
    images = looked_at.files
    wanted = division.splits if division else len(shares)
    tiling = choose_tiling(options, [image.shape for image in images.values()], wanted)
    if division:
        _require_apart(division, images)
    elif len(names) < len(shares):
        division = _divide_rasters(found, images, shares, tiling)
    whole = [RasterPart(source=name) for name in names]
    parts = [part for parts in division.parts.values() for part in parts] if division else whole
    windows, left_out = select(survey(found, images, parts, tiling, nudges, watch), tiling.selection)
    if not any(windows.values()):
        raise DataError(f"{found.sources[names[0]].image.parent}: no window holds a labelled pixel; label some images")
    if options.foreground and not any(one.beyond_first for ones in windows.values() for one in ones):
        mask = found.sources[names[0]].mask
        raise DataError(
            f"--foreground {options.foreground}: no tile shows it; {mask} holds {values_held(mask)}; give what masks "
            f"hold"
        )
    tiles = _named(windows, tiling)
    scenes = _scenes(found.sources, images, windows, tiles, options)
    if division is None:
        of_source = {part.source: ones for part, ones in windows.items()}
        sources = {name: part.source for name, (part, _) in tiles.items()}
        division = divide_by_scene(of_source, sources, scenes, shares, options.seed)
    split_of = {part: split for split, parts in division.parts.items() for part in parts}
    planned = [
        PlannedTile(name=name, split=split_of[part], source=part.source, window=window)
        for name, (part, window) in tiles.items()
    ]
    planned.sort(key=lambda tile: (SPLITS.index(tile.split), natural_order(tile.name)))
    ignores = found.task.ignores or any(tile.window.ignored for tile in planned)
    return TilePlan(
        tiles=tuple(planned),
        images=looked_at,
        tiling=tiling,
        division=division,
        scenes=scenes,
        task=found.task if found.task.ignores_pixels else replace(found.task, ignores=ignores),
        left_out=left_out,
        unused=tuple(sorted(found.sources.keys() - {tile.source for tile in planned}, key=natural_order)),
    )


def _require_apart(division: SplitChoice, images: Mapping[str, ImageFile]) -> None:
    """Refuse a file's parts that are beyond their rasters, or share pixels."""
    faults: list[str] = []
    splits: dict[str, list[tuple[RasterPart, Area]]] = {}
    for split, parts in division.parts.items():
        for part in parts:
            try:
                splits.setdefault(split, []).append((part, part.area(images[part.source].shape)))
            except DataError as error:
                faults += error.faults
    if faults:
        raise DataError(faults)
    require_apart(splits)


def _divide_rasters(
    found: SourceSet, images: Mapping[str, ImageFile], shares: Mapping[str, float], tiling: Tiling
) -> SplitChoice:
    """Divide each raster between the splits, as there are fewer rasters than splits."""
    blocks = Blocks(shares=shares, size=tiling.size, overlap=tiling.overlap, seed=tiling.selection.seed)
    parts: dict[str, list[RasterPart]] = {split: [] for split in SPLITS}
    faults = []
    for name in sorted(images, key=natural_order):
        image = images[name]
        strips = blocks.divide(truth_reader(found, found.sources[name], image), image.shape, len(found.task.classes))
        if strips is None:
            faults.append(
                f"{image.path}: is {image.size}, and has no labelled window of {tiling.size} px for each of "
                f"{len(shares)} splits, {blocks.margin} px apart; {_more_room(image, tiling.size, len(shares))}"
            )
            continue
        for split, area in strips.items():
            parts[split].append(RasterPart.of(name, area, image.shape))
    if faults:
        raise DataError(faults)
    rasters = "the raster" if len(images) == 1 else f"each of {len(images)} rasters"
    how = f"automatic, by strips of {rasters}, {blocks.margin} px apart, seed {tiling.selection.seed}"
    return SplitChoice(parts=parts, origin="automatic", how=how)


def _more_room(image: ImageFile, size: int, splits: int) -> str:
    """Say what gives each split a window of a raster."""
    longest = max(image.shape)
    ways = []
    fits = largest_fitting(_per_split(longest, splits))
    if fits < size and fits <= _per_split(longest, splits):
        ways.append(f"--size {fits}")
    if splits == len(SPLITS) and size <= _per_split(longest, splits - 1):
        ways.append("leave a split out: --shares 80,20,0")
    return ", or ".join((*ways, "add images"))


def _per_split(length: int, splits: int) -> float:
    """Return the side of the largest window of which each split has one along a side, with the margins."""
    return length / (splits + (splits - 1) / 4)


def _named(windows: Windows, tiling: Tiling) -> dict[str, tuple[RasterPart, Window]]:
    """Name the tiles: as their source, and where that gives several, with their row and column."""
    sources = [part.source for part in windows]
    many = tiling.grid or len(set(sources)) < len(sources)
    tiles: dict[str, tuple[RasterPart, Window]] = {}
    for part, found in windows.items():
        for one in found:
            name = f"{part.source}_r{one.row}_c{one.column}" if many else part.source
            if name in tiles:
                raise DataError(f"{name}: two tiles of this name, of {tiles[name][0]} and of {part}; rename an image")
            tiles[name] = (part, one)
    return tiles


def _scenes(
    sources: Mapping[str, SourceRaster],
    images: Mapping[str, ImageFile],
    windows: Windows,
    tiles: Mapping[str, tuple[RasterPart, Window]],
    options: Make,
) -> KnownScenes:
    if options.group_by is not None:
        return scenes_by_pattern(list(tiles), options.group_by)
    of_source: dict[str, list[Area]] = {}
    for part, found in windows.items():
        of_source.setdefault(part.source, []).extend(one.area for one in found)
    used = {name: areas for name, areas in of_source.items() if areas}
    return scenes_of_tiles(
        {name: part.source for name, (part, _) in tiles.items()},
        {name: sources[name].folder for name in used},
        {name: ground_of(images[name], Area.around(areas)) for name, areas in used.items()},
    )
