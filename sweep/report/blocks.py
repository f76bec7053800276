"""What a page is made of: plain values that the templates draw and the Markdown writer writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from sweep.charts.svg import Look

LINE = 44
"""Characters of a cell that stay on one line."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """Paragraphs, or items of a list.

    Attributes:
        lines: One each.
        listed: Whether they are items.
    """

    kind: ClassVar[str] = "text"
    lines: Sequence[str]
    listed: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A table's cell.

    Attributes:
        text: What it says.
        value: What it is sorted by; None sorts by the text.
        picture: Drawn above the text, which says the same.
        shade: From 0 to 1 where the cell is part of a heat map.
        below: A smaller second line, such as an interval or what is particular about a name.
    """

    text: str
    value: float | None = None
    picture: Markup | None = None
    shade: float | None = None
    below: str = ""

    @property
    def is_long(self) -> bool:
        """Whether it takes several lines."""
        return len(self.text) > LINE

    @property
    def style(self) -> str:
        """Background and ink of a shaded cell, as CSS."""
        return "" if self.shade is None else shade_style(self.shade)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A table's row.

    Attributes:
        cells: In the order of the columns; the first one is the row's header.
        architecture: What the page's filter hides it by; empty for never.
        number: Colour and shape beside its header; None for none.
        strong: Whether it is emphasized.
    """

    cells: Sequence[Cell]
    architecture: str = ""
    number: int | None = None
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that a reader can sort.

    Attributes:
        caption: What it shows.
        columns: Headings; numbers are ranged right where a heading is in ``numeric``.
        rows: Its rows.
        numeric: Headings of numbers.
        foot: Rows that stay at the end, however the others are sorted.
        notes: Written below.
        folded: Whether it is shown only when it is asked for.
        detail: Headings of what a row shows only when it is opened.
        key: Heading of what a phone shows beside the row's header, the rest folded; empty shows all below it.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    numeric: frozenset[str] = frozenset()
    foot: Sequence[Row] = ()
    notes: Sequence[str] = ()
    folded: bool = False
    detail: frozenset[str] = frozenset()
    key: str = ""

    @property
    def is_heat(self) -> bool:
        """Whether it is a heat map: small cells, which a phone scrolls instead of stacking."""
        return any(cell.shade is not None for row in self.rows for cell in row.cells)


@dataclass(frozen=True, kw_only=True)
class Key:
    """A line of a legend.

    Attributes:
        label: What it says.
        number: Colour and shape; None for how a point is drawn, whatever the model.
        look: How.
        architecture: What the page's filter hides it by; empty for never.
    """

    label: str
    number: int | None = None
    look: Look = "filled"
    architecture: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing.

    Attributes:
        title: Its heading.
        svg: The drawing, which names itself for screen readers.
        wide: Wider than a phone, so that it scrolls in its own box.
    """

    title: str
    svg: Markup
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Charts:
    """Drawings side by side with one legend.

    Attributes:
        charts: At least one.
        legend: What colours and shapes mean.
        notes: Written below.
    """

    kind: ClassVar[str] = "charts"
    charts: Sequence[Chart]
    legend: Sequence[Key] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture with everything in it.

    Attributes:
        uri: ``data:`` address.
        alt: What it shows, in words.
        caption: Written below.
    """

    uri: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What one architecture made of a tile."""

    label: str
    architecture: str
    score: str
    pictures: Sequence[Picture]


@dataclass(frozen=True, kw_only=True)
class TilePictures:
    """A tile, and what each architecture made of it."""

    name: str
    score: str
    given: Sequence[Picture]
    predictions: Sequence[Prediction]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Tiles, the worst first.

    Attributes:
        caption: Which tiles these are.
        tiles: At least one.
        legend: (sample, meaning) of each kind of error.
        notes: Written below.
    """

    kind: ClassVar[str] = "gallery"
    caption: str
    tiles: Sequence[TilePictures]
    legend: Sequence[tuple[Picture, str]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Terms and what they are."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]


Block = Text | Table | Charts | Gallery | Facts


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page with a heading of its own.

    Attributes:
        slug: Part of its address in the page.
        title: Its heading.
        blocks: At least one.
    """

    slug: str
    title: str
    blocks: Sequence[Block]


_SHADES = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Viridis (van der Walt and Smith, 2015): even steps for every kind of sight, and in grey."""


def shade_style(share: float) -> str:
    """Return CSS of a heat map's cell.

    Args:
        share: From 0, dark, to 1, bright.

    Returns:
        Background, and black or white ink, whichever contrasts more.
    """
    place = min(max(share, 0.0), 1.0) * (len(_SHADES) - 1)
    number = min(int(place), len(_SHADES) - 2)
    red, green, blue = (
        round(low + (high - low) * (place - number))
        for low, high in zip(_SHADES[number], _SHADES[number + 1], strict=True)
    )
    light = sum(weight * (channel / 255) ** 2.2 for weight, channel in ((0.2126, red), (0.7152, green), (0.0722, blue)))
    return f"background:rgb({red},{green},{blue});color:{'#000' if light > 0.18 else '#fff'}"
