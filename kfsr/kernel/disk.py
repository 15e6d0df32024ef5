"""The disk: what a lens that is out of focus makes of a point."""

from __future__ import annotations

import math

import numpy as np

from kfsr.errors import UsageError
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import MAX_SIZE, Kernel, check_scale

_PARTS = 8
"""Samples a pixel and axis that its share of the disk is measured with."""


def disk_kernel(radius: float, scale: int, size: int | None = None) -> Kernel:
    """An even disk, `radius` in high-resolution pixels, each pixel as bright as the share of it that the disk covers.

    The centre is (K - 1)/2 exactly; without a `size` the canvas holds the disk, 129 pixels at most. Raises UsageError
    for a radius that is not positive.
    """
    check_scale(scale)
    if not radius > 0 or not math.isfinite(radius):
        raise UsageError(f"a disk has a positive radius; got {radius}")
    if size is None:
        size = min(2 * math.ceil(radius) + 1 + (scale + 1) % 2, MAX_SIZE - (scale + 1) % 2)
    i = (np.arange(_PARTS * size) + 0.5) / _PARTS - size / 2
    inside = (i[:, None] ** 2 + i[None] ** 2 <= radius**2).astype(float)
    k = inside.reshape(size, _PARTS, size, _PARTS).mean((1, 3))
    if not k.any():  # smaller than what is sampled
        k[(size - 1) // 2 : size // 2 + 1, (size - 1) // 2 : size // 2 + 1] = 1.0
    return Kernel(k / k.sum(), scale, Provenance("given", "disk"))
