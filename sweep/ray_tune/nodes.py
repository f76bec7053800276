"""What the nodes of a running cluster need besides code: a storage that they share, and pretrained weights."""

from __future__ import annotations

import uuid
from typing import Any

from rich.console import Console

from sweep.cli.output import say
from sweep.planning.plan import SweepPlan
from trainables.errors import ExperimentError, StorageError
from trainables.models.node_weights import upload
from trainables.storage import Storage

ANSWER_SECONDS = 300.0
"""How long nodes may take to start a process and look: images are pulled and packages unpacked meanwhile."""


def training_nodes() -> list[dict[str, Any]]:
    """Return the living nodes that have CPUs to train on, but for this process's own."""
    import ray

    own = ray.get_runtime_context().get_node_id()
    return [
        node for node in ray.nodes() if node["Alive"] and node["NodeID"] != own and node["Resources"].get("CPU", 0) >= 1
    ]


def require_shared(storage: Storage) -> None:
    """Let every other node look for a file that this process writes, and write one beside it.

    Raises:
        ExperimentError: A node does not see it, or cannot write there.
    """
    nodes = training_nodes()
    if not nodes:
        return
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = f".shared-{uuid.uuid4().hex}"
    storage.create()
    storage.write(token, token.encode())
    look = ray.remote(num_cpus=0)(_sees)
    asked = {
        look.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False), max_retries=0
        ).remote(storage.address, token): node["NodeManagerAddress"]
        for node in nodes
    }
    try:
        done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
        faults = {asked[one]: _answer(one) for one in done}
        faults |= {asked[one]: f"gave no answer for {ANSWER_SECONDS:.0f} seconds" for one in silent}
    finally:
        storage.delete(token)
    if wrong := {node: fault for node, fault in faults.items() if fault}:
        said = "; ".join(f"node {node} {fault}" for node, fault in wrong.items())
        raise ExperimentError(
            f"--storage {storage.address}: is not shared by all nodes: {said}; give a folder that all of them mount at "
            f"this path, or s3://BUCKET/PATH with its credentials in every node's environment"
        )


def upload_weights(plan: SweepPlan, storage: Storage, console: Console) -> str | None:
    """Put the plan's pretrained weights where other nodes can take them.

    Returns:
        The storage's address for trials; None where this machine's folders serve this machine alone.
    """
    if storage.is_local and not training_nodes():
        return None
    for path in upload((trial.weights for trial in plan.known()), storage):
        say(console, "weights", f"{path} copied to the storage, for all nodes")
    return storage.address


def _answer(reference: Any) -> str:
    """Return what is wrong with the storage on a node; empty where nothing is."""
    import ray

    try:
        fault: str = ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        return f"cannot run a task ({reason.strip()})"
    return fault


def _sees(address: str, token: str) -> str:
    """Say what is wrong with a storage, on the node where this runs; empty where nothing is."""
    storage = Storage.open(address)
    try:
        if storage.find(token) != token.encode():
            return "does not see what this machine writes there"
        reply = f"{token}-{uuid.uuid4().hex}"
        storage.write(reply, b"")
        storage.delete(reply)
    except StorageError as error:
        return str(error).partition(";")[0]
    return ""
