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

from sweep.cli.output import say
from sweep.ray_tune.address import Target, could_not_join, prepare_to_join, silent_core
from sweep.ray_tune.local_ray import TOKEN_HINT, local_ray
from sweep.ray_tune.ray_watch import Died, short_messages, watched_cluster
from sweep.ray_tune.runtime_env import code_modules
from trainables.errors import ExperimentError
from trainables.wording import counted

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the live table is ours
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def joins(address: str | None) -> bool:
    """Whether a command with this ``--address`` joins a running cluster; see ``Target.of``."""
    return Target.of(address) is not None


@contextmanager
def ray_cluster(
    address: str | None, console: Console, architectures: Sequence[str] = (), *, died: Died | None = None
) -> Iterator[None]:
    """Run the block on a Ray cluster: a running one, or a local one that ends with the block.

    A running one gets the code of this process along, so that its nodes need no checkout of the same version.

    Args:
        address: ``auto``, ``HOST:PORT``, ``local``, or None: the one that ``RAY_ADDRESS`` names, as inside a Ray job,
            else a local one.
        console: Where the dashboard's address is printed.
        architectures: What will be trained; files that a user wrote go along.
        died: Told when Ray itself has died; see ``ray_watch``.

    Raises:
        ExperimentError: Ray does not start; or no cluster answers there, or it does not let us in, or is of another
            version.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    arguments: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": {"NO_ALBUMENTATIONS_UPDATE": "1"}},
    }
    target = Target.of(address)
    on_term = signal.getsignal(signal.SIGTERM)
    ray = local_ray(console, arguments, died) if target is None else _joined(target, architectures, arguments, died)
    with ray as (dashboard, token):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term)  # Ray's own handler ends the process without a word
        if target is not None:
            _tell_size(target, console)
            _require_cpus(target)
        if dashboard:
            console.print(f"Ray dashboard  http://{dashboard}  ({token})")
        yield


@contextmanager
def _joined(
    target: Target, architectures: Sequence[str], arguments: dict[str, Any], died: Died | None
) -> Iterator[tuple[str, str]]:
    """Run the block on a running cluster; yields its dashboard's address, and how to get its token.

    Raises:
        ExperimentError: It cannot be joined.
    """
    prepare_to_join(target)
    import ray

    with code_modules(architectures) as modules:
        runtime_env = {**arguments["runtime_env"], **modules}
        try:
            with silent_core():
                context = ray.init(address=target.address, **{**arguments, "runtime_env": runtime_env})
        except (Exception, SystemExit) as error:  # Ray's own kinds, and how it stops waiting for a silent server
            ray.shutdown()
            raise could_not_join(target, error) from error
    try:
        with short_messages(own=False), watched_cluster(ray.get_runtime_context().gcs_address, died):
            yield context.dashboard_url or "", TOKEN_HINT
    finally:
        ray.shutdown()


def _tell_size(target: Target, console: Console) -> None:
    import ray

    count = sum(node["Alive"] for node in ray.nodes())
    say(console, "cluster", f"{target}: {counted(count, 'node')}")


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
