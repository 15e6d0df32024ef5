"""Precision and random weights: NaN caught where it appears, computed again where the precision was at fault. And a
descent that several steps share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
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


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """A block in which networks compute in `dtype`; in float32 everything stays as it is."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def check_finite(stage: str, values: Tensor | Iterable[Tensor]) -> None:
    """Raise NumericalError, naming the stage, when a tensor holds NaN or infinity."""
    for one in [values] if isinstance(values, Tensor) else values:
        # The extremes are NaN where anything is, and need no copy of a large picture.
        if one.numel() and not all(bool(end.isfinite()) for end in one.aminmax()):
            raise NumericalError(
                f"the {stage} gave values that are not finite (NaN or infinity), in single precision too; "
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


@contextmanager
def weights_from(generator: torch.Generator) -> Iterator[None]:
    """A block in which new modules draw their first weights from a seed that `generator` gives.

    Modules draw from torch's default CPU generator: it is seeded for the block and put back after it. Those of GPUs,
    which `torch.manual_seed` would seed as well, are left alone, so modules must be made on the CPU.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator))
    default = torch.default_generator
    state = default.get_state()
    default.manual_seed(seed)
    try:
        yield
    finally:
        default.set_state(state)


def nonnegative_minimum(
    start: np.ndarray, slope: Callable[[np.ndarray], np.ndarray], curvature: float, iterations: int
) -> np.ndarray:
    """What FISTA (Beck and Teboulle 2009) comes to from `start`: the minimum over x >= 0 of a convex function with the
    gradient `slope`. curvature: its largest, the gradient's Lipschitz constant. Arrays keep the dtype of `start`."""
    x = ahead = start
    momentum = 1.0
    for _ in range(iterations):
        last, x = x, np.maximum(ahead - slope(ahead) / curvature, 0)
        momentum, before = (1 + math.sqrt(1 + 4 * momentum**2)) / 2, momentum
        ahead = x + start.dtype.type((before - 1) / momentum) * (x - last)
    return x
