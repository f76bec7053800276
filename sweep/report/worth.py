"""Phase 3 in words: whether more labelled tiles would help."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.results.scaling import Scaling
from sweep.results.verdict import listing

UNKNOWN = "more tiles may or may not help: no forecast can be made yet"


def worth_headline(scalings: Sequence[Scaling]) -> str:
    """Answer in a sentence whether labelling more is worth it.

    Args:
        scalings: At least one.
    """
    found: dict[str, list[str]] = {}
    for one in scalings:
        found.setdefault(one.worth or UNKNOWN, []).append(one.title)
    if len(found) == 1:
        said = next(iter(found))
    else:
        said = "; ".join(f"for {listing(titles)}, {words}" for words, titles in found.items())
    return f"{said[0].upper()}{said[1:]}."
