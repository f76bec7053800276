"""All kinds of suspicion, and the masks that they find."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.cli.counting import Watch, unwatched
from sweep.patches.checks.checking import Report
from sweep.patches.look.notes import Notes
from sweep.patches.look.suspicion.borders import Borders
from sweep.patches.look.suspicion.finding import MaskCheck, Suspicion
from sweep.patches.look.suspicion.one_class import OneClass
from sweep.patches.look.suspicion.shifted import Shifted
from sweep.patches.look.suspicion.twins import Twins

CHECKS: Sequence[MaskCheck] = (Shifted(), Borders(), Twins(), OneClass())
"""In the order in which their findings are shown."""


def suspicious_masks(report: Report, watch: Watch = unwatched, notes: Notes | None = None) -> tuple[Suspicion, ...]:
    """Find the masks of a sound dataset that look wrong.

    Args:
        report: The dataset; where its manifest is there, it says which tiles are neighbours.
        watch: Shows how far it is.
        notes: Of its tiles; None reads them again.

    Returns:
        By kind, the weightiest first; a mask can be suspicious for several reasons.
    """
    known = notes or Notes()
    return tuple(
        one
        for check in CHECKS
        for one in sorted(check.find(report, known, watch), key=lambda one: (-one.weight, one.mask))
    )
