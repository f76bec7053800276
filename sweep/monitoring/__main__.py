"""``python -m sweep.monitoring``."""

from __future__ import annotations

from sweep.monitoring.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
