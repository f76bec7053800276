"""Energy that a GPU took, where its driver tells: NVIDIA's since Volta do."""

from __future__ import annotations

import torch


class EnergyMeter:
    """Reads a GPU's energy counter. The counter is the whole GPU's: trials that share one all read the same.

    Args:
        device: Where training runs; a CPU has no counter.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last = self._counter()

    def joules(self) -> float | None:
        """Return the energy since the last call, or since the meter was made, in joules; None where nobody tells."""
        before, self._last = self._last, self._counter()
        return None if before is None or self._last is None else (self._last - before) / 1000.0

    def _counter(self) -> int | None:
        """Return the counter in millijoules."""
        if self._device.type != "cuda":
            return None
        import pynvml

        try:
            pynvml.nvmlInit()
            # By its UUID, because NVML counts devices that CUDA_VISIBLE_DEVICES hides.
            uuid = str(torch.cuda.get_device_properties(self._device).uuid)
            handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
            return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except pynvml.NVMLError:  # no driver's library, an older GPU, or a partition of one
            return None
