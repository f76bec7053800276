"""How many trials run side by side, and what each of them gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from search_spaces.profiles import Profile
from trainables.errors import ExperimentError
from trainables.wording import counted

MAX_CPUS_WITH_GPU = 4
"""Threads that prepare views for one GPU; more do not help at the study's batch sizes."""
AUTO: Final = "auto"
SHARE_STEP = 1e-4
"""Ray counts a resource in steps of this size."""
_SHARES = "give auto, 0, a share such as 0.5, or whole GPUs"


@dataclass(frozen=True, kw_only=True)
class ResourceRequest:
    """What a sweep asks for, whatever there is.

    Attributes:
        device: ``auto`` (GPUs if there are any), ``cpu`` or ``cuda``.
        gpus_per_trial: Share of a GPU per trial, or whole GPUs; ``auto`` is as small a share as was measured to
            suffice; None is 1 on CUDA.
        max_concurrent: Upper bound of trials side by side; None is as many as fit.
        address: Ray cluster to join; None is the one of ``RAY_ADDRESS``, else this machine.
    """

    device: str = "auto"
    gpus_per_trial: float | Literal["auto"] | None = None
    max_concurrent: int | None = None
    address: str | None = None

    def divide(self, *, trials: int, total_cpus: int, total_gpus: float, node_cpus: int | None = None) -> Resources:
        """Divide a machine or a cluster among trials; with ``auto``, each gets a whole GPU until that is measured.

        Args:
            trials: Number of trials, at least 1.
            total_cpus: Cores of the cluster, at least 1.
            total_gpus: GPUs of the cluster.
            node_cpus: Cores of the largest node, which no trial on a CPU can exceed; None is one node.

        Raises:
            ExperimentError: Not enough GPUs, or a share that is none.
        """
        share = None if self.gpus_per_trial == AUTO else self.gpus_per_trial
        if self.max_concurrent is not None and self.max_concurrent < 1:
            raise ExperimentError(f"--max-concurrent {self.max_concurrent}: must be at least 1")
        if share is not None and not _is_share(share):
            raise ExperimentError(f"--gpus-per-trial {share:g}: {_SHARES}")
        if share and self.device == "auto" and not total_gpus:
            raise ExperimentError(f"--gpus-per-trial {share:g}: there is no GPU; leave it out, or give 0")
        on_gpu = self.device == "cuda" or (self.device == "auto" and total_gpus > 0 and share != 0)
        share = (share or 1.0) if on_gpu else 0.0
        slots = _gpu_slots(total_gpus, share) if on_gpu else total_cpus
        if slots < 1:
            raise ExperimentError(
                f"--gpus-per-trial {share:g}: the cluster has {total_gpus:g} GPUs; ask for less, or use --device cpu"
            )
        concurrent = min(trials, slots, self.max_concurrent or slots)
        most = MAX_CPUS_WITH_GPU if on_gpu else node_cpus or total_cpus
        return Resources(
            device="cuda" if on_gpu else "cpu",
            cpus_per_trial=max(1, min(most, total_cpus // concurrent)),
            gpus_per_trial=share,
            concurrent=concurrent,
            total_cpus=total_cpus,
            total_gpus=total_gpus,
            idle_gpus=int(total_gpus - trials * share) if on_gpu and concurrent == trials < slots else 0,
        )


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the sweep runs on.

    Attributes:
        device: ``cpu`` or ``cuda``.
        cpus_per_trial: CPU cores per trial, at least 1.
        gpus_per_trial: GPUs per trial, 0 on the CPU.
        concurrent: Trials that run side by side, at least 1.
        total_cpus: Cores of the cluster.
        total_gpus: GPUs of the cluster.
        grows: Trials also use nodes that join later.
        idle_gpus: GPUs that no trial uses, as there are too few trials.
    """

    device: str
    cpus_per_trial: int
    gpus_per_trial: float
    concurrent: int
    total_cpus: int
    total_gpus: float
    grows: bool = False
    idle_gpus: int = 0

    def fit(self, cpus: float, gpus: float) -> int:
        """Return how many trials fit on a node of so many CPUs and GPUs."""
        by_cpus = int(cpus // self.cpus_per_trial)
        return min(by_cpus, _gpu_slots(gpus, self.gpus_per_trial)) if self.gpus_per_trial else by_cpus

    def __str__(self) -> str:
        trial = f"{self.gpus_per_trial:g} GPU and " if self.gpus_per_trial else ""
        machine = f"{self.total_gpus:g} GPUs and " if self.total_gpus else ""
        said = f"{self.concurrent} at a time, {trial}{self.cpus_per_trial} CPU each, of {machine}{self.total_cpus} CPUs"
        if not self.idle_gpus:
            return said
        idle = f"{counted(self.idle_gpus, 'GPU stays', 'GPUs stay')} idle, as there are no more trials"
        return f"{said}; {idle} (Phase 1: --fill trains the longest again on them)"


def _gpu_slots(gpus: float, share: float) -> int:
    return int(gpus) * int(1 / share) if share <= 1 else int(gpus // share)


def read_share(text: str | None) -> float | Literal["auto"] | None:
    """Read what ``--gpus-per-trial`` was given: a number or ``auto``.

    Raises:
        ExperimentError: Something else.
    """
    if text is None:
        return None
    if text == AUTO:
        return AUTO
    try:
        return float(text)
    except ValueError:
        raise ExperimentError(f"--gpus-per-trial {text!r}: {_SHARES}") from None


def _is_share(share: float) -> bool:
    return share == 0 or SHARE_STEP <= share <= 1 or (share > 1 and share % 1 == 0)


def require_gpu(profile: Profile, request: ResourceRequest, resources: Resources) -> None:
    """Refuse a profile that needs a GPU where there is none, unless the user insists on the CPU.

    Raises:
        ExperimentError: As said.
    """
    if profile.needs_gpu and resources.device == "cpu" and request.device != "cpu":
        raise ExperimentError(
            f"--profile {profile.name}: needs a GPU and there is none (on CPU it takes days); try --profile demo, "
            f"or insist with --device cpu"
        )
