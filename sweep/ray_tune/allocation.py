"""What a sweep's options ask of a machine or a cluster, and what each trial gets of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console

from search_spaces.profiles import Profile
from sweep.cli.options import SweepOptions
from sweep.machine.share import cpu_share
from sweep.planning.resources import AUTO, Resources, divide, read_share
from sweep.ray_tune.cluster import joins, ray_cluster
from sweep.ray_tune.ray_watch import Died
from trainables.errors import ExperimentError


@contextmanager
def cluster_for(
    options: SweepOptions,
    trials: int,
    console: Console,
    architectures: Sequence[str] = (),
    died: Died | None = None,
) -> Iterator[Resources]:
    """Start or join Ray, bring it the architectures' code, and divide it among the trials; ``died``: Ray itself did."""
    with ray_cluster(options.address, console, architectures, died=died):
        import ray

        total = ray.cluster_resources()
        largest = max((int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=1)
        found = _divide(options, trials, int(total.get("CPU", 1)), total.get("GPU", 0.0), largest)
        yield replace(found, grows=joins(options.address) and options.max_concurrent is None)


def room(resources: Resources) -> int:
    """Return how many trials fit side by side at this moment: nodes join and leave a running cluster."""
    if not resources.grows:
        return resources.concurrent
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(resources.fit(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes)


def _divide(options: SweepOptions, trials: int, cpus: int, gpus: float, node_cpus: int | None = None) -> Resources:
    share = read_share(options.gpus_per_trial)
    return divide(
        trials=trials,
        total_cpus=cpus,
        total_gpus=gpus,
        device=options.device,
        gpus_per_trial=None if share == AUTO else share,  # a whole one each, before anything is measured
        max_concurrent=options.max_concurrent,
        node_cpus=node_cpus,
    )


def here(options: SweepOptions, trials: int) -> Resources:
    """Divide what is ours of this machine among the trials."""
    import torch

    return _divide(options, trials, cpu_share().count, torch.cuda.device_count())


def one_at_a_time(options: SweepOptions) -> bool:
    """Whether only one trial will run at any time, as far as that is known before Ray starts."""
    if options.max_concurrent == 1:
        return True
    return not joins(options.address) and here(options, 2).concurrent == 1


def require_gpu(options: SweepOptions, profile: Profile, resources: Resources) -> None:
    """Refuse a profile that needs a GPU where there is none, unless the user insists on the CPU.

    Raises:
        ExperimentError: As said.
    """
    if profile.needs_gpu and resources.device == "cpu" and options.device != "cpu":
        raise ExperimentError(
            f"--profile {profile.name}: needs a GPU and there is none (on CPU it takes days); try --profile demo, "
            f"or insist with --device cpu"
        )
