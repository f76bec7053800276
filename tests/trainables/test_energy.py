"""A GPU's energy counter; the counter itself is stood in for, because no GPU is needed by any test."""

from __future__ import annotations

from types import SimpleNamespace

import pynvml
import pytest
import torch

from trainables.energy import EnergyMeter


def test_a_cpu_has_no_counter() -> None:
    assert EnergyMeter(torch.device("cpu")).joules() is None


def test_energy_is_counted_from_call_to_call_in_joules(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([1_000_000, 1_250_000, 1_250_500])
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1234"))
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: {"GPU-1234": "handle"}[uuid])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", lambda handle: next(readings))
    meter = EnergyMeter(torch.device("cuda"))
    assert (meter.joules(), meter.joules()) == (250.0, 0.5)


def test_a_driver_that_does_not_tell_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert EnergyMeter(torch.device("cuda")).joules() is None
