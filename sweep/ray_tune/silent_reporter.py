"""What Ray Tune shows of its own: nothing, since the live table is ours."""

from __future__ import annotations

from typing import Any

from ray import tune


class SilentReporter(tune.ProgressReporter):  # type: ignore[misc]
    """Keeps Ray Tune from its table, for which it would clear everything that stands below a notebook's cell."""

    def should_report(self, trials: Any, done: bool = False) -> bool:
        """Say that there is nothing to report."""
        return False

    def report(self, trials: Any, done: bool, *sys_info: str) -> None:
        """Report nothing."""
