"""A Ray of the sweep's own: on this machine's loopback alone, in a folder and with a token that will do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from sweep.cli.output import say
from sweep.machine.share import cpu_share
from sweep.ray_tune.ray_folder import choose_folder, short_temporary_folder
from sweep.ray_tune.ray_token import TOKEN_VARIABLE, ready_token
from sweep.ray_tune.ray_watch import Died, short_messages, watched_local
from sweep.records.leftovers import mark_session, remove_leftovers
from trainables.errors import ExperimentError

TOKEN_HINT = "its token: ray get-auth-token"
REACHABLE_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""With 0 Ray binds all its ports to the loopback, as it does by itself on macOS and Windows; with 1 to all interfaces.
Source: ray/_private/ray_constants.py, ENABLE_RAY_CLUSTER; ray/_private/services.py, get_node_ip_address."""


@contextmanager
def local_ray(console: Console, arguments: dict[str, Any], died: Died | None = None) -> Iterator[tuple[str, str]]:
    """Run the block on a Ray that is started here and ends with it.

    Yields:
        The dashboard's address, empty for none, and how to get its token.

    Raises:
        ExperimentError: It cannot be started.
    """
    folder = choose_folder()
    remove_leftovers(folder.path)
    if folder.instead_of:
        say(console, "Ray's folder", f"{folder.path}, in place of {folder.instead_of}")
        arguments = {**arguments, "_temp_dir": str(folder.path)}
    if short := short_temporary_folder():
        os.environ["TMPDIR"] = short
    given = bool(os.environ.get(TOKEN_VARIABLE))
    if said := ready_token():
        say(console, "Ray's token", said)
    import ray

    with _bound_to_loopback():
        try:
            context = ray.init(address="local", num_cpus=cpu_share().count, **arguments)
        except (Exception, SystemExit) as error:
            ray.shutdown()
            raise _did_not_start(error, folder.path) from error
        mark_session(Path(context.address_info["session_dir"]))
        try:
            with short_messages(own=True), watched_local(died):
                yield context.dashboard_url or "", _hint(given)
        finally:
            ray.shutdown()


@contextmanager
def _bound_to_loopback() -> Iterator[None]:
    """Let a Ray that is started in the block listen on the loopback alone, unless the user says otherwise."""
    from ray._private import ray_constants

    before = os.environ.get(REACHABLE_VARIABLE), ray_constants.ENABLE_RAY_CLUSTER
    os.environ.setdefault(REACHABLE_VARIABLE, "0")
    ray_constants.ENABLE_RAY_CLUSTER = is_reachable()  # read when Ray was imported, which may be long ago
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before[1]
        if before[0] is None:
            os.environ.pop(REACHABLE_VARIABLE, None)


def is_reachable() -> bool:
    """Whether a Ray that is started here listens on all interfaces, because the user said so."""
    return os.environ.get(REACHABLE_VARIABLE, "0").lower() in ("1", "true")


def _hint(given: bool) -> str:
    if given:
        return f"its token: what {TOKEN_VARIABLE} holds"
    handed = bool(os.environ.get(TOKEN_VARIABLE))
    return f"to see it, choose a token: export {TOKEN_VARIABLE}=..." if handed else TOKEN_HINT


def _did_not_start(error: BaseException, folder: Path) -> ExperimentError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines[0] if lines else type(error).__name__).rstrip(".")
    return ExperimentError(
        f"Ray does not start: {reason}; its logs are in {folder}/session_latest/logs, and python -m sweep.doctor "
        f"looks at what it needs"
    )
