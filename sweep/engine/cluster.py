"""Starting or joining a Ray cluster, and telling the user how to watch it."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from trainables.errors import ExperimentError

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the live table is ours
    "NO_ALBUMENTATIONS_UPDATE": "1",
}

CONNECT_SECONDS = 5.0


@contextmanager
def ray_cluster(address: str | None, console: Console) -> Iterator[None]:
    """Run the block on a Ray cluster: the one at ``address``, or a local one that ends with the block.

    Args:
        address: ``auto``, ``HOST:PORT`` or None.
        console: Where the dashboard's address is printed.

    Raises:
        ExperimentError: No cluster answers at ``address``.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if address is not None:
        _require_answer(address)
        _join_with_token()
    import ray

    try:
        context = ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"NO_ALBUMENTATIONS_UPDATE": "1"}},
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        if address is None:
            raise
        reason = str(error).splitlines()[0]
        raise ExperimentError(
            f"--address {address}: no Ray cluster answers there ({reason}); start one with: ray start --head, "
            f"and bring its token (ray get-auth-token) to this machine"
        ) from error
    if context.dashboard_url:
        console.print(
            f"Ray dashboard  http://{context.dashboard_url}  (its token: ray get-auth-token)", highlight=False
        )
    try:
        yield
    finally:
        ray.shutdown()


def _join_with_token() -> None:
    """Present this machine's token to the cluster, if there is one.

    Ray starts clusters with token authentication, but a driver that joins one sends its token only in this mode.
    """
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if given or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _require_answer(address: str) -> None:
    """Try to reach ``HOST:PORT`` for some seconds: Ray itself would try for minutes.

    Raises:
        ExperimentError: Nothing answers, or the address has another form.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ExperimentError(f"--address {address}: give auto or HOST:PORT, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ExperimentError(
            f"--address {address}: nothing answers there ({error}); start a cluster with: ray start --head"
        ) from error
