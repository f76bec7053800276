"""``python -m sweep.phase1``."""

from __future__ import annotations

from sweep.phase1.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
