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
        up = "../" * len(path.relative_to(built).parent.parts)
        text = path.read_text(encoding="utf-8")
        path.write_text(FOREIGN.sub(lambda match: _own(match[0], up, path), text), encoding="utf-8")
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(built, site)


def _own(tag: str, up: str, path: Path) -> str:
    if SHIM in tag:
        return f'<script src="{up}{OWN_SHIM}"></script>'
    if 'rel="canonical"' in tag:
        return tag
    raise ForeignError(f"{path}: loads {tag}")
