"""Solving with a kernel that changes over the frame: tiles with the kernel of their middle, that fade into each other.

A tile is no larger than what a field changes little over (`LARGEST_SHARE` of a cell), and neighbours overlap by
2 * `FADE` pixels, over which the weight goes linearly from one to the other: of two solutions with two kernels, that is
the solution with the kernel between them but for their difference squared. So there is no seam, and the memory is that
of one tile and the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from kfsr.kernel.field import KernelField
from kfsr.operator.varying import place_weights

FADE = 24
"""Pixels on each side of a border between two tiles over which they fade into each other."""

HALO = 20
"""Pixels beyond the fade, and beyond what the kernel reaches, that are solved with a tile and thrown away."""

LARGEST_SHARE = 0.75
"""Of a field's cell, the side of a tile; but see `SMALLEST`."""

SMALLEST = 128
"""Pixels a side under which a tile is mostly halo."""

Frame = tuple[int, int, int, int]
"""Where a picture lies in the lens's frame: its first row and column, and the frame's rows and columns."""


def kernel_at(field: KernelField, row: float, col: float) -> Tensor:
    """(1, channels, K, K) float32: the field's kernels at a place, 0 to 1 from the frame's first to its last edge."""
    cells = field.array.shape[:2]
    down, across = (_weights(n, at) for n, at in zip(cells, (row, col), strict=True))
    k = torch.einsum("r,c,rcnij->nij", down, across, torch.from_numpy(field.array.copy()))
    return k[None].float()


@torch.no_grad()
def over_frame(
    picture: Tensor, field: KernelField, frame: Frame, solve: Callable[[Tensor, Tensor], Tensor], most: int
) -> Tensor:
    """What `solve(part, kernel)` makes of `picture` (1, C, h, w), scale 1, part by part: (1, C, h, w).

    solve: gives a picture of its part's size; kernel (1, 1 or C, K, K). most: side of a tile, at most. A picture of one
    channel is solved with the mean of the field's colours.
    """
    if picture.shape[1] == 1 and field.array.shape[2] > 1:
        field = KernelField(field.array.mean(2, keepdims=True), field.scale)
    height, width = picture.shape[-2:]
    halo = HALO + FADE + field.array.shape[-1] // 2
    sides = [
        min(most, max(SMALLEST, math.ceil(LARGEST_SHARE * whole / cells)))
        for whole, cells in zip(frame[2:], field.array.shape[:2], strict=True)
    ]
    out = torch.zeros_like(picture)
    for top, rows in _cores(height, sides[0]):
        for left, cols in _cores(width, sides[1]):
            first = max(0, top - halo), max(0, left - halo)
            part = picture[..., first[0] : top + rows + halo, first[1] : left + cols + halo]
            kernel = kernel_at(field, (frame[0] + top + rows / 2) / frame[2], (frame[1] + left + cols / 2) / frame[3])
            solved = solve(part, kernel.to(picture.device)).to(out)
            down, across = (
                _fading(start, length, whole, at, size).to(out)
                for start, length, whole, at, size in zip(
                    (top, left), (rows, cols), (height, width), first, part.shape[-2:], strict=True
                )
            )
            target = out[..., first[0] : first[0] + part.shape[-2], first[1] : first[1] + part.shape[-1]]
            target += solved * torch.outer(down, across)
    return out


def _weights(places: int, at: float) -> Tensor:
    """(places,): what `place_weights` are at one place, 0 to 1, of an axis."""
    fine = 4096
    return place_weights(places, fine)[:, min(fine - 1, max(0, int(at * fine)))]


def _cores(size: int, side: int) -> Iterator[tuple[int, int]]:
    """(start, length) of about equal pieces of an axis, no longer than `side`."""
    count = math.ceil(size / side)
    ends = [round(n * size / count) for n in range(count + 1)]
    yield from ((start, stop - start) for start, stop in pairwise(ends))


def _fading(start: int, length: int, whole: int, at: int, size: int) -> Tensor:
    """(size,) weights, along an axis of `whole`, of the pixels `at`, `at` + 1, ... of a tile whose core is given. Those
    of all tiles add up to 1; at the picture's border nothing fades."""
    place = torch.arange(at, at + size) + 0.5
    fade = FADE  # cores are never shorter than twice that, but where there is only one
    rise = torch.ones(size) if start == 0 else ((place - start) / (2 * fade) + 0.5).clamp(0, 1)
    stop = start + length
    fall = torch.ones(size) if stop == whole else ((stop - place) / (2 * fade) + 0.5).clamp(0, 1)
    return torch.minimum(rise, fall)
