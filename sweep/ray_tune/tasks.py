"""One call on a cluster that this process has joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from trainables.errors import TilesweepError

Result = TypeVar("Result")


def on_cluster(function: Callable[..., Result], *arguments: Any, device: str, **keywords: Any) -> Result:
    """Call a function in a Ray task, on a GPU where the cluster has one.

    Args:
        function: Takes the arguments, and ``device``: the one that it has there, ``cpu`` or ``cuda``.
        arguments: For the function.
        device: ``cpu`` leaves GPUs alone; ``auto`` and ``cuda`` take one where there is one.
        keywords: For the function.

    Raises:
        TilesweepError: The function's own.
    """
    import ray

    gpus = 1 if device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1 else 0
    task = ray.remote(num_gpus=gpus)(function)
    try:
        result: Result = ray.get(task.remote(*arguments, device="cuda" if gpus else "cpu", **keywords))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TilesweepError):
            raise error.cause from error
        raise
    return result
