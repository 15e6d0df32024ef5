"""What a transparent picture shows: colours that go on where nothing is seen, and where there is something to learn.

Pictures are (1, C, h, w) in [-1, 1], alpha is (1, 1, h, w) in [0, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 8
"""What is cut out begins at multiples of this, so that JPEG's blocks fall as in the whole."""

RELIABLE = 0.25
"""Alpha under which a colour is believed in part: in a file that was made from premultiplied colours it is off by two
grey levels there, and by more below."""

SWEEPS = 6
"""Of Laplace's equation on every level of the pyramid."""

FLAT = 2 / 127.5
"""Root mean square of the Laplacian, [-1, 1] units, under which colours show nothing: a slope that was rounded to 8
bits has 1.3 grey levels, a photograph 5 to 50."""

SMALLEST = 32
"""Pixels a side of the smallest rectangle that noise is measured in."""


def extended(colours: Tensor, alpha: Tensor) -> Tensor:
    """`colours` where they can be seen, and going on from there, smoothly, where they cannot.

    Where alpha is 0 the result solves Laplace's equation with the visible colours as its boundary, by a pyramid with a
    few sweeps on each level; so it meets every edge without a step, and has no detail. Where alpha is under `RELIABLE`
    it lies between that and the colour. A picture of which nothing can be seen is black.
    """
    weight = (alpha / RELIABLE).clamp(0, 1)
    if float(weight.max()) == 0:
        return torch.full_like(colours, -1)
    return _filled(colours, weight)


def _filled(colours: Tensor, weight: Tensor) -> Tensor:
    if float(weight.min()) == 1 or max(colours.shape[-2:]) == 1:
        return colours
    seen = F.avg_pool2d(weight, 2, ceil_mode=True)
    mean = F.avg_pool2d(weight * colours, 2, ceil_mode=True) / seen.clamp_min(1e-12)
    # A block is as sure as its best pixel is likely to be.
    coarse = _filled(mean, (4 * seen).clamp_max(1))
    around = F.interpolate(coarse, size=colours.shape[-2:], mode="bilinear", align_corners=False)
    own = weight * colours
    x = torch.lerp(around, colours, weight)
    for _ in range(SWEEPS):
        x = own + (1 - weight) * _neighbours(x)
    return x


def _neighbours(x: Tensor) -> Tensor:
    """Mean of the four neighbours of every pixel."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:]
    return (across + wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]) / 4


def shape_is_all(colours: Tensor, alpha: Tensor) -> bool:
    """Whether the whole picture is its alpha: the `extended` colours are flat or slope evenly, alpha does not."""
    drawn = 2 * alpha - 1
    shown = _roughness(colours, alpha)
    return shown < FLAT and _roughness(drawn, torch.ones_like(alpha)) > FLAT


def _roughness(x: Tensor, weight: Tensor) -> float:
    """Root mean square of x less the mean of its neighbours, times 4, over what can be seen."""
    if float(weight.sum()) == 0:
        return 0.0
    square = (4 * (x - _neighbours(x))).square().mean(1, keepdim=True)
    return float(((square * weight).sum() / weight.sum()).sqrt())


def visible_frame(alpha: Tensor) -> tuple[slice, slice]:
    """Rows and columns around all that can be seen, from multiples of `BLOCK` on; the whole where nothing can."""
    seen = alpha[0, 0] > 0
    frame = []
    for axis in (1, 0):
        at = torch.nonzero(seen.any(axis)).flatten()
        first, last = (int(at[0]), int(at[-1]) + 1) if len(at) else (0, seen.shape[1 - axis])
        frame.append(slice(first // BLOCK * BLOCK, last))
    return frame[0], frame[1]


def opaque_rectangle(alpha: Tensor) -> tuple[slice, slice] | None:
    """Rows and columns of the largest rectangle of whole blocks without transparent pixels; None where its shorter side
    is under `SMALLEST`."""
    blocks = -F.max_pool2d(-alpha, BLOCK)[0, 0] > 1 - 0.5 / 255 if min(alpha.shape[-2:]) >= BLOCK else alpha[0, 0] > 2
    height = [0] * blocks.shape[1]
    best, found = 0, None
    for row, line in enumerate(blocks.tolist()):
        height = [one + 1 if seen else 0 for one, seen in zip(height, line, strict=True)]
        # The largest rectangle of a histogram: a stack of columns that still grow.
        stack: list[tuple[int, int]] = []
        for col, tall in enumerate([*height, 0]):
            start = col
            while stack and stack[-1][1] >= tall:
                start, high = stack.pop()
                enough = min(high, col - start) * BLOCK >= SMALLEST
                if enough and high * (col - start) > best:
                    best, found = high * (col - start), (row - high + 1, row + 1, start, col)
            stack.append((start, tall))
    if found is None:
        return None
    top, bottom, left, right = (BLOCK * n for n in found)
    return slice(top, bottom), slice(left, right)
