"""``python -m sweep.report``."""

from __future__ import annotations

from sweep.report.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
