"""What the doctor says of installed packages, of PyTorch and of GPUs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from sweep.doctor.gpus import Driver, check_gpu, check_torch, judge_gpus, judge_torch, supported
from sweep.doctor.options import CheckupOptions
from sweep.doctor.packages import (
    asked_for,
    check_packages,
    faults,
    judge_extras,
    judge_packages,
    read_constraints,
)
from sweep.doctor.probing import ProbeError
from sweep.doctor.subject import Subject
from tests.conftest import ROOT
from trainables.errors import ExperimentError, RecipeError

NUMPY = importlib.metadata.version("numpy")


def test_constraints_are_read_with_their_comments(tmp_path: Path) -> None:
    file = tmp_path / "constraints.txt"
    file.write_text("# tested\nNumPy==2.4.6  # arrays\n\nray==2.60.0 ; python_version > '3'\n")
    assert read_constraints(file) == {"numpy": "2.4.6", "ray": "2.60.0"}


@pytest.mark.parametrize("text", ["numpy>=2\n", "-r other.txt\n", "\x00\n", "numpy\n"])
def test_constraints_that_pin_nothing_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "constraints.txt"
    file.write_text(text)
    with pytest.raises(ExperimentError, match="line 1 is no NAME==VERSION"):
        read_constraints(file)


def test_constraints_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_constraints(tmp_path / "none.txt")


def test_another_version_than_was_tested_is_a_warning_and_says_both(tmp_path: Path) -> None:
    file = tmp_path / "constraints.txt"
    file.write_text("numpy==1.0\nnot-installed-anywhere==3\n")
    (found,) = check_packages(Subject(CheckupOptions(constraints=file)))
    assert found.outcome == "warn"
    assert f"numpy {NUMPY} (tested: 1.0)" in found.text and "anywhere" not in found.text
    assert str(file) in found.fix


def test_the_tested_versions_are_fine_and_a_wheel_says_what_it_does_not_know() -> None:
    needed = [Requirement("numpy>=1.0")]
    assert judge_packages(needed, {"numpy": NUMPY}, "").outcome == "ok"
    assert "--constraints" in judge_packages(needed, None, "").text


def test_a_local_build_counts_as_its_version() -> None:
    torch = importlib.metadata.version("torch")
    assert judge_packages([], {"torch": torch.partition("+")[0]}, "").outcome == "ok"


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("numpy>=99", f"numpy {NUMPY}, wanted >=99"),
        ("not-installed-anywhere>=1", "not-installed-anywhere is missing"),
    ],
)
def test_a_package_out_of_range_fails_with_the_command(requirement: str, said: str) -> None:
    found = judge_packages([Requirement(requirement)], {}, "pip install x")
    assert (found.outcome, found.text, found.fix) == ("fail", said, "pip install x")


def test_the_packages_of_a_requirement_s_own_extras_count_too() -> None:
    assert not list(faults(Requirement("ray[tune]>=2.60")))
    inner = list(faults(Requirement("fsspec[dropbox]")))
    assert inner and all("missing" in one for one in inner), "fsspec is there, what dropbox needs is not"


def test_extras_are_listed_and_one_that_is_too_old_is_a_warning() -> None:
    asked = {
        "": [],
        "here": [Requirement("numpy>=1")],
        "gone": [Requirement("not-installed-anywhere")],
        "dev": [Requirement("not-installed-anywhere")],
    }
    found = judge_extras(asked, None)
    assert (found.outcome, found.text) == ("ok", "installed: here; not installed: gone")
    old = judge_extras({**asked, "old": [Requirement("numpy>=99")]}, Path("c.txt"))
    assert old.outcome == "warn" and "[old]" in old.fix and "--constraint c.txt" in old.fix


def test_what_is_asked_for_is_the_source_tree_s_or_the_package_s(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweep.doctor import packages

    tree = asked_for()
    monkeypatch.setattr(packages, "ROOT", Path("/nowhere"))
    package = asked_for()
    for found in (tree, package):
        assert {one.name for one in found[""]} >= {"torch", "ray", "optuna"}
        assert {"wandb", "geo", "dev"} & set(found)
        assert not any(one.name == "wandb" for one in found[""])
    assert (ROOT / "pyproject.toml").is_file()


PROBE: dict[str, Any] = {
    "fault": "",
    "cuda_fault": "",
    "torch": "2.14.1+cu130",
    "torchvision": "0.29.1",
    "cuda": "13.0",
    "archs": ["sm_80", "sm_90"],
    "devices": [],
    "seconds": 3.0,
}


def test_a_pair_that_loads_is_fine_and_one_that_does_not_says_why() -> None:
    assert judge_torch(PROBE).outcome == "ok"
    broken = {**PROBE, "fault": "operator torchvision::nms does not exist"}
    found = judge_torch(broken)
    assert found.outcome == "fail" and "nms does not exist" in found.text and found.fix.startswith("pip install")


def _card(**changes: Any) -> dict[str, Any]:
    return {"name": "H200", "bytes": 150 * 10**9, "free": 149 * 10**9, "capability": [9, 0], **changes}


NEW = Driver(version="580.1", cuda=(13, 0), cards=("H200", "H200"))


@pytest.mark.parametrize(
    ("driver", "probe", "visible", "wanted", "outcomes", "said"),
    [
        (Driver(), {}, None, False, ["ok"], "demo runs on the CPU"),
        (Driver(), {}, None, True, ["fail"], "takes days on the CPU"),
        (NEW, {"devices": [_card(), _card()]}, None, True, ["ok", "ok"], "driver 580.1, CUDA 13.0"),
        (NEW, {"devices": [_card()]}, "0", True, ["ok", "ok"], "CUDA_VISIBLE_DEVICES=0 shows 1 of 2"),
        (NEW, {}, "", True, ["fail"], "CUDA_VISIBLE_DEVICES='' hides them"),
        (NEW, {}, "", False, ["warn"], "CUDA_VISIBLE_DEVICES='' hides them"),
        (NEW, {"cuda": None}, None, True, ["fail"], "this torch is built for the CPU"),
        (
            Driver(version="535.5", cuda=(12, 2), cards=("T4",)),
            {},
            None,
            True,
            ["fail"],
            "driver 535.5 speaks CUDA 12.2, torch is built for 13.0",
        ),
        (NEW, {"cuda_fault": "CUDA error 802"}, None, True, ["fail"], "CUDA error 802"),
        (NEW, {"devices": [_card(capability=[7, 0])]}, None, True, ["fail"], "has no kernels (sm_80, sm_90)"),
        (NEW, {"devices": [_card(free=10**9)]}, None, True, ["warn"], "other programs hold the rest"),
    ],
)
def test_gpus_are_judged_by_driver_torch_and_environment(
    driver: Driver, probe: Mapping[str, Any], visible: str | None, wanted: bool, outcomes: list[str], said: str
) -> None:
    found = judge_gpus(driver, {**PROBE, **probe}, visible, "demo runs on the CPU", wanted=wanted)
    assert [one.outcome for one in found] == outcomes
    assert any(said in one.text for one in found), found
    assert all(one.fix for one in found if one.outcome != "ok")


@pytest.mark.parametrize(
    ("capability", "archs", "runs"),
    [
        ((8, 6), ["sm_80"], True),
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80"], False),
        ((9, 0), ["sm_80", "compute_80"], True),
        ((9, 0), ["sm_90a"], True),
        ((10, 0), ["sm_90a", "compute_100"], True),
        ((10, 3), ["sm_100f"], True),
        ((12, 0), ["sm_120"], True),
        ((7, 5), ["sm_80", "compute_80"], False),
        ((9, 4), ["gfx942"], True),
        ((9, 0), [], True),
    ],
)
def test_kernels_run_on_gpus_of_their_major_version(capability: tuple[int, int], archs: list[str], runs: bool) -> None:
    assert supported(capability, archs) is runs


def test_an_architecture_whose_package_is_missing_is_told_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweep.doctor.packages import check_extras
    from trainables.models import architecture

    subject = Subject(CheckupOptions(architectures=("sam_vit_b_unet_lora",)))
    monkeypatch.setattr(architecture, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"pip install 'tilesweep\[lora\]'"):
        check_extras(subject)


def _fake(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package of that name before the real one, for processes that are started from now on."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_torchvision_of_another_build_is_found_by_loading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "raise RuntimeError('operator torchvision::nms does not exist')"
    _fake(tmp_path, "torchvision", code, monkeypatch)
    (found,) = check_torch(Subject(CheckupOptions()))
    assert found.outcome == "fail"
    assert found.text.endswith("with torchvision not loaded: operator torchvision::nms does not exist")


def test_a_torch_that_ends_its_process_does_not_end_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(tmp_path, "torch", "import os\nos.abort()", monkeypatch)
    subject = Subject(CheckupOptions())
    with pytest.raises(ProbeError, match=r"crashed .*see all of it with python -m sweep\.doctor\.torch_probe"):
        check_torch(subject)
    assert check_gpu(subject)[0].text == "not looked at: torch does not load"
    assert subject.resources().device == "cpu", "the others go on"
