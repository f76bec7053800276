"""The Kubernetes manifests: every field exists, and what they promise about tokens, spot nodes and GPUs holds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

check = pytest.importorskip("tests.examples.kuberay", reason="needs lightkube").check

FOLDER = ROOT / "examples" / "cluster" / "kuberay"
NAMES = ("raycluster.yaml", "rayjob.yaml")


def manifest(name: str) -> dict[str, Any]:
    """Return what Kubernetes reads."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def cluster(name: str) -> dict[str, Any]:
    """Return the part that describes the Ray cluster."""
    spec = manifest(name)["spec"]
    found: dict[str, Any] = spec.get("rayClusterSpec", spec)
    return found


def pods(name: str) -> list[dict[str, Any]]:
    """Return the specification of the head's pod and of each group's."""
    spec = cluster(name)
    return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_one_of_kuberays_or_kubernetes(name: str) -> None:
    check(manifest(name))


FREE = ("rayStartParams", "limits", "requests")
"""Whose names are free."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field whose name could hold a typo."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not path or path[-1] not in FREE:
                yield (*path, name)
            yield from places(inner, (*path, name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Follow a path."""
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize("name", NAMES)
def test_a_typo_in_any_field_is_found(name: str) -> None:
    whole = manifest(name)
    paths = list(places(whole))
    assert len(paths) > 80
    for path in paths:
        if path == ("kind",):
            continue
        wrong = copy.deepcopy(whole)
        parent = at(wrong, path[:-1])
        parent[f"{path[-1]}x"] = parent.pop(path[-1])
        with pytest.raises(ValueError):
            check(wrong)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "backoffLimit"), "10"),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "minReplicas"), 1.5),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "rayClusterSpec", "authOptions", "mode"), "tokens"),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "terminationGracePeriodSeconds"), "60s"),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "containers"), {}),
        (("apiVersion",), "ray.io/v1alpha1"),
    ],
)
def test_a_value_of_another_type_is_found(path: tuple[Any, ...], value: object) -> None:
    wrong = manifest("rayjob.yaml")
    at(wrong, path[:-1])[path[-1]] = value
    with pytest.raises(ValueError):
        check(wrong)


def test_both_describe_the_same_cluster() -> None:
    assert cluster("raycluster.yaml") == cluster("rayjob.yaml")


def test_ray_is_of_the_tested_version_and_asks_for_its_token() -> None:
    version = cluster("rayjob.yaml")["rayVersion"]
    assert f"\nray=={version}\n" in (ROOT / "constraints.txt").read_text()
    assert cluster("rayjob.yaml")["authOptions"] == {"mode": "token"}


def test_trials_run_on_workers_with_a_gpu_each_and_the_driver_on_a_head_without() -> None:
    head, worker = pods("rayjob.yaml")
    assert cluster("rayjob.yaml")["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert "nvidia.com/gpu" not in head["containers"][0]["resources"]["limits"]
    for kind in ("requests", "limits"):
        assert worker["containers"][0]["resources"][kind]["nvidia.com/gpu"] == "1"
    assert "tolerations" not in head and worker["tolerations"]  # the driver stays off spot nodes


def test_every_pod_has_shared_memory_least_rights_and_credentials_from_a_secret_alone() -> None:
    for pod in pods("rayjob.yaml"):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        container = pod["containers"][0]
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert mounts["/dev/shm"]["emptyDir"]["medium"] == "Memory"
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["envFrom"] == [{"secretRef": {"name": "tilesweep-storage", "optional": True}}]
        assert container["env"] == [{"name": "RAY_JOB_STOP_WAIT_TIME_S", "value": "60"}]  # and no secret
        assert pod["restartPolicy"] == "Never" and pod["terminationGracePeriodSeconds"] >= 60


def test_the_job_is_started_again_by_a_command_that_finds_its_experiment() -> None:
    job = manifest("rayjob.yaml")["spec"]
    assert job["backoffLimit"] > 0
    words = job["entrypoint"].split()
    assert words[:5] == ["python", "-m", "sweep.phase1", "--address", "auto"]
    assert {"--name", "--storage", "--patches"} <= set(words)
