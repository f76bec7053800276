"""What a command has to know inside a submitted Ray job."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from trainables.errors import ExperimentError
from trainables.storage import Storage

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray sets it inside a job: the job's runtime environment, among others."""


def job_environment() -> dict[str, Any]:
    """Return the runtime environment of the Ray job whose entry point this process is; empty outside one."""
    found: dict[str, Any] = json.loads(os.environ.get(JOB_VARIABLE) or "{}").get("runtime_env") or {}
    return found


def require_lasting(storage: Storage) -> None:
    """Refuse to write results into a job's unpacked working folder: Ray deletes it some time after the job.

    Raises:
        ExperimentError: As said.
    """
    if "working_dir" not in job_environment() or not storage.is_local:
        return
    if Path(storage.root).is_relative_to(Path.cwd().resolve()):
        raise ExperimentError(
            f"--storage {storage.address}: is in this Ray job's own folder, which Ray deletes after the job; give a "
            f"folder that all nodes share, or s3://BUCKET/PATH"
        )
