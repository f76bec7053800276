"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as ``1 image`` or ``2,000 images``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
