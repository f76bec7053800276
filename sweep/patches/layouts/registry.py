"""All layouts, and which of them a folder has."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from sweep.patches.layouts.describing import describe_unknown
from sweep.patches.layouts.label_files import PROGRAMS
from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.named_folders import FOLDERS, SIBLINGS, SUFFIXES
from sweep.patches.layouts.published import aerial, photographs, programs
from trainables.errors import DataError

LAYOUTS: Sequence[SourceLayout] = (
    aerial.INRIA,
    aerial.MASSACHUSETTS,
    aerial.LOVEDA,
    aerial.DEEPGLOBE,
    aerial.LANDCOVER_AI,
    aerial.LANDCOVER_AI_TILES,
    aerial.POTSDAM,
    aerial.VAIHINGEN,
    aerial.ISAID,
    aerial.XVIEW2,
    aerial.DUBAI,
    photographs.KVASIR,
    photographs.CAMVID,
    photographs.CAMVID_11,
    photographs.CITYSCAPES,
    photographs.CARVANA,
    programs.CVAT_MASKS,
    photographs.VOC,
    programs.ROBOFLOW_MASKS,
    aerial.WHU,
    FOLDERS,
    SIBLINGS,
    SUFFIXES,
    *PROGRAMS,
)
"""The most specific first: the first one that recognises a folder is taken."""


def recognise(listing: Listing) -> tuple[SourceLayout, FoundSources]:
    """Find out which layout a folder has; a lone folder in it is looked into.

    Raises:
        DataError: None, with what is there and what to say; or something is wrong with the files.
    """
    levels = [listing]
    while folder := levels[-1].only_folder:
        levels.append(levels[-1].under(folder))
    for layout, level in product(LAYOUTS, levels):
        if finding := layout.recognise(level):
            return layout, _with_choice(layout, finding, level)
    raise DataError(describe_unknown(listing))


def _with_choice(layout: SourceLayout, finding: FoundSources, listing: Listing) -> FoundSources:
    """Say where masks that are known by their names alone are taken, and labels of a program are there, too."""
    if layout not in (FOLDERS, SIBLINGS, SUFFIXES):
        return finding
    for program in PROGRAMS:
        try:
            other = program.recognise(listing)
        except DataError:
            continue
        if other:
            path = next(iter(other.sources.values())).mask
            note = f"the masks are taken; labels ({program.name}) are there, too: --labels {shlex.quote(str(path))}"
            return replace(finding, notes=(*finding.notes, note))
    return finding
