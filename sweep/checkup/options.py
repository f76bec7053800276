"""What the doctor can be told of the sweep that is to come: flags of the sweeps' names and types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from sweep.engine.options import Names, StorageOptions
from trainables.models.weights import SAM_SHA256


@dataclass(frozen=True, kw_only=True)
class CheckupOptions(StorageOptions):
    """What the sweep would be given."""

    profile: Annotated[str, arg(metavar="paper|demo|smoke")] = "demo"
    """How big the run would be; the sweeps' own default is paper, which wants GPUs and real weights."""

    patches: Annotated[Path, arg(metavar="DIR")] = Path("patches")
    """The dataset: {train,val,test}/{images,masks}/."""

    architectures: Names = ()
    """Which architectures; default: the profile's."""

    address: Annotated[str | None, arg(metavar="auto|HOST:PORT")] = None
    """Also look at this running Ray cluster."""

    sam_checkpoint: Annotated[Path | None, arg(metavar="FILE")] = None
    """sam_vit_b_01ec64.pth, if it is not in the cache."""

    sam_sha256: Annotated[str, arg(metavar="HEX")] = SAM_SHA256
    """Checksum of the SAM file; change it for a fine-tuned ViT-B of your own."""

    offline: bool = False
    """The sweep may not download weights; the doctor never does."""

    constraints: Annotated[Path | None, arg(metavar="FILE")] = None
    """The versions that were tested together; default: constraints.txt of the source tree, if there is one."""
