"""Where in a picture a kernel is best seen: windows full of gradients."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def busiest_windows(luminance: np.ndarray, side: int, count: int) -> list[tuple[slice, slice]]:
    """At most `count` windows (side, side), or smaller, of (H, W) with the most gradients, in falling order.

    The strongest gradients count no more than many, and what lies in one window hardly counts for the next.
    """
    import scipy.ndimage as ndi  # slow to import, and the gate's window needs none

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


def busiest_window(low_res: Tensor, side: int) -> tuple[int, int, int, int]:
    """(row, column, rows, columns) of the square window of (1, C, h, w) with the most gradient energy."""
    plane = low_res[0].mean(0)
    side_h, side_w = min(side, plane.shape[0]), min(side, plane.shape[1])
    energy = torch.zeros_like(plane)
    energy[1:] += (plane[1:] - plane[:-1]).square()
    energy[:, 1:] += (plane[:, 1:] - plane[:, :-1]).square()
    step = max(1, side // 4)
    sums = F.avg_pool2d(energy[None, None], (side_h, side_w), step)[0, 0]
    best = int(sums.argmax())
    return best // sums.shape[1] * step, best % sums.shape[1] * step, side_h, side_w


def busiest_in_cells(plane: np.ndarray, side: int, most: tuple[int, int]) -> np.ndarray:
    """(N, 2): row and column where the busiest square of `side` pixels in each cell of (H, W) begins.

    most: rows and columns of cells, fewer where they would be smaller than the square. Cells and squares have no
    overlap, so that the whole frame is heard.
    """
    import scipy.ndimage as ndi

    cells = [max(1, min(n, length // side)) for n, length in zip(most, plane.shape, strict=True)]
    energy = np.hypot(ndi.sobel(plane, 0), ndi.sobel(plane, 1))
    total = np.pad(energy, ((1, 0), (1, 0))).cumsum(0, dtype=np.float64).cumsum(1)
    step = max(1, side // 8)
    ends = [np.linspace(0, length, n + 1).astype(int) for n, length in zip(cells, plane.shape, strict=True)]
    found = []
    for row, col in np.ndindex(*cells):
        first, last = (
            np.arange(e[n], max(e[n], e[n + 1] - side) + 1, step) for e, n in zip(ends, (row, col), strict=True)
        )
        sums = (
            total[np.ix_(first + side, last + side)]
            - total[np.ix_(first, last + side)]
            - total[np.ix_(first + side, last)]
            + total[np.ix_(first, last)]
        )
        i, j = np.unravel_index(int(sums.argmax()), sums.shape)
        found.append((first[i], last[j]))
    return np.array(found)
