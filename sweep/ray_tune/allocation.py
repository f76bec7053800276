"""What each trial gets of a machine or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console

from sweep.machine.gpus import gpu_count
from sweep.machine.share import cpu_share
from sweep.planning.estimate import Estimator
from sweep.planning.plan import SweepPlan
from sweep.planning.precision import foreseen
from sweep.planning.resources import ResourceRequest, Resources
from sweep.planning.speeds import KnownSpeeds
from sweep.ray_tune.cluster import joins, ray_cluster
from sweep.ray_tune.ray_watch import Died
from trainables.data.tiles import TuningData


@contextmanager
def cluster_for(
    request: ResourceRequest, plan: SweepPlan, console: Console, died: Died | None = None
) -> Iterator[Resources]:
    """Start or join Ray, bring it the architectures' code, and divide it among the trials; ``died``: Ray itself did."""
    with ray_cluster(request.address, console, plan.architectures, died=died):
        import ray

        total = ray.cluster_resources()
        largest = max((int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=1)
        found = request.divide(
            trials=plan.total,
            total_cpus=int(total.get("CPU", 1)),
            total_gpus=total.get("GPU", 0.0),
            node_cpus=largest,
        )
        yield replace(found, grows=joins(request.address) and request.max_concurrent is None)


def room(resources: Resources) -> int:
    """Return how many trials fit side by side at this moment: nodes join and leave a running cluster."""
    if not resources.grows:
        return resources.concurrent
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(resources.fit(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes)


def here(request: ResourceRequest, trials: int) -> Resources:
    """Divide what is ours of this machine among the trials."""
    return request.divide(trials=trials, total_cpus=cpu_share().count, total_gpus=gpu_count())


def one_at_a_time(request: ResourceRequest) -> bool:
    """Whether only one trial will run at any time, as far as that is known before Ray starts."""
    if request.max_concurrent == 1:
        return True
    return not joins(request.address) and here(request, 2).concurrent == 1


def estimator_for(request: ResourceRequest, data: TuningData, resources: Resources) -> Estimator:
    """Return an estimator that knows what steps were measured to take on this machine, where trials train on it."""
    known = _known(request, resources)
    if known is None:
        return Estimator(data=data, device=resources.device)
    return Estimator(data=data, device="cpu", speeds=known.core_seconds(resources.cpus_per_trial))


def as_it_will_be(request: ResourceRequest, plan: SweepPlan, resources: Resources) -> SweepPlan:
    """Return a plan in the precisions that its trials will have here, as far as that is known."""
    return foreseen(plan, resources, _known(request, resources))


def _known(request: ResourceRequest, resources: Resources) -> KnownSpeeds | None:
    """Return what was measured on this machine; nothing of a cluster's nodes, which may be others."""
    return None if joins(request.address) else KnownSpeeds.of_machine(resources)
