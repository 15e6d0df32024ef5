"""Solving a large picture in tiles: what bounds the memory, and what is done when it is too little after all."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kfsr.errors import is_out_of_memory
from kfsr.numerics import autocast, check_finite, in_working_precision
from kfsr.operator.fourier import border, padded
from kfsr.progress import Progress, silent

BLOCK = 8
"""Tiles begin at multiples of this, so that the blocks of pixels that a network works on fall as in the whole."""

HALO = 48
"""High-resolution pixels, at least, around a tile that are solved with it and thrown away: more of them bring it no
nearer to the same part of the whole."""

SMALLEST = 64
"""Low-resolution pixels a side: under it a tile is mostly halo, and halving it saves next to nothing."""

Forward = Callable[[Tensor, Progress], Tensor]
"""A solver but for its low-resolution picture (1, C, h, w), any h, w; the high-resolution one is (1, C, s*h, s*w). It
tells its steps as `Progress`, as many for every picture, the last being its end."""


@dataclass(frozen=True)
class Tile:
    """Part of the low-resolution picture: first row, first column, rows, columns."""

    row: int
    col: int
    rows: int
    cols: int

    def cut(self, side: int) -> Iterator[Tile]:
        """The tile in pieces of at most about `side` on a side, as equal as multiples of `BLOCK` allow."""
        for row, rows in _steps(self.rows, side):
            for col, cols in _steps(self.cols, side):
                yield Tile(self.row + row, self.col + col, rows, cols)


@torch.no_grad()
def solve_in_tiles(
    low_res: Tensor,
    kernel_size: int,
    scale: int,
    forward: Forward,
    tile: int | None = None,
    progress: Progress = silent,
) -> Tensor:
    """What a solver's `forward` makes of `low_res` (1, C, h, w): (1, C, s*h, s*w), without gradient.

    Networks compute in the device's working precision, and in float32 where that gives no finite result. tile: side in
    low-resolution pixels of the pieces that the picture is solved in, which bounds the memory; one of no more pixels
    than a tile, or any with None, is solved as it is. Around a larger one lies the margin of the extension that solvers
    make for a kernel of `kernel_size` (`padded`), so that tiles at its border see what the whole would; at scale 1,
    where they explain what lies beyond the border (`continued`), a tile ends where the picture does. Where the
    memory is too little (`is_out_of_memory`) the tile and all that are left are halved, down to `SMALLEST`; then the
    error is raised. progress: is told the steps of all tiles together. Raises NumericalError where a tile is not
    finite; what is pasted is finite and of the right size.
    """
    margin, halo = border(kernel_size, scale), halo_at(scale, kernel_size)
    h, w = low_res.shape[-2:]
    if tile is None or h * w <= tile**2:
        try:
            return _solved(low_res, scale, forward, progress)
        except (RuntimeError, MemoryError) as error:
            tile = _smaller(max(h, w), error)
    out = low_res.new_empty(*low_res.shape[:2], scale * h, scale * w)
    around = None if scale == 1 else padded(low_res, margin)
    waiting = list(Tile(0, 0, h, w).cut(tile))
    done = 0

    def of_all(stage: str, step: int, total: int) -> None:
        progress(stage, done * total + step, (done + len(waiting)) * total)

    while waiting:
        one = waiting[0]
        if around is None:
            top, left = max(0, one.row - halo), max(0, one.col - halo)
            piece = low_res[..., top : one.row + one.rows + halo, left : one.col + one.cols + halo]
            first = (one.row - top, one.col - left)
        else:
            piece, first = _with_halo(around, one, halo, margin), (halo, halo)
        try:
            x = _solved(piece, scale, forward, of_all)
        except (RuntimeError, MemoryError) as error:
            tile = _smaller(max(one.rows, one.cols), error)
            waiting = [part for left in waiting for part in left.cut(tile)]
            continue
        inner = x[..., scale * first[0] :, scale * first[1] :][..., : scale * one.rows, : scale * one.cols]
        out[..., scale * one.row :, scale * one.col :][..., : scale * one.rows, : scale * one.cols] = inner
        del waiting[0]
        done += 1
    return out


def halo_at(scale: int, kernel_size: int) -> int:
    """`HALO` in low-resolution pixels, whole blocks; at scale 1 a kernel's width, which is much there, beside it."""
    reach = kernel_size if scale == 1 else 0
    return math.ceil((HALO / scale + reach) / BLOCK) * BLOCK


def cropped(x: Tensor, rim: int) -> Tensor:
    """(..., H, W) without `rim` pixels on every side."""
    return x[..., rim : x.shape[-2] - rim, rim : x.shape[-1] - rim]


def on_device_or_cpu(device: torch.device, compute: Callable[[torch.device], Tensor]) -> Tensor:
    """`compute(device)`, or `compute` on the CPU, with a UserWarning, where the device's memory is too little."""
    try:
        return compute(device)
    except (RuntimeError, MemoryError) as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    warnings.warn(f"{device} has too little memory for the solver; the CPU takes over", UserWarning, stacklevel=2)
    return compute(torch.device("cpu"))


def _smaller(side: int, error: Exception) -> int:
    """The side of the tiles to go on with after `error` in one of `side`; raises it where that would not help."""
    if not is_out_of_memory(error) or side <= SMALLEST:
        raise error
    return max(SMALLEST, side // 2)


def _with_halo(around: Tensor, one: Tile, halo: int, margin: int) -> Tensor:
    """The tile and `halo` on every side; the extended picture is periodic."""
    rows = torch.arange(one.row - halo, one.row + one.rows + halo, device=around.device) + margin
    cols = torch.arange(one.col - halo, one.col + one.cols + halo, device=around.device) + margin
    return around[..., rows % around.shape[-2], :][..., cols % around.shape[-1]]


def _solved(low_res: Tensor, scale: int, forward: Forward, progress: Progress) -> Tensor:
    wanted = (*low_res.shape[:2], scale * low_res.shape[-2], scale * low_res.shape[-1])

    def run(dtype: torch.dtype) -> Tensor:
        with autocast(low_res.device, dtype):
            x = forward(low_res, progress)
        if x.shape != wanted:
            raise ValueError(f"the solver gave {tuple(x.shape)} where {wanted} was asked for")
        check_finite("solver", x)
        return x

    return in_working_precision(low_res.device, run)


def _steps(size: int, side: int) -> Iterator[tuple[int, int]]:
    """(start, length) of equal pieces along one axis."""
    step = math.ceil(size / math.ceil(size / side) / BLOCK) * BLOCK
    for start in range(0, size, step):
        yield start, min(step, size - start)
