"""``python -m docs.architectures``: write docs/architectures.md, the table of architectures."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch

from trainables.models.architecture import Architecture
from trainables.models.base import SegmentationModel
from trainables.models.registry import ARCHITECTURES
from trainables.models.sources import source
from trainables.models.weights import Weights
from trainables.recipe import Recipe

PAGE = Path(__file__).with_name("architectures.md")
HEAD = """<!-- written by python -m docs.architectures -->

# Architectures

Names for `--architectures`, with the number of parameters that are trained at full size for one class. Every other
model of segmentation-models-pytorch goes by `smp:ARCHITECTURE/ENCODER`, such as `smp:UnetPlusPlus/efficientnet-b3` or
`smp:FPN/timm:convnext_tiny`, with timm's encoders behind `timm:`; `+lora` adapts a vision transformer. Weights are
fetched on first use. SegFormer's are for non-commercial use, DINOv3's under Meta's own licence; look up the licence of
SMP's and timm's yourself. [Your own architecture](your-architecture.md).

| name | what | weights | trainable |
|---|---|---|---|
"""


def full_size(entry: Architecture) -> SegmentationModel:
    """Build an architecture at full size, without memory for its weights where its library allows that."""
    recipe, weights = Recipe(architecture=entry.name), Weights(kind="random", needs=entry.needs)
    try:
        with torch.device("meta"):
            return entry.build(recipe, weights)
    except (NotImplementedError, RuntimeError):
        return entry.build(recipe, weights)


def trainable(model: SegmentationModel) -> int:
    """Return how many parameters are trained."""
    return sum(one.numel() for one in model.parameters() if one.requires_grad)


def row(entry: Architecture) -> str:
    """Return an architecture's line of the table."""
    title = entry.title + (f"; extra `{entry.extra}`" if entry.extra else "")
    weights = "none" if entry.needs == "none" else source(entry.needs).label
    return f"| `{entry.name}` | {title} | {weights} | {trainable(full_size(entry)):,} |"


def renewed(page: str) -> str:
    """Return the page again, a line per architecture; one whose packages are missing keeps its line of the old page."""
    kept = {name: line for line, name in re.findall(r"^(\| `([^`]+)` \|.*)$", page, re.MULTILINE)}
    lines = [kept.get(name, "") if entry.missing else row(entry) for name, entry in ARCHITECTURES.items()]
    return HEAD + "".join(f"{line}\n" for line in lines if line)


def main() -> None:
    """Write the page again."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
