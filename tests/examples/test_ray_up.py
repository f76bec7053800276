"""The files for `ray up`: valid for Ray and for the cloud's own machines, and everything they name exists."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "cluster" / "ray-up"
NAMES = ("cluster.yaml", "local.yaml")


def config(name: str) -> dict[str, Any]:
    """Return what `ray up` reads."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def validate(wanted: dict[str, Any]) -> dict[str, Any]:
    """Do with a cluster's description what `ray up` does before it starts a machine."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    whole: dict[str, Any] = prepare_config(copy.deepcopy(wanted))
    validate_config(whole)
    return whole


@pytest.mark.parametrize("name", NAMES)
def test_ray_accepts_the_description(name: str) -> None:
    whole = validate(config(name))
    head = whole["available_node_types"][whole["head_node_type"]]
    assert head["node_config"] is not None
    assert set(config(name)) <= set(whole)


def complaints(node: dict[str, Any]) -> str:
    """Check a machine's description against what EC2 takes, and return what is wrong with it."""
    session = pytest.importorskip("botocore.session").get_session()
    from botocore.validate import ParamValidator

    shape = session.get_service_model("ec2").operation_model("RunInstances").input_shape
    report: str = ParamValidator().validate({**node, "MinCount": 1, "MaxCount": 1}, shape).generate_report()
    return report


def test_the_cloud_accepts_its_machines_and_only_workers_are_spot_nodes() -> None:
    types = config("cluster.yaml")["available_node_types"]
    assert [complaints(kind["node_config"]) for kind in types.values()] == ["", ""]
    assert types["worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    assert complaints({**types["worker"]["node_config"], "InstanceMarketOption": {}}) != ""


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_pip_needs_travels_and_nothing_that_does_not_exist(name: str) -> None:
    mounts = config(name)["file_mounts"]
    assert mounts.pop("~/.ray/auth_token") == "~/.ray/auth_token"
    assert all((ROOT / source).exists() for source in mounts.values())
    assert {Path(target).name: source for target, source in mounts.items()} == {
        source: source for source in mounts.values()
    }
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "docs"}
    assert packages | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} == set(mounts.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_ray_is_started_with_its_token(name: str) -> None:
    whole = config(name)
    starts = [command for key in whole if key.endswith("start_ray_commands") for command in whole[key]]
    assert sum("ray start" in command for command in starts) == 2
    assert all(
        "RAY_AUTH_MODE=token " in command.partition("ray start")[0] for command in starts if "ray start" in command
    )
    assert "chmod 600 ~/.ray/auth_token" in whole["setup_commands"]


def test_both_files_start_and_set_up_ray_alike() -> None:
    cloud, local = config("cluster.yaml"), config("local.yaml")
    for key in ("head_start_ray_commands", "worker_start_ray_commands", "file_mounts"):
        assert cloud[key] == local[key]
    assert set(local["setup_commands"]) <= set(cloud["setup_commands"])
