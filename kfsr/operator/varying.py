"""The forward operator for a kernel that changes over the frame: `kfsr.kernel.field.KernelField`.

The kernel of a low-resolution pixel is interpolated, at that pixel, from the kernels of the places around it. Blur is
linear in the kernel, so this is a weighted sum over places p,

    y = sum_p w_p * degrade(x, k_p),

with the weights applied to the low-resolution pixels, after the blur, and not to x before it: every pixel of y sees one
kernel, whose sum is 1, so that flat areas stay as they are. The weights w_p are products of linear interpolations along
both axes (see `place_weights`); they reach no further than the neighbouring places, and only that far a place's kernel
is applied.

kernels: (rows, cols, 1 or C, K, K), a tensor of `KernelField.array`; both functions are differentiable in it, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kfsr.errors import UsageError
from kfsr.operator import spatial
from kfsr.operator.spatial import Border, extend, extend_adjoint, low_res_size


def place_weights(places: int, pixels: int) -> Tensor:
    """(places, pixels), float64: how much of each place's kernel every low-resolution pixel of an axis has; sum 1.

    The axis is divided into as many equal cells as there are places, which stand at their centres; the weights are
    linear between the centres and constant outside.
    """
    at = (torch.arange(pixels, dtype=torch.float64) + 0.5) * places / pixels - 0.5
    at = at.clamp(0, places - 1)
    return (1 - (at - torch.arange(places)[:, None]).abs()).clamp(min=0)


def degrade(x: Tensor, kernels: Tensor, scale: int, border: Border = "reflect") -> Tensor:
    """Low-resolution image of `x` (B, C, H, W), of the size that `spatial.degrade` gives; it raises the same errors."""
    side = _side(kernels)
    size = low_res_size(x.shape[-2:], side, scale, border)
    wide = extend(x, (side - scale) // 2, border)
    y = x.new_zeros(*x.shape[:2], *size)
    for kernel, weight, rows, cols in _parts(kernels, size, x):
        seen = (..., _seen(rows, scale, side), _seen(cols, scale, side))
        y[..., rows, cols] += weight * spatial.degrade(wide[seen], kernel, scale, "valid")
    return y


def adjoint(y: Tensor, kernels: Tensor, scale: int, size: tuple[int, int], border: Border = "reflect") -> Tensor:
    """Exact transpose of `degrade` for high-resolution `size` (H, W): (B, C, h, w) to (B, C, H, W)."""
    side = _side(kernels)
    low_size = low_res_size(size, side, scale, border)
    if tuple(y.shape[-2:]) != low_size:
        raise UsageError(f"{tuple(y.shape[-2:])} is not the low-resolution size of {size} at scale {scale}")
    margin = 0 if border == "valid" else (side - scale) // 2
    wide = y.new_zeros(*y.shape[:2], *(n + 2 * margin for n in size))
    for kernel, weight, rows, cols in _parts(kernels, low_size, y):
        part = wide[..., _seen(rows, scale, side), _seen(cols, scale, side)]
        part += spatial.adjoint(weight * y[..., rows, cols], kernel, scale, (part.shape[-2], part.shape[-1]), "valid")
    return extend_adjoint(wide, margin, border)


def _side(kernels: Tensor) -> int:
    if kernels.ndim != 5:
        raise UsageError(f"kernels of a field are (rows, cols, channels, K, K), not {tuple(kernels.shape)}")
    return kernels.shape[-1]


def _parts(kernels: Tensor, size: tuple[int, int], like: Tensor) -> Iterator[tuple[Tensor, Tensor, slice, slice]]:
    """Of every place: its kernel (1, channels, K, K), its weights, and the low-resolution rows and columns of these."""
    down, across = (place_weights(*each).to(like) for each in zip(kernels.shape[:2], size, strict=True))
    for r, vertical in enumerate(down):
        for c, horizontal in enumerate(across):
            rows, cols = _reach(vertical), _reach(horizontal)
            if rows and cols:
                yield kernels[r, c][None], torch.outer(vertical[rows], horizontal[cols]), rows, cols


def _reach(weights: Tensor) -> slice | None:
    """From the first to the last pixel with a weight; None without one, in a frame of fewer pixels than places."""
    used = weights.nonzero().flatten().tolist()
    return slice(used[0], used[-1] + 1) if used else None


def _seen(pixels: slice, scale: int, side: int) -> slice:
    """The pixels of the extended picture that the kernels of these low-resolution pixels cover."""
    return slice(scale * pixels.start, scale * (pixels.stop - 1) + side)
