"""A home for a user who has none: Ray, its token, weights and caches look for one."""

from __future__ import annotations

import logging
import os
import pwd
import tempfile
from contextlib import suppress
from pathlib import Path

from trainables.errors import ExperimentError
from trainables.owners import is_own


def provide_home() -> None:
    """Set HOME where it is not: to the user's home, or to a private folder of temporary files, which is said.

    ``docker run --user 12345`` makes users without an entry in passwd, and ``env -i`` processes without HOME.

    Raises:
        ExperimentError: The private folder cannot be made, or belongs to somebody else.
    """
    if os.environ.get("HOME"):
        return
    with suppress(KeyError):
        os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
        return
    folder = Path(tempfile.gettempdir()) / f"tilesweep-home-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    if not is_own(folder, folder=True):
        raise ExperimentError(f"HOME is unset, and {folder} is not yours; export HOME=FOLDER")
    logging.getLogger(__name__).warning("HOME is unset, and this user has no home: %s is taken for it", folder)
    os.environ["HOME"] = str(folder)
