"""What loads heavy packages, and when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweep.machine import gpus
from sweep.machine.gpus import gpu_count
from sweep.machine.loading import loading
from tests.conftest import ROOT
from trainables import torch_said


def _loaded_by(code: str) -> set[str]:
    """Return the packages that a fresh process has loaded after some code."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_a_sweep_that_is_refused_has_loaded_neither_torch_nor_ray_nor_statistics() -> None:
    assert not {"torch", "ray", "scipy.stats"} & _loaded_by("import sweep.session.session")


def test_a_sweep_s_driver_runs_trials_and_asks_what_the_cpu_computes_without_loading_torch() -> None:
    code = """
import sweep.session.session, sweep.session.driver, sweep.ray_tune.runner, sweep.results.conclusion
import sweep.search.study_group, trainables.tensorboard
from sweep.records.provenance import provenance
from trainables.precision import computes_bf16, cpu_fingerprint
provenance(), computes_bf16(), cpu_fingerprint()
"""
    loaded = _loaded_by(code)
    assert "ray.tune" in loaded
    assert not {"torch", "torchvision", "albumentations", "segmentation_models_pytorch"} & loaded


def test_another_process_says_of_torch_what_this_one_would_once_per_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = torch_said.of_torch()
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch")
    found = torch_said.said_by_torch()
    assert {name: found[name] for name in expected} == expected and expected["version"]

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(torch_said.subprocess, "run", asked)
    torch_said._kept_or_asked.cache_clear()  # as in the next process
    assert torch_said.said_by_torch()["capabilities"] == expected["capabilities"]
    torch_said._kept_or_asked.cache_clear()
    monkeypatch.setattr(torch_said, "version", lambda _: "0.0")
    with pytest.raises(AssertionError, match="asked again"):
        torch_said.said_by_torch()


def test_a_damaged_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch")
    (tmp_path / torch_said.FILE).write_text('{"place": 5, "capab')
    assert torch_said.said_by_torch()["version"]
    torch_said._kept_or_asked.cache_clear()


def test_packages_are_there_after_the_block_and_one_that_is_missing_is_left_to_whoever_needs_it() -> None:
    code = "from sweep.machine.loading import loading\nwith loading('no_such_package', 'wave'): pass"
    loaded = _loaded_by(code)
    assert "wave" in loaded and "no_such_package" not in loaded


def test_what_is_asked_meanwhile_has_been_answered_after_the_block() -> None:
    answers: list[int] = []
    with loading("wave", asking=lambda: answers.append(1)):
        pass
    with loading(asking=lambda: 1 / 0):
        pass
    assert answers == [1]


def test_an_error_in_the_block_is_the_block_s_own() -> None:
    with pytest.raises(KeyError), loading("wave"):
        raise KeyError


def test_gpus_are_counted_without_torch_only_where_there_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert gpu_count() == 3, "torch is loaded already, so it is asked"
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(gpus, "DRIVERS", ("/no/such/driver",))
    monkeypatch.setattr(sys, "platform", "linux")
    assert gpu_count() == 0
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(gpus, "DRIVERS", ("/",))
    assert gpu_count() == 3
