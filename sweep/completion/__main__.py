"""``python -m sweep.completion``."""

from __future__ import annotations

from sweep.completion.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
