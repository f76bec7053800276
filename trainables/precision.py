"""The arithmetic of forward passes."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Map a recipe's precision to the arithmetic of the forward pass on a device.

    ``auto`` is bfloat16 on a GPU that computes it natively, float16 on an older one, and float32 on the CPU.
    """
    if precision != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Compute in a type during the block; float32 needs no help."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)
