"""``python -m sweep.export``."""

from __future__ import annotations

from sweep.export.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
