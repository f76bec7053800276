"""``python -m sweep.phase3``."""

from __future__ import annotations

from sweep.phase3.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
