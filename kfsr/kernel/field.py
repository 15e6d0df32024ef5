"""A kernel that changes over the frame and from colour to colour, as a lens's does, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kfsr.errors import InputError
from kfsr.kernel.value import MAX_SIZE, Kernel, check_scale


@dataclass(frozen=True, eq=False)
class KernelField:
    """Kernels at rows x cols places of the frame, in the canonical convention (see `kfsr.kernel.value`).

    array: float64 (rows, cols, channels, K, K), read-only, finite; channels 1 (the same for all colours) or 3;
    K = scale (mod 2), K <= 129; every kernel sums to 1. scale: 1 to 4, the factor the kernels downscale by.

    The frame is divided into rows x cols equal cells, and a kernel belongs to the centre of its cell. Between the
    centres the kernel is interpolated linearly along both axes; beyond the outermost ones it stays as it is there. A
    `Kernel` is the field of one place and one channel. Kernels are not centred one by one: a shift between colours or
    places is part of what a lens does.

    Raises InputError when the array cannot be such a field.
    """

    array: np.ndarray
    scale: int

    def __post_init__(self) -> None:
        check_scale(self.scale)
        k = np.array(self.array, dtype=np.float64)
        if k.ndim != 5 or 0 in k.shape or k.shape[2] not in (1, 3):
            raise InputError(f"a field of kernels is (rows, columns, 1 or 3 channels, K, K); got shape {k.shape}")
        if k.shape[3] != k.shape[4] or (k.shape[3] - self.scale) % 2 or k.shape[3] > MAX_SIZE:
            raise InputError(
                f"kernels for scale {self.scale} are square, at most {MAX_SIZE} px wide, with a side of the same "
                f"parity; got {k.shape[3:]}"
            )
        if not np.isfinite(k).all():
            raise InputError("the field of kernels holds NaN or infinite values")
        if not np.allclose(k.sum((3, 4)), 1.0, rtol=0, atol=1e-6):
            raise InputError("the kernels of a field sum to 1, each of them")
        k.flags.writeable = False
        object.__setattr__(self, "array", k)

    @classmethod
    def of(cls, kernel: Kernel) -> KernelField:
        """The field of one place and one channel."""
        return cls(kernel.array[None, None, None], kernel.scale)

    def __reduce__(self) -> tuple[Any, ...]:
        # NumPy forgets in a pickle that an array is read-only.
        return type(self), (self.array, self.scale)
