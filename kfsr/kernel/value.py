"""The downscaling kernel as a value.

Canonical convention, used everywhere inside kfsr: a K x K array in *correlation* form with K = scale (mod 2),

    y[i] = sum_m k[m] * x[s*i + m - (K - s)/2]

so that low-resolution pixel i sits at high-resolution coordinate s*i + (s - 1)/2 when the kernel's centre of
mass is at (K - 1)/2. That is where `torch`'s bicubic with ``align_corners=False`` puts it as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kfsr.errors import InputError, UsageError
from kfsr.kernel.provenance import GIVEN, Provenance

SCALES = (1, 2, 3, 4)
MAX_SIZE = 129


def check_scale(scale: int) -> int:
    """The scale itself if it is one of `SCALES`; UsageError otherwise."""
    if isinstance(scale, bool) or scale not in SCALES:
        raise UsageError(f"scale {scale} is not supported; use one of 1, 2, 3, 4")
    return int(scale)


def default_size(scale: int) -> int:
    """Side of the kernels that are estimated: 17, 16, 25, 32 for scale 1 to 4 (about +-4 low-res pixels)."""
    return 17 if scale == 1 else 8 * scale + scale % 2


@dataclass(frozen=True, eq=False)
class Kernel:
    """A downscaling kernel in the canonical convention (see the module's text).

    array: float64 (K, K), read-only, finite, sum 1, K = scale (mod 2), K <= 129. Small negative values are
    legal (bicubic has them).
    scale: 1 to 4, the factor the kernel downscales by.
    provenance: where the kernel comes from; one that is made in Python counts as given.

    Raises InputError when the array cannot be such a kernel. `Kernel.from_array` repairs what it can.
    """

    array: np.ndarray
    scale: int
    provenance: Provenance = GIVEN

    def __post_init__(self) -> None:
        check_scale(self.scale)
        k = np.array(self.array, dtype=np.float64)
        _check_values(k)
        if k.shape[0] != k.shape[1] or (k.shape[0] - self.scale) % 2:
            raise InputError(f"a kernel for scale {self.scale} is square with a side of the same parity; got {k.shape}")
        if not np.isclose(k.sum(), 1.0, atol=1e-6):
            raise InputError(f"the kernel sums to {k.sum():.6g}, not to 1")
        k.flags.writeable = False
        object.__setattr__(self, "array", k)

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies are made anew: NumPy would hand out their arrays writable.
        return Kernel, (self.array, self.scale, self.provenance)

    @classmethod
    def from_array(cls, array: np.ndarray, scale: int, provenance: Provenance = GIVEN) -> Kernel:
        """Kernel from any 2-D array in correlation form whose middle (n - 1)/2 is the kernel's origin.

        Normalises the sum, zero-pads to a square and repairs a wrong parity by moving the array half a pixel
        (cubic spline). Raises InputError for arrays that cannot be one: not 2-D, empty, over 129 px, not
        finite, or with a sum of zero.
        """
        check_scale(scale)
        k = np.array(array, dtype=np.float64)
        _check_values(k)
        k = k / k.sum()
        size = max(k.shape)
        if (size - scale) % 2:
            size += 1
        if size > MAX_SIZE:
            size -= 2
        for axis in (0, 1):
            k = _fit_axis(k, axis, size)
        return cls(k / k.sum(), scale, provenance)

    @property
    def method(self) -> str:
        """How the kernel came to be: the estimator's name, or the kind of kernel."""
        return self.provenance.method

    @property
    def estimated(self) -> bool:
        """Whether to doubt it: it is an estimate, or from a file that does not say otherwise."""
        return self.provenance.source != "given"

    def stamped(self, provenance: Provenance) -> Kernel:
        """The same kernel with another provenance."""
        return replace(self, provenance=provenance)

    @property
    def size(self) -> int:
        """Side K in high-resolution pixels."""
        return int(self.array.shape[0])

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of mass minus (K - 1)/2 as (row, column), in high-resolution pixels."""
        i = np.arange(self.size) - (self.size - 1) / 2
        return float(self.array.sum(1) @ i), float(self.array.sum(0) @ i)

    @property
    def covariance(self) -> np.ndarray:
        """Second central moment, (2, 2) as [[rr, rc], [rc, cc]], in square high-resolution pixels."""
        row, col = self.centre
        i = np.arange(self.size) - (self.size - 1) / 2
        rr = self.array.sum(1) @ (i - row) ** 2
        cc = self.array.sum(0) @ (i - col) ** 2
        rc = (i - row) @ self.array @ (i - col)
        return np.array([[rr, rc], [rc, cc]])

    @property
    def trace(self) -> float:
        """The kernel's size: trace of its covariance, in square high-resolution pixels."""
        return float(np.trace(self.covariance))

    @property
    def is_point(self) -> bool:
        """Whether all weight lies in the middle: the kernel of a picture that is sharp, at scale 1."""
        middle = self.size // 2
        return self.scale == 1 and float(self.array[middle, middle]) == 1.0

    def resized(self, size: int) -> Kernel:
        """The same kernel on a larger or smaller canvas of the same parity, cut off or zero-padded evenly."""
        if (size - self.size) % 2:
            raise UsageError(f"canvas {size} has another parity than the kernel's {self.size}")
        margin = (size - self.size) // 2
        k = np.pad(self.array, margin) if margin >= 0 else self.array[-margin:margin, -margin:margin]
        return replace(self, array=k / k.sum())


def _check_values(k: np.ndarray) -> None:
    if k.ndim != 2 or 0 in k.shape:
        raise InputError(f"a kernel is a 2-D array; got shape {k.shape}")
    if max(k.shape) > MAX_SIZE:
        raise InputError(f"the kernel is {k.shape[0]}x{k.shape[1]}; at most {MAX_SIZE} px are supported")
    if not np.isfinite(k).all():
        raise InputError("the kernel holds NaN or infinite values")
    with np.errstate(over="ignore"):
        if not np.isfinite(np.abs(k).sum()):
            raise InputError("the kernel's values are too large to be added up")
    if abs(k.sum()) < 1e-8 * max(1.0, float(np.abs(k).sum())):
        raise InputError("the kernel sums to zero and cannot be normalised")


def _fit_axis(k: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Bring one axis to `size` entries, the middle staying the middle: zeros, half a pixel if parity asks."""
    n = k.shape[axis]
    if n == size:
        return k
    if (size - n) % 2:
        import scipy.ndimage as ndi  # slow to import, and most kernels fit

        # One more entry at the end moves the middle by +1/2; the values must follow.
        pad = [(0, 0), (0, 0)]
        pad[axis] = (2, 3)
        shift = [0.0, 0.0]
        shift[axis] = 0.5
        k = ndi.shift(np.pad(k, pad), shift)
        k = np.take(k, np.arange(2, n + 3) if n + 1 <= size else np.arange(3, n + 2), axis=axis)
        n = k.shape[axis]
    pad = [(0, 0), (0, 0)]
    pad[axis] = ((size - n) // 2, (size - n) // 2)
    return np.pad(k, pad)
