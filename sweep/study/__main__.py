"""``python -m sweep.study``."""

from __future__ import annotations

from sweep.study.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
