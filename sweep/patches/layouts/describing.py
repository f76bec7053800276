"""What to say of a folder that has no known layout: what it holds, and the flags that make it usable."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from sweep.patches.layouts.listing import ENDINGS, Listing

LISTED = 6
"""Folders or endings that an error lists."""


def describe_unknown(listing: Listing) -> str:
    """Say what a folder holds and what to say by hand."""
    return (
        f"--src {listing.root}: is of no known layout, for it holds {contents(listing)}; say which files are images "
        f"and which are masks: --images FOLDER --masks FOLDER, or --labels FILE"
    )


def contents(listing: Listing) -> str:
    """Say what a folder holds."""
    shown = []
    for folder, names in list(listing.folders.items())[:LISTED]:
        endings = Counter(PurePosixPath(name).suffix or "no ending" for name in names)
        files = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3))
        shown.append(f"{folder}/: {files}" if folder else files)
    if len(listing.folders) > LISTED:
        shown.append(f"and {len(listing.folders) - LISTED} more folders")
    return "; ".join(shown) or f"nothing (read are {', '.join(ENDINGS)})"
