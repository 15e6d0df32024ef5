"""Values that are no numbers: caught where they appear, and computed once more where the precision was at fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor

from kfsr.errors import NumericalError

T = TypeVar("T")


def working_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu":
        has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return torch.bfloat16 if has_bf16 is not None and has_bf16() else torch.float32
    return torch.float32


def check_finite(stage: str, values: Tensor | Iterable[Tensor]) -> None:
    """Raise NumericalError, naming the stage, when a tensor holds NaN or infinity."""
    for one in [values] if isinstance(values, Tensor) else values:
        if not bool(one.isfinite().all()):
            raise NumericalError(
                f"the {stage} gave values that are no numbers (NaN or infinity), in single precision too; "
                "try another solver, kernel or preset"
            )


def in_working_precision(
    device: torch.device, compute: Callable[[torch.dtype], T], generator: torch.Generator | None = None
) -> T:
    """`compute(dtype)` with what is fastest on the device, and again in float32 where that raised NumericalError.

    generator: what `compute` draws from, put back before the second time.
    """
    dtype = working_dtype(device)
    if dtype != torch.float32:
        state = None if generator is None else generator.get_state()
        try:
            return compute(dtype)
        except NumericalError:
            if generator is not None and state is not None:
                generator.set_state(state)
    return compute(torch.float32)
