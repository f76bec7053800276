"""``python -m sweep`` and ``tilesweep``: list the commands, or run one of them."""

from __future__ import annotations

import sys

from sweep import __version__
from sweep.commands import ALL


def main() -> None:
    """Run what the command line asks for, and exit; exit codes as in ``sweep.cli.console``."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"tilesweep {__version__}\n")
    else:
        ALL.run()


if __name__ == "__main__":
    main()
