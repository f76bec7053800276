"""``python -m sweep.doctor``."""

from __future__ import annotations

from sweep.doctor.command import COMMAND

if __name__ == "__main__":
    COMMAND.run()
