"""What a layout is: a way to arrange images and their truth in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.sources import SourceRaster
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class FoundSources:
    """What a layout finds in a folder.

    Attributes:
        sources: Name to image, with its mask, or with the file or folder that ``--labels`` would name.
        labels: Whether ``mask`` of the sources holds labels, which ``open_labels`` reads, and is no raster.
        task: What the publisher's values or labels mean; None where the layout does not say.
        task_faults: Why the publisher's legend cannot be taken, so that ``--task`` or ``--foreground`` must say.
        foreground: What ``--foreground`` would say, where the publisher has one class; empty for none.
        binarise: Whether every band of a mask is first made 0 or 255, at 128, since the published masks are blurred.
        notes: What was left out and why, a line each.
    """

    sources: Mapping[str, SourceRaster]
    labels: bool = False
    task: Task | None = None
    task_faults: Sequence[str] = ()
    foreground: str = ""
    binarise: bool = False
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class SourceLayout:
    """A layout, for the registry and for the table in the docs.

    Attributes:
        name: The data set's or the program's name, or the layout in words.
        looks: Paths that show it, such as ``images/austin1.tif, gt/austin1.tif``.
        classes: Which classes it has, in words.
        split: Which split is published, in words.
        recognise: Finds the sources; None where the folder is of another layout. Raises ``DataError`` where it is of
            this one, and something is wrong.
    """

    name: str
    looks: str
    classes: str
    split: str
    recognise: Callable[[Listing], FoundSources | None]
