"""``python -m sweep.next``."""

from __future__ import annotations

from sweep.next.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
