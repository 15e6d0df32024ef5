"""How close an estimated kernel is to the truth."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from kfsr.errors import UsageError
from kfsr.kernel.value import Kernel


@dataclass(frozen=True)
class KernelScore:
    """ncc: correlation <a, b>/(|a| |b|) on the canonical grid, no shift; ncc_shift2: the largest over shifts
    of at most 2 px; ncc_flipped: against the truth turned by 180 degrees; size_ratio: trace of covariance,
    estimate / truth (NaN where the truth has no extent, as a delta).
    """

    ncc: float
    ncc_shift2: float
    ncc_flipped: float
    size_ratio: float

    def as_dict(self) -> dict[str, float]:
        """The four numbers under their names."""
        return asdict(self)


def compare_kernels(estimate: Kernel, truth: Kernel) -> KernelScore:
    """Scores of `estimate` against `truth`; UsageError when their scales differ."""
    if estimate.scale != truth.scale:
        raise UsageError(f"kernels of different scales cannot be compared: {estimate.scale} and {truth.scale}")
    a, b = estimate.array, truth.array
    return KernelScore(
        ncc=_ncc(a, b, 0),
        ncc_shift2=_ncc(a, b, 2),
        ncc_flipped=_ncc(a, b[::-1, ::-1], 0),
        size_ratio=estimate.trace / truth.trace if truth.trace else math.nan,
    )


def _ncc(a: np.ndarray, b: np.ndarray, reach: int) -> float:
    size = max(a.shape[0], b.shape[0]) + 2 * reach
    a, b = (np.pad(k, (size - k.shape[0]) // 2) for k in (a, b))
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    shifts = range(-reach, reach + 1)
    return max(float((a * np.roll(b, (dy, dx), (0, 1))).sum()) / norm for dy in shifts for dx in shifts)
