"""A picture of a kernel that a person can read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kfsr.kernel.value import Kernel

if TYPE_CHECKING:
    from kfsr.image.draw import Line, Text

Picture = npt.NDArray[np.uint8]

_FIELD = 400
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 40, 112, 170
_BACKGROUND = 255
_GREEN, _CYAN, _BLACK = (70, 230, 90), (60, 200, 255), (0, 0, 0)
# Zero is black; more goes through red and yellow to white, less than zero through blue to a pale cyan.
_STOPS = np.array([0.0, 0.25, 0.55, 0.8, 1.0])
_POSITIVE = np.array([(0, 0, 0), (96, 14, 60), (221, 70, 30), (250, 175, 40), (255, 252, 225)], dtype=np.float64)
_NEGATIVE = np.array([(0, 0, 0), (10, 30, 110), (20, 80, 215), (70, 160, 250), (200, 240, 255)], dtype=np.float64)


def plot_kernel(kernel: Kernel) -> Picture:
    """uint8 (H, W, 3) picture of the kernel: about 400 px for the kernel itself, axes, a colour bar and its
    numbers.

    Pixels are square and drawn without smoothing; the axes count high-resolution pixels from the canvas's
    middle (K - 1)/2, rows downwards. A green plus marks that middle, a cyan cross the centre of mass.
    """
    from kfsr.image.draw import draw

    cell = max(1, round(_FIELD / kernel.size))
    field = cell * kernel.size
    peak = float(np.abs(kernel.array).max())
    low = min(0.0, float(kernel.array.min()))
    shape = (_TOP + field + _BOTTOM, _LEFT + field + _RIGHT, 3)
    picture: Picture = np.full(shape, _BACKGROUND, dtype=np.uint8)
    big = kernel.array.repeat(cell, 0).repeat(cell, 1)
    picture[_TOP : _TOP + field, _LEFT : _LEFT + field] = colours(big / peak)

    top = float(kernel.array.max())
    bar_left = _LEFT + field + 18
    ramp = np.linspace(top, low, field)[:, None].repeat(16, 1)
    picture[_TOP : _TOP + field, bar_left : bar_left + 16] = colours(ramp / peak)
    return draw(
        picture,
        [
            *_axes(kernel.size, cell),
            *_bar_labels(bar_left + 16, field, low, top),
            *_markers(kernel, cell),
            *_numbers(kernel, field),
        ],
    )


def colours(values: npt.NDArray[np.float64]) -> Picture:
    """Colours of values in [-1, 1]."""
    # The square root shows the tails, which decide how a picture rings.
    size = np.sqrt(np.abs(values))
    out = np.empty((*values.shape, 3))
    for channel in range(3):
        positive = np.interp(size, _STOPS, _POSITIVE[:, channel])
        negative = np.interp(size, _STOPS, _NEGATIVE[:, channel])
        out[..., channel] = np.where(values >= 0, positive, negative)
    return np.round(out).astype(np.uint8)


def _axes(size: int, cell: int) -> list[Line | Text]:
    from kfsr.image.draw import Line, Text

    field = cell * size
    middle = (size - 1) / 2
    step = next((n for n in (1, 2, 5, 10, 20) if size / n <= 9), 20)
    last = math.floor(size / 2 / step) * step
    marks: list[Line | Text] = []
    for value in range(-last, last + 1, step):
        at = (middle + value + 0.5) * cell
        if not 0 <= at <= field:
            continue
        label = f"{value:+d}" if value else "0"
        marks += [
            Line(((_LEFT - 5, _TOP + at), (_LEFT - 1, _TOP + at))),
            Line(((_LEFT + at, _TOP + field), (_LEFT + at, _TOP + field + 4))),
            Text(_LEFT - 9, _TOP + at, label, 13, anchor="rm"),
            Text(_LEFT + at, _TOP + field + 8, label, 13, anchor="mt"),
        ]
    return marks


def _bar_labels(x: int, field: int, low: float, top: float) -> list[Line | Text]:
    from kfsr.image.draw import Line, Text

    marks: list[Line | Text] = []
    span = top - low
    values = [top, top / 2, 0.0]
    if low < -0.02 * span:
        values.append(low)
    for value in values:
        y = _TOP + (top - value) / span * (field - 1)
        marks += [Line(((x, y), (x + 4, y))), Text(x + 8, y, f"{value:.3g}", 12, anchor="lm")]
    return marks


def _markers(kernel: Kernel, cell: int) -> list[Line | Text]:
    """Plus at the middle, cross at the centre of mass, each with a dark rim to stand out from white as well."""
    from kfsr.image.draw import Line

    middle = kernel.size * cell / 2
    row, col = kernel.centre
    x, y = _LEFT + middle - 0.5, _TOP + middle - 0.5
    u, v = x + _inside(col * cell, middle), y + _inside(row * cell, middle)
    marks: list[Line | Text] = []
    for width, colour, r in ((5, _BLACK, 12), (2, _GREEN, 10)):
        ends = (((x - r, y), (x + r, y)), ((x, y - r), (x, y + r)))
        marks += [Line(one, colour, width) for one in ends]
    for width, colour, r in ((5, _BLACK, 8), (2, _CYAN, 7)):
        ends = (((u - r, v - r), (u + r, v + r)), ((u - r, v + r), (u + r, v - r)))
        marks += [Line(one, colour, width) for one in ends]
    return marks


def _inside(value: float, limit: float) -> float:
    # A kernel with large negative values can have its centre of mass outside; its mark stays on the canvas.
    return max(-limit, min(limit, value))


def _numbers(kernel: Kernel, field: int) -> list[Line | Text]:
    from kfsr.image.draw import Line, Text

    values, vectors = np.linalg.eigh(kernel.covariance)
    minor, major = (math.sqrt(max(0.0, float(v))) for v in values)
    # Rows count downwards; the angle is the usual one, counter-clockwise as seen.
    angle = math.degrees(math.atan2(-vectors[0, 1], vectors[1, 1])) % 180
    direction = f"long axis at {angle:.0f} degrees" if major - minor > 0.01 * major else "round"
    row, col = kernel.centre
    least, most = float(kernel.array.min()), float(kernel.array.max())
    least = least if abs(least) > 1e-4 * most else 0.0
    x, y = _LEFT, _TOP + field + 36
    rows = (
        f"covariance trace {kernel.trace:.2f} square px",
        f"axes (standard deviation) {major:.2f} and {minor:.2f} px, {direction}",
        f"centre of mass {_signed(col)} px right, {_signed(row)} px down of the middle",
        f"values {least:.3g} to {most:.3g}; colour follows the square root",
    )
    title = f"kernel for scale {kernel.scale}, {kernel.size} x {kernel.size} px, {kernel.method}"
    marks: list[Line | Text] = [Text(_LEFT, 12, title, 16, _BLACK)]
    marks += [Text(x, y + 22 * i, words, 14) for i, words in enumerate(rows)]
    y += 22 * len(rows) + 8
    marks += [
        Line(((x, y + 8), (x + 16, y + 8)), (20, 150, 40), 2),
        Line(((x + 8, y), (x + 8, y + 16)), (20, 150, 40), 2),
        Text(x + 24, y + 8, "middle", 14, anchor="lm"),
        Line(((x + 92, y + 2), (x + 104, y + 14)), (0, 130, 200), 2),
        Line(((x + 92, y + 14), (x + 104, y + 2)), (0, 130, 200), 2),
        Text(x + 112, y + 8, "centre of mass", 14, anchor="lm"),
        Text(x + 230, y + 8, "unit: high-resolution pixels", 14, (120, 120, 120), "lm"),
    ]
    return marks


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text
