"""``python -m sweep.status``."""

from __future__ import annotations

from sweep.status.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
