"""Names that come from files, made harmless where they are shown."""

from __future__ import annotations

import html


def csv_cell(text: str) -> str:
    """Return a cell that a spreadsheet shows and does not run: what could be a formula gets a quote in front.

    Source: OWASP, "CSV Injection".
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def markdown_cell(text: str) -> str:
    """Return text that is neither markup nor the end of a table's cell."""
    return html.escape(text, quote=False).replace("|", "\\|")
