"""Starting or joining a Ray cluster, and telling the user how to watch it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from sweep.engine.cargo import cargo
from sweep.engine.joining import Target, could_not_join, prepare_to_join, silent_core
from trainables.errors import ExperimentError

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the live table is ours
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def joins(address: str | None) -> bool:
    """Whether a command with this ``--address`` joins a running cluster; see ``Target.of``."""
    return Target.of(address) is not None


@contextmanager
def ray_cluster(address: str | None, console: Console, architectures: Sequence[str] = ()) -> Iterator[None]:
    """Run the block on a Ray cluster: a running one, or a local one that ends with the block.

    A running one gets the code of this process along, so that its nodes need no checkout of the same version.

    Args:
        address: ``auto``, ``HOST:PORT``, ``local``, or None: the one that ``RAY_ADDRESS`` names, as inside a Ray job,
            else a local one.
        console: Where the dashboard's address is printed.
        architectures: What will be trained; files that a user wrote go along.

    Raises:
        ExperimentError: No cluster answers there, or it does not let us in, or is of another version.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    target = Target.of(address)
    on_term = signal.getsignal(signal.SIGTERM)
    if target is not None:
        prepare_to_join(target)
    import ray

    arguments: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    variables = {"NO_ALBUMENTATIONS_UPDATE": "1"}
    if target is None:
        context = ray.init(address="local", runtime_env={"env_vars": variables}, **arguments)
    else:
        with cargo(architectures) as modules:
            runtime_env = {"env_vars": variables, **modules}
            try:
                with silent_core():
                    context = ray.init(address=target.address, runtime_env=runtime_env, **arguments)
            except (Exception, SystemExit) as error:  # Ray's own kinds, and its way to give up on a silent server
                ray.shutdown()
                raise could_not_join(target, error) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_term)  # Ray's own handler ends the process without a word
    try:
        if target is not None:
            nodes = [node for node in ray.nodes() if node["Alive"]]
            count = f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}"
            console.print(f"cluster        {target}: {count}", highlight=False, soft_wrap=True)
            _require_cpus(target)
        if context.dashboard_url:
            console.print(
                f"Ray dashboard  http://{context.dashboard_url}  (its token: ray get-auth-token)", highlight=False
            )
        yield
    finally:
        ray.shutdown()


def _require_cpus(target: Target) -> None:
    """Refuse a cluster on which nothing can run, such as a head alone that was started with no CPUs.

    Raises:
        ExperimentError: As said.
    """
    import ray

    if ray.cluster_resources().get("CPU", 0) < 1:
        raise ExperimentError(
            f"{target.named}: the cluster has no CPU to train on; add a node to it with: ray start --address HOST:PORT"
        )
