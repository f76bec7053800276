"""Which trial of each contest is the winner: the only choice that is ever made, and it is made on val."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def winners(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Choose the best finished trial of each contest by val IoU of whole tiles; the earlier one of two equals.

    Args:
        rows: The trials table's rows.

    Returns:
        Contest to the winner's row; a contest without a finished trial has none.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["status"] != "finished":
            continue
        best = found.get(row["contest"])
        if best is None or row["val_iou"] > best["val_iou"]:
            found[row["contest"]] = row
    return found
