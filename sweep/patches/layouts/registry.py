"""All layouts, and which of them a folder has."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.patches.layouts.describing import describe_unknown
from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.named_folders import FOLDERS
from trainables.errors import DataError

LAYOUTS: Sequence[SourceLayout] = (FOLDERS,)
"""The most specific first: the first one that recognises a folder is taken."""


def recognise(listing: Listing) -> tuple[SourceLayout, FoundSources]:
    """Find out which layout a folder has; a lone folder in it is looked into.

    Raises:
        DataError: None, with what is there and what to say; or something is wrong with the files.
    """
    here: Listing | None = listing
    while here is not None:
        for layout in LAYOUTS:
            if finding := layout.recognise(here):
                return layout, finding
        here = here.under(here.only_folder) if here.only_folder else None
    raise DataError(describe_unknown(listing))
