"""What architectures are called that another one is part of.

``probe:ARCHITECTURE`` and ``probe:ridge/ARCHITECTURE`` are probes on its encoder, ``ARCHITECTURE+unlabelled`` learns
from unlabelled images, too.
"""

from __future__ import annotations

from typing import Literal

PROBE = "probe:"
UNLABELLED = "+unlabelled"
Method = Literal["ridge", "density"]
METHODS: tuple[Method, ...] = ("ridge", "density")
"""How a probe may classify a pixel; one that names none takes what is best for train scenes that were left out."""


def is_probe(name: str) -> bool:
    """Whether an architecture's name is a probe's."""
    return name.startswith(PROBE)


def learns_unlabelled(name: str) -> bool:
    """Whether an architecture's name says that it learns from unlabelled images, too."""
    return name.endswith(UNLABELLED)


def host_of(name: str) -> str:
    """Return the architecture on whose encoder a probe stands, or that learns from unlabelled images, too."""
    rest = name.removesuffix(UNLABELLED).removeprefix(PROBE)
    method, slash, host = rest.partition("/")
    return host if slash and method in METHODS else rest


def methods_of(name: str) -> tuple[Method, ...]:
    """Return the methods that a probe tries."""
    first = name.removeprefix(PROBE).partition("/")[0]
    named = tuple(method for method in METHODS if method == first)
    return named or METHODS
