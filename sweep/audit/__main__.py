"""``python -m sweep.audit``."""

from __future__ import annotations

from sweep.audit.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
