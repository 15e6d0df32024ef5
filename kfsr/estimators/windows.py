"""Where in a picture a kernel is best seen: windows full of gradients."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi


def busiest_windows(luminance: np.ndarray, side: int, count: int) -> list[tuple[slice, slice]]:
    """At most `count` windows (side, side), or smaller, of (H, W) with the most gradients, in falling order.

    The strongest gradients count no more than many, and what lies in one window hardly counts for the next.
    """
    height, width = luminance.shape
    rows, cols = min(side, height), min(side, width)
    energy = np.hypot(ndi.sobel(luminance, 0), ndi.sobel(luminance, 1))
    energy = np.minimum(energy, np.quantile(energy, 0.98))
    found: list[tuple[slice, slice]] = []
    for _ in range(count):
        total = np.pad(energy, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        sums = total[rows:, cols:] - total[:-rows, cols:] - total[rows:, :-cols] + total[:-rows, :-cols]
        i, j = (int(n) for n in np.unravel_index(int(sums.argmax()), sums.shape))
        window = (slice(i, i + rows), slice(j, j + cols))
        found.append(window)
        energy[window] *= 0.2
        if rows == height and cols == width:
            break
    return found
