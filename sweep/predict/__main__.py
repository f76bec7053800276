"""``python -m sweep.predict``."""

from __future__ import annotations

from sweep.predict.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
