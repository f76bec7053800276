"""Everything that is written for chosen windows: tiles with pre-labels, table, sheet, outlines for a GIS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.next.chosen import ChosenTile
from sweep.next.labelling.cvat import cvat_xml
from sweep.next.labelling.labelme import labelme_json
from sweep.next.labelling.outlines import outline_regions
from sweep.next.places import write_places
from sweep.next.sheet.page import ChosenCard, draw_card, draw_chosen
from sweep.next.table import ChosenRow, ranking_csv
from sweep.records.choice import CHOICE_FILE, ChosenWindow, choice_bytes
from sweep.records.outputs import sealed
from trainables.data.imagery import Imagery, picture_of
from trainables.data.tiffs import encode_tiff
from trainables.task import Task

TILES, LABELS = "tiles", "labels"
"""Folders of the tiles, and of what a labelling program opens where it cannot open the tiles themselves."""
SHEET, TABLE, PLACES, CVAT = "index.html", "ranking.csv", "windows.gpkg", "cvat/annotations.xml"


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What the folder says of itself.

    Attributes:
        title: What was chosen from.
        headline: What was chosen.
        notes: How, a sentence each.
        strategy: Its name.
        model: ``--model``.
        patches: The dataset; empty where nobody knows.
    """

    title: str
    headline: str
    notes: Sequence[str]
    strategy: str
    model: str
    patches: str


def labels_folder(imagery: Imagery) -> str:
    """Return the folder that a labelling program opens: the tiles', where these are 8-bit RGB."""
    return TILES if is_plain(imagery) else LABELS


def is_plain(imagery: Imagery) -> bool:
    """Whether tiles are pictures that any program opens: bytes of red, green and blue."""
    return imagery.stored == "uint8" and imagery.has_colours and len(imagery.bands) == 3


class FolderWriter:
    """Writes chosen windows into a folder, one at a time.

    Args:
        root: The folder.
        task: What masks mean.
        imagery: What tiles hold.
        scenes: Raster's name to scene.
    """

    def __init__(self, root: Path, task: Task, imagery: Imagery, scenes: Mapping[str, str]) -> None:
        self._root, self._task, self._imagery, self._scenes = root, task, imagery, scenes
        self._cards: list[ChosenCard] = []
        self._labels: list[tuple[str, tuple[int, int], Sequence[Any]]] = []
        self._placed: list[ChosenTile] = []
        self._windows: list[tuple[int, ChosenWindow]] = []
        self._rows: list[ChosenRow] = []
        for folder in {TILES, labels_folder(imagery), str(Path(CVAT).parent)}:
            (root / folder).mkdir(parents=True, exist_ok=True)

    def add(self, tile: ChosenTile) -> None:
        """Write a tile and its pre-labels, and remember the rest."""
        name = tile.window.name
        picture = picture_of(tile.image)
        if is_plain(self._imagery):
            Image.fromarray(picture).save(self._root / TILES / f"{name}.png", compress_level=3)
        else:
            (self._root / TILES / f"{name}.tif").write_bytes(encode_tiff(tile.stored))
            Image.fromarray(picture).save(self._root / LABELS / f"{name}.png", compress_level=3)
        labels = outline_regions(tile.mask, self._task.classes)
        shape = (tile.window.height, tile.window.width)
        file = self._root / labels_folder(self._imagery) / f"{name}.json"
        file.write_bytes(labelme_json(f"{name}.png", shape, labels))
        self._labels.append((f"{name}.png", shape, labels))
        self._cards.append(draw_card(tile, self._task, why_of(tile, self._task)))
        self._placed.append(_without_pixels(tile))
        scene = self._scenes[tile.raster.name]
        path = Path(tile.raster.path)
        source = f"{path.parent.name}/{path.name} x={tile.window.left} y={tile.window.top}"
        window = ChosenWindow(name=name, source=source, scene=scene)
        if tile.place:
            window["transform"], window["crs"] = list(tile.place["transform"]), str(tile.place["crs"])
        self._windows.append((tile.rank, window))
        self._rows.append(
            ChosenRow(
                rank=tile.rank,
                name=name,
                raster=tile.raster.path,
                left=tile.window.left,
                top=tile.window.top,
                size=tile.window.size,
                entropy=tile.entropy,
                disagreement=tile.disagreement,
                shares=dict(zip(self._task.classes, tile.shares, strict=True)),
                scene=scene,
            )
        )

    def finish(self, heading: Heading) -> tuple[list[ChosenRow], int]:
        """Write what is about all tiles.

        Returns:
            The rows, the one to label first first, and how many windows are in the GeoPackage.
        """
        rows = sorted(self._rows, key=lambda row: row.rank)
        cards = sorted(self._cards, key=lambda card: card.rank)
        html = draw_chosen(heading.title, heading.headline, heading.notes, cards, self._task)
        (self._root / SHEET).write_bytes(sealed(html.encode(), ".html"))
        (self._root / TABLE).write_text(ranking_csv(rows), encoding="utf-8")
        (self._root / CVAT).write_bytes(cvat_xml(self._labels))
        windows = [window for _, window in sorted(self._windows, key=lambda one: one[0])]
        content = choice_bytes(heading.strategy, heading.model, heading.patches, windows)
        (self._root / CHOICE_FILE).write_bytes(content)
        placed = sorted(self._placed, key=lambda tile: tile.rank)
        return rows, write_places(placed, self._root / PLACES)


def why_of(tile: ChosenTile, task: Task) -> str:
    """Say what the model makes of a tile."""
    words = [f"uncertainty {tile.entropy:.2f}"]
    if not math.isnan(tile.disagreement):
        words.append(f"disagreement {tile.disagreement:.3f}")
    named = (
        list(zip(task.classes, tile.shares, strict=True))[1:]
        if task.binary
        else zip(task.classes, tile.shares, strict=True)
    )
    shown = sorted(named, key=lambda one: -one[1])[:3]
    return ", ".join([*words, *(f"{name} {share:.0%}" for name, share in shown)])


def _without_pixels(tile: ChosenTile) -> ChosenTile:
    """Return a tile of which its place is kept."""
    nothing: NDArray[Any] = np.zeros((0, 0), np.uint8)
    return replace(tile, image=nothing, stored=nothing, mask=nothing, unsure=np.zeros((0, 0), np.float32))
