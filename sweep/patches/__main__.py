"""``python -m sweep.patches``."""

from __future__ import annotations

from sweep.patches.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
