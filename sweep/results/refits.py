"""Trainings on all tiles in words."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.records.trial_result import TrialResult
from trainables.wording import counted


def refit_notes(refits: Sequence[TrialResult]) -> list[str]:
    """Say which recipes were trained on all tiles, and which of these trainings failed, a line each."""
    notes = []
    if done := [f"{row.title} ({counted(row.epochs, 'epoch')})" for row in refits if row.finished]:
        notes.append(
            f"Trained once more on all tiles, for the median of the folds' best epochs: {', '.join(done)}. No tile is "
            "left to score them; predict and export take them with --refit."
        )
    if failed := [row.attempt for row in refits if row.status == "failed"]:
        notes.append(f"Training on all tiles failed: {', '.join(failed)}.")
    return notes
