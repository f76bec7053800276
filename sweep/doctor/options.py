"""What the doctor can know of the sweep that is to come: flags of the sweeps' names and types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from sweep.cli.marks import RARE
from sweep.cli.options import AddressOptions, StorageOptions, TrainingOptions, WeightsOptions


@dataclass(frozen=True, kw_only=True)
class CheckupOptions(WeightsOptions, AddressOptions, StorageOptions, TrainingOptions):
    """What the sweep would be given; nothing is fetched, whatever it says."""

    profile: Annotated[str, arg(metavar="paper|demo|smoke")] = "demo"
    """How big the run is; the sweeps' own default is paper, which needs GPUs and real weights."""

    constraints: Annotated[Path | None, arg(metavar="FILE"), RARE] = None
    """The versions that were tested together; default: constraints.txt of the source tree, if there is one."""
