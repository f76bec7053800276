"""Makes the built site load nothing from elsewhere, so that it opens offline."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

FOREIGN = re.compile(r"""<script[^>]*\ssrc=["']https?://[^>]*></script>|<link[^>]*\shref=["']https?://[^>]*>""")
SHIM = "iframe-worker"
OWN_SHIM = "docs/assets/worker.js"
"""What stands in for the theme's one script from another host."""


class ForeignError(Exception):
    """A page of the site loads something from another host."""


def finish(built: Path, site: Path) -> None:
    """Replace the theme's script from another host by our own, and put the site in its place.

    Args:
        built: What was built.
        site: Where it goes; replaced.

    Raises:
        ForeignError: A page loads something else from another host.
    """
    for path in built.rglob("*.html"):
        own = f'<script src="{"../" * len(path.relative_to(built).parent.parts)}{OWN_SHIM}"></script>'
        text = path.read_text(encoding="utf-8")
        for tag in FOREIGN.findall(text):
            if SHIM not in tag:
                raise ForeignError(f"{path}: loads {tag}")
            text = text.replace(tag, own)
        path.write_text(text, encoding="utf-8")
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(built, site)
