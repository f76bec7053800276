"""What is looked at: a machine and the sweep that is to run on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from search_spaces.profiles import get_profile
from sweep.doctor.options import CheckupOptions
from sweep.doctor.probing import ProbeError, probe
from sweep.machine.share import cpu_share
from sweep.planning.resources import ResourceRequest, Resources
from sweep.ray_tune.address import Target
from trainables.data.tiles import TuningData
from trainables.errors import StorageError
from trainables.models.registry import get_architecture, trust_typed
from trainables.storage import Storage

Value = TypeVar("Value")
TORCH_SECONDS = 55.0
"""A little less than a check may take."""


class Once(Generic[Value]):
    """A value that several checks need and that is made once, by the first of them; or the error instead."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: Future[Value] = Future()

    def __call__(self) -> Value:
        """Return the value.

        Raises:
            Exception: What making it raised.
        """
        with self._lock:
            if not self._made.done():
                try:
                    self._made.set_result(self._make())
                except Exception as error:
                    self._made.set_exception(error)
        return self._made.result()


class Subject:
    """The machine, and the sweep that the user has in mind.

    Attributes:
        profile: How big the sweep is.
        architectures: The registry's names of what it trains.
        cluster: The running cluster that it joins, by --address or RAY_ADDRESS; None where it starts one here.
        storage: Where its results are to be.
        patches: Folder or address of its tiles.
        data: Reads its train and val tiles.
        sam_checkpoint: SAM's weights, where they are not in the cache.
        sam_sha256: Their checksum.
        offline: Whether the sweep may not fetch weights.
        constraints: The versions that were tested together; None is the source tree's file.
        reach: Writes in the storage, or in the folder around it in which it can be made; returns which of both.
        torch: Asks PyTorch, in a process of its own, for versions and GPUs: see ``torch_probe``.

    Raises:
        TilesweepError: A profile, an architecture or a storage that does not exist.
    """

    def __init__(self, options: CheckupOptions) -> None:
        self.profile = get_profile(options.profile, options.grid)
        names = options.architectures or self.profile.architectures
        trust_typed(options.architectures)
        self.architectures = tuple(get_architecture(name).name for name in names)
        self.cluster = Target.of(options.address)
        self.storage = Storage.open(options.storage)
        self.patches = options.patches
        self.data = Once(lambda: TuningData.read(self.patches))
        self.sam_checkpoint = options.sam_checkpoint
        self.sam_sha256 = options.sam_sha256
        self.offline = options.offline
        self.constraints = options.constraints
        self.reach = Once(lambda: _try(self.storage))
        self.torch: Once[dict[str, Any]] = Once(lambda: probe("sweep.doctor.torch_probe", seconds=TORCH_SECONDS))

    @property
    def tiny(self) -> bool:
        """Whether the profile trains tiny stand-ins."""
        return self.profile.changes.get("model_size") == "tiny"

    def resources(self) -> Resources:
        """Return what the trials of Phase 1 would get of this machine."""
        try:
            gpus = len(self.torch()["devices"])
        except ProbeError:  # the check of torch says that
            gpus = 0
        return ResourceRequest().divide(trials=len(self.architectures), total_cpus=cpu_share().count, total_gpus=gpus)


def _try(storage: Storage) -> Storage:
    """Write a file in a storage, or in the nearest folder around it, and delete it.

    Returns:
        Where it was written.

    Raises:
        StorageError: It cannot be, or the storage's name leads through a file.
    """
    there = storage
    if storage.is_local:
        place = Path(storage.root)
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise StorageError(f"--storage {storage.address}: {place} is a file; choose another folder")
        there = Storage.open(str(place))
    there.require_writable()
    return there
