"""The Kubernetes manifests: every field exists, and what they promise about tokens, spot nodes and GPUs holds."""

from __future__ import annotations

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


def test_a_typo_or_a_value_of_another_type_is_found() -> None:
    for old, new in (("containers:", "container:"), ("backoffLimit:", "backofLimit:"), ("mode: token", "mode: tokens")):
        text = (FOLDER / "rayjob.yaml").read_text()
        assert old in text
        with pytest.raises(ValueError):
            check(yaml.safe_load(text.replace(old, new)))


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
