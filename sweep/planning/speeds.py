"""How long a training step takes in fp32 and in bf16, kept for this machine."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.planning.resources import Resources
from trainables.documents import MIB, DamagedError, parse_json, read_bounded
from trainables.locks import LockedError, lock_file
from trainables.models.probe_names import host_of
from trainables.models.registry import source_sha256
from trainables.models.sources import cache
from trainables.owners import write_whole
from trainables.recipe import Recipe

WORTH = 1.15
"""How many times faster a step has to be in bf16 for it to be taken."""
FILE = "step_speeds.json"
WAIT_SECONDS = 10.0
MAX_BYTES = 4 * MIB

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StepSpeed:
    """What a step was measured to take.

    Attributes:
        fp32: Seconds in float32, above 0.
        bf16: Seconds in bfloat16, above 0; None where the CPU has no instructions for it.

    Raises:
        ValueError: One of them is no time.
    """

    fp32: float
    bf16: float | None

    def __post_init__(self) -> None:
        if not all(math.isfinite(one) and one > 0 for one in (self.fp32, self.bf16) if one is not None):
            raise ValueError(f"a step cannot take {self.fp32} and {self.bf16} seconds")

    @property
    def ratio(self) -> float:
        """How many times faster bf16 is; 0 where the CPU has no instructions for it."""
        return 0.0 if self.bf16 is None else self.fp32 / self.bf16

    @property
    def faster(self) -> str:
        """The precision to take: bf16 only where it is clearly faster."""
        return "bf16" if self.ratio >= WORTH else "fp32"


class KnownSpeeds:
    """The speeds that were measured on this machine, in a file that all its processes share.

    A file that is damaged, or cannot be written, is as good as none: speeds are measured again.

    Args:
        fingerprint: Of the CPU and of torch: speeds of others are left alone.
        folder: Where the file is; None is the cache of weights.
    """

    def __init__(self, fingerprint: str, folder: Path | None = None) -> None:
        self._fingerprint = fingerprint
        self._path = (folder or cache()) / FILE

    @classmethod
    def of_machine(cls, resources: Resources, folder: Path | None = None) -> KnownSpeeds | None:
        """Return what is known of this machine; None without a measurement, or where trials train on GPUs.

        Nothing heavy is loaded where no file is.
        """
        if resources.device != "cpu" or not ((folder or cache()) / FILE).is_file():
            return None
        from trainables.precision import cpu_fingerprint

        return cls(cpu_fingerprint(), folder)

    def find(self, recipe: Recipe, threads: int) -> StepSpeed | None:
        """Return the speed of a recipe's steps with so many threads; None where it was never measured."""
        return _speed(self._read().get(self._key(recipe, threads), {}))

    def core_seconds(self, threads: int) -> Callable[[Recipe], float | None]:
        """Return a function of a recipe: core-seconds per megapixel of its steps, in its precision; None: not measured.

        A probe is estimated by the steps of the model whose encoder it has. The file is read once, now.
        """
        known = self._read()

        def rate(recipe: Recipe) -> float | None:
            host = recipe.replace(architecture=host_of(recipe.architecture))
            if (speed := _speed(known.get(self._key(host, threads), {}))) is None:
                return None
            step = (speed.bf16 if recipe.precision == "bf16" else None) or speed.fp32
            return step * threads / (recipe.batch_size * recipe.crop_size**2 / 1e6)

        return rate

    def keep(self, recipe: Recipe, threads: int, speed: StepSpeed) -> None:
        """Write a speed down."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with lock_file(self._path.with_suffix(".lock"), timeout=WAIT_SECONDS):
                content = {**self._read(), self._key(recipe, threads): asdict(speed)}
                write_whole(self._path, json.dumps(content, indent=1).encode())
        except (OSError, LockedError) as error:
            log.info("speeds are not kept: %s", error)

    def _read(self) -> dict[str, dict[str, float | None]]:
        try:
            return parse_json(read_bounded(self._path, MAX_BYTES), dict[str, dict[str, float | None]])
        except (OSError, DamagedError):
            return {}

    def _key(self, recipe: Recipe, threads: int) -> str:
        source = source_sha256(recipe.architecture)[:12]
        name = f"{recipe.architecture} {source}".strip()
        return f"{name}, {recipe.crop_size} px, batch {recipe.batch_size}, {threads} threads, {self._fingerprint}"


def _speed(found: Mapping[str, Any]) -> StepSpeed | None:
    try:
        return StepSpeed(fp32=found["fp32"], bf16=found["bf16"])
    except (KeyError, TypeError, ValueError):
        return None
