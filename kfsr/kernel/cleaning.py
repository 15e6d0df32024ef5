"""What in the array of an estimated kernel is noise."""

from __future__ import annotations

import numpy as np


def without_noise(kernel: np.ndarray, cut: float, island: float) -> np.ndarray:
    """A kernel (K, K), not negative, without values below `cut` times its peak, and then without connected parts,
    corners included, that hold less than `island` of the weight; float64, of sum 1."""
    import scipy.ndimage as ndi  # slow to import

    k = kernel.astype(np.float64)
    k[k < cut * k.max()] = 0
    parts, count = ndi.label(k > 0, np.ones((3, 3)))
    weights = ndi.sum_labels(k, parts, np.arange(count + 1))
    k[weights[parts] < island * k.sum()] = 0
    clean: np.ndarray = k / k.sum()
    return clean
