"""The fields of KubeRay's resources in version ray.io/v1 that the examples may use, as the API reference lists them.

Only fields that KubeRay 1.5.1 knows: an older operator refuses or forgets newer ones. Pods are Kubernetes' own types.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
from lightkube.models import core_v1, meta_v1


class Fields(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """No field but the known ones."""


class AuthOptions(Fields):
    mode: Literal["disabled", "token"]


class AutoscalerOptions(Fields):
    resources: core_v1.ResourceRequirements | None = None
    idle_timeout_seconds: int | None = None
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] | None = None
    env: list[core_v1.EnvVar] | None = None
    env_from: list[core_v1.EnvFromSource] | None = None


class HeadGroup(Fields):
    template: core_v1.PodTemplateSpec
    ray_start_params: dict[str, str]
    service_type: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None


class WorkerGroup(Fields):
    group_name: str
    template: core_v1.PodTemplateSpec
    ray_start_params: dict[str, str]
    min_replicas: int
    max_replicas: int
    replicas: int | None = None
    idle_timeout_seconds: int | None = None


class ClusterSpec(Fields):
    head_group_spec: HeadGroup
    worker_group_specs: list[WorkerGroup]
    ray_version: str
    auth_options: AuthOptions
    enable_in_tree_autoscaling: bool | None = None
    autoscaler_options: AutoscalerOptions | None = None
    suspend: bool | None = None


class SubmitterConfig(Fields):
    backoff_limit: int | None = None


class JobSpec(Fields):
    ray_cluster_spec: ClusterSpec
    entrypoint: str
    backoff_limit: int = 0
    active_deadline_seconds: int | None = None
    submission_mode: Literal["K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"] | None = None
    submitter_config: SubmitterConfig | None = None
    shutdown_after_job_finishes: bool | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool | None = None


class Resource(Fields):
    api_version: Literal["ray.io/v1"]
    metadata: meta_v1.ObjectMeta


class RayCluster(Resource):
    kind: Literal["RayCluster"]
    spec: ClusterSpec


class RayJob(Resource):
    kind: Literal["RayJob"]
    spec: JobSpec


def check(manifest: dict[str, Any]) -> RayCluster | RayJob:
    """Read a manifest strictly.

    Raises:
        ValueError: A field that does not exist, is missing, or holds another type.
    """
    kind = RayJob if manifest["kind"] == "RayJob" else RayCluster
    resource = msgspec.json.decode(json.dumps(manifest), type=kind)
    if lost := sorted(
        set(_leaves(manifest)) - set(_leaves(msgspec.to_builtins(resource)))
    ):  # Kubernetes' types are lax
        raise ValueError(f"no such field: {lost}")
    return resource


def _leaves(value: Any, path: str = "") -> list[str]:
    """Return the path of every value that is no folder of others."""
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, f"{path}.{name}")]
    if isinstance(value, list) and value:
        return [leaf for number, inner in enumerate(value) for leaf in _leaves(inner, f"{path}[{number}]")]
    return [path]
