"""Pretrained weights: where they are, whether they are whole, and what a result row calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Initial encoder weights of one trial, resolved before any trial starts.

    Attributes:
        kind: ``none`` (the architecture has no pretrained encoder), ``random``, ``imagenet`` or ``sam``.
        path: Absolute path of the file on the driver's machine; empty for ``none`` and ``random``.
        sha256: Hex digest of that file; empty for ``none`` and ``random``.
    """

    kind: Literal["none", "random", "imagenet", "sam"]
    path: str = ""
    sha256: str = ""

    @property
    def label(self) -> str:
        """What a result row says: ``from scratch``, ``random``, ``ImageNet`` or ``SAM``."""
        return {"none": "from scratch", "random": "random", "imagenet": "ImageNet", "sam": "SAM"}[self.kind]
