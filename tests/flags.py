"""What the options' fields are called on the command line."""

from __future__ import annotations

RENAMED = {"from_map": "from", "for_program": "for"}
"""Fields whose flag is a word that Python keeps for itself."""


def flag_of(field: str) -> str:
    """Return the flag of a field: ``max_concurrent`` is ``--max-concurrent``."""
    return f"--{RENAMED.get(field, field).replace('_', '-')}"
