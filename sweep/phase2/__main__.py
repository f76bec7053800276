"""``python -m sweep.phase2``."""

from __future__ import annotations

from sweep.phase2.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
