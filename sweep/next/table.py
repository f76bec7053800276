"""The ranked table of chosen windows: on a terminal and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweep.cli.tables import Column

FIELDS = ("rank", "name", "raster", "x", "y", "size", "entropy", "disagreement", "scene")


@dataclass(frozen=True, kw_only=True)
class ChosenRow:
    """A chosen window without its pixels, for tables.

    Attributes:
        rank: From 1.
        name: Of its tile.
        raster: Path of its raster.
        left: First column there.
        top: First row.
        size: ``WIDTHxHEIGHT``.
        entropy: See ``ChosenTile``.
        disagreement: Likewise; NaN for a single model.
        shares: Class to its predicted share.
        scene: Its scene.
    """

    rank: int
    name: str
    raster: str
    left: int
    top: int
    size: str
    entropy: float
    disagreement: float
    shares: Mapping[str, float]
    scene: str


def ranking_csv(rows: Sequence[ChosenRow]) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    classes = list(rows[0].shares) if rows else []
    table.writerow(
        [
            "rank",
            "name",
            "raster",
            "x",
            "y",
            "size",
            "entropy",
            "disagreement",
            "scene",
            *(f"share of {one}" for one in classes),
        ]
    )
    for row in rows:
        disagreement = "" if math.isnan(row.disagreement) else f"{row.disagreement:.6f}"
        shares = [f"{row.shares[name]:.6f}" for name in classes]
        table.writerow(
            [
                row.rank,
                row.name,
                row.raster,
                row.left,
                row.top,
                row.size,
                f"{row.entropy:.6f}",
                disagreement,
                row.scene,
                *shares,
            ]
        )
    return text.getvalue()


def ranking_columns(rare: str) -> list[Column]:
    """Return what a terminal shows; ``rare`` is the foreground's class, empty where there are several classes."""
    many = not rare
    return [
        Column(heading="rank", value=lambda row: row.rank, right=True),
        Column(heading="tile", value=lambda row: row.name, least=20),
        Column(heading="uncertainty", short="unsure", value=lambda row: row.entropy, format=".2f", right=True),
        Column(
            heading="disagreement",
            value=lambda row: None if math.isnan(row.disagreement) else row.disagreement,
            format=".3f",
            right=True,
            priority=2,
        ),
        Column(
            heading="mostly" if many else rare,
            value=lambda row: max(row.shares, key=row.shares.get) if many else row.shares[rare],
            format="" if many else ".0%",
            right=not many,
            priority=3,
        ),
        Column(heading="scene", value=lambda row: row.scene, least=12, priority=5),
        Column(heading="x", value=lambda row: row.left, right=True, priority=4),
        Column(heading="y", value=lambda row: row.top, right=True, priority=4),
    ]
