"""What pages of one file share: style, script, templates, a policy that nothing is loaded, pictures inside the page."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sweep.charts.picture import style_sheet
from trainables.invocation import COMMANDS

WORD, NAME = 32, 20
"""Characters that fit on a line of a phone, and beside others in a table."""
_APART = re.compile(
    rf"{COMMANDS.pattern}|((?<![\w-])--[a-z][a-z0-9-]*(?: \d+(?![\w.]\w))?)|((?<![\w-])\w+(?:-\w+)+(?![\w-]))"
)
"""A command; a flag with its number; a word with a hyphen, such as a model's name."""


@cache
def page_templates(package: str) -> Environment:
    """Return the templates of a package, in which ``words`` sets what is typed apart and keeps words whole."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["words"] = _words
    return environment


def _words(text: str) -> Markup:
    """Set commands and flags apart; no word is broken after a hyphen, as a browser does, where it fits on a line."""
    found, end = Markup(), 0
    for one in _APART.finditer(text):
        command, flag, name = one.groups()
        found += text[end : one.start()] + (_whole(name, NAME) if name else _as_typed(command, flag))
        end = one.end()
    return found + text[end:]


def _as_typed(command: str | None, flag: str | None) -> Markup:
    """Return a command whose lines break between words, or a flag in one piece."""
    words = re.split(r"(?<!python)(?<!python -m) ", command) if command else [flag or ""]
    return Markup("<code>{}</code>").format(Markup(" ").join(_whole(word, WORD) for word in words))


def _whole(word: str, most: int) -> Markup:
    return Markup('<span class="whole">{}</span>' if len(word) <= most else "{}").format(word)


def page_style() -> str:
    """Return the style of pages and of the charts in them, in light and dark."""
    return style_sheet() + files("sweep.charts").joinpath("page.css").read_text(encoding="utf-8")


def page_script(own: str) -> str:
    """Return the script of a page: what opens pictures large in its dialog ``large``, then its own."""
    return files("sweep.charts").joinpath("large.js").read_text(encoding="utf-8") + own


def policy(script: str, *, asks_its_server: bool = False) -> str:
    """Return a content security policy: no script runs but the page's own, and nothing is fetched.

    Args:
        script: The page's own.
        asks_its_server: Whether it may ask the server that it came from for itself.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" + (
        "; connect-src 'self'" if asks_its_server else ""
    )


def photo(picture: Image.Image, *, quality: int = 62, fast: bool = False) -> str:
    """Return a picture as a ``data:`` address, in WebP; ``fast`` takes two thirds of the time for 4 % more bytes."""
    data = io.BytesIO()
    picture.save(data, format="WEBP", quality=quality, method=2 if fast else 4)
    return _address(data, "webp")


def drawing(picture: Image.Image, *, fast: bool = False) -> str:
    """Return a picture of few colours as a ``data:`` address, in PNG; ``fast``: a tenth of the time, a quarter more."""
    data = io.BytesIO()
    (picture.quantize(8) if picture.mode == "L" else picture).save(data, format="PNG", optimize=not fast)
    return _address(data, "png")


def _address(data: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"
