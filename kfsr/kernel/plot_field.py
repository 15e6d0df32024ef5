"""A picture of a field of kernels: each at its place, in its colours, and the widths over the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kfsr.kernel.field import KernelField

if TYPE_CHECKING:
    from kfsr.kernel.plot import Picture

_WIDTH = 900
_GAP = 2


def plot_field(field: KernelField) -> Picture:
    """uint8 (H, W, 3): above, the kernels at their places of the frame, red, green and blue in their colours (white
    where they agree, a coloured rim where they are shifted), brightness following the square root of their values;
    below, a map of the mean standard deviation over the frame, black at 0, and its smallest and largest value in px."""
    from kfsr.image.draw import Text, draw

    rows, cols, channels, size, _ = field.array.shape
    zoom = max(1, (_WIDTH // cols - _GAP) // size)
    step = zoom * size + _GAP
    picture: Picture = np.full((rows * step + 60 + rows * step // 4, cols * step, 3), 24, dtype=np.uint8)
    peak = field.array.max((2, 3, 4), keepdims=True)
    shown = np.sqrt(np.clip(field.array / peak, 0, 1))
    shown = np.repeat(shown, 3, axis=2) if channels == 1 else shown
    widths = _deviations(field)
    bottom = rows * step + 44
    cell = max(1, step // 4)
    for row in range(rows):
        for col in range(cols):
            big = shown[row, col].transpose(1, 2, 0).repeat(zoom, 0).repeat(zoom, 1)
            top, left = row * step, col * step
            picture[top : top + zoom * size, left : left + zoom * size] = np.round(255 * big)
            level = np.uint8(round(255 * widths[row, col] / widths.max()))
            picture[bottom + row * cell : bottom + (row + 1) * cell, col * cell : (col + 1) * cell] = level
    words = f"{rows} x {cols} kernels of {size} px; standard deviation {widths.min():.2f} to {widths.max():.2f} px"
    return draw(picture, [Text(8, rows * step + 12, words, 16, (230, 230, 230))])


def _deviations(field: KernelField) -> np.ndarray:
    """(rows, cols): root of half the covariance's trace, the mean over the colours, in pixels."""
    i = np.arange(field.array.shape[-1], dtype=np.float64)
    total = np.zeros(field.array.shape[:3])
    for axis in (3, 4):
        profile = field.array.sum(axis)
        mean = profile @ i
        total += profile @ i**2 - mean**2
    deviations: np.ndarray = np.sqrt(np.maximum(total, 1e-12) / 2).mean(2)
    return deviations
