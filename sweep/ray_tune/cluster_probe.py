"""Joins a running Ray cluster as a sweep does and prints what it found, as JSON; run in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console

from sweep.ray_tune.cluster import ray_cluster
from trainables.errors import ExperimentError

NODE_SECONDS = 15.0
"""How long the nodes have to answer."""
FEW_RETRIES = {"RAY_NUM_REDIS_GET_RETRIES": "4"}
"""Ray asks a cluster that does not take the token every second, twenty times by default."""


def look(address: str) -> dict[str, Any]:
    """Join a cluster and ask its nodes.

    Args:
        address: ``auto`` or ``HOST:PORT``.

    Returns:
        ``fault`` (a line; empty for none), ``cause`` (all that Ray said of it), ``cpus``, ``gpus``, ``nodes`` (number),
        ``silent`` (nodes that gave no answer) and ``clocks`` (of those that did: address, and by how many seconds it is
        ahead of this one).
    """
    for name, value in FEW_RETRIES.items():
        os.environ.setdefault(name, value)
    try:
        with ray_cluster(address, Console(quiet=True)):
            import ray

            whole = ray.cluster_resources()
            alive = [node for node in ray.nodes() if node["Alive"]]
            clocks = _clocks(ray, [node["NodeID"] for node in alive])
            names = {node["NodeID"]: node["NodeManagerAddress"] for node in alive}
            return {
                "fault": "",
                "cpus": whole.get("CPU", 0.0),
                "gpus": whole.get("GPU", 0.0),
                "nodes": len(alive),
                "clocks": [[names[node], skew] for node, skew in clocks.items()],
                "silent": [names[node] for node in names if node not in clocks],
            }
    except ExperimentError as error:
        return {"fault": str(error), "cause": str(error.__cause__ or "")}


def _clocks(ray: Any, nodes: list[str]) -> dict[str, float]:
    """Ask each node for the time in a task that takes no CPU; half of what asking takes is the way there."""
    import time

    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # By name and not by this module, which the workers need not have.
    def ask() -> float:
        return time.time()

    asked = ray.remote(num_cpus=0, max_retries=0)(ask)
    tasks = {
        asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(): node
        for node in nodes
    }
    done, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=NODE_SECONDS)
    found = {}
    for task in done:
        try:
            ray.get(task)  # its worker has started by now; the second answer takes milliseconds
            node = tasks[task]
            before = time.time()
            there = ray.get(
                asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(), timeout=5
            )
            found[node] = there - (before + time.time()) / 2
        except ray.exceptions.RayError:
            continue
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(sys.argv[1])) + "\n")
