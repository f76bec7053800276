"""``python -m sweep.score``."""

from __future__ import annotations

from sweep.score.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
