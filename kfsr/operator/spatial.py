"""The forward operator of the whole project: blur by a kernel, keep every s-th sample; and its exact adjoint.

Convention (settled in `kfsr.kernel.value`): correlation, no flip, reflection of (K - s)/2 pixels on every
side without repeating the edge pixel, and

    y[i] = sum_m k[m] * x[s*i + m - (K - s)/2],    i = 0 .. H//s - 1.

Everything that degrades a picture, in estimators, solvers, scores and commands, calls `degrade`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.errors import UsageError


def reflect_index(size: int, before: int, after: int, device: torch.device | None = None) -> Tensor:
    """Indices that extend an axis of `size` by reflection (edge not repeated), also beyond the size."""
    i = torch.arange(-before, size + after, device=device)
    if size == 1:
        return torch.zeros_like(i)
    period = 2 * (size - 1)
    i = i.remainder(period)
    return torch.where(i < size, i, period - i)


def reflect_pad(x: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """`x` (..., H, W) extended by reflection; unlike torch's own padding it has no limit by the image's size.

    Negative amounts crop.
    """
    h, w = x.shape[-2:]
    fits = min(top, bottom, left, right) >= 0 and max(top, bottom) < h and max(left, right) < w
    if fits and x.ndim in (3, 4):
        return F.pad(x, (left, right, top, bottom), mode="reflect")
    rows = reflect_index(h, top, bottom, x.device)
    cols = reflect_index(w, left, right, x.device)
    return x[..., rows, :][..., cols]


def degrade(x: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Low-resolution image of `x`: (B, C, H, W) to (B, C, H//s, W//s), differentiable, any float dtype.

    kernel: (K, K) in the canonical convention, K = s (mod 2); it is not normalised here. Raises UsageError
    when the parity is wrong or the image is smaller than one low-resolution pixel.
    """
    b, c, h, w = x.shape
    size = kernel.shape[-1]
    _check(kernel, scale, (h, w))
    margin = (size - scale) // 2
    # What lies beyond the last whole s x s block is seen by the kernel but starts no sample of its own.
    padded = reflect_pad(x, margin, margin, margin, margin)
    y = F.conv2d(padded.reshape(b * c, 1, *padded.shape[-2:]), kernel.to(x.dtype)[None, None], stride=scale)
    return y.reshape(b, c, *y.shape[-2:])


def as_stored(x: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """What a file would hold of `x`, [-1, 1]: white noise of that standard deviation added, rounded to 8 bits.

    The generator is a CPU one.
    """
    noisy = x + noise * torch.randn(x.shape, generator=generator).to(x.device)
    return (((noisy + 1) * 127.5).round() / 127.5 - 1).clamp(-1, 1)


def adjoint(y: Tensor, kernel: Tensor, scale: int, size: tuple[int, int]) -> Tensor:
    """Exact transpose of `degrade` for high-resolution `size` (H, W): (B, C, H//s, W//s) to (B, C, H, W).

    <degrade(x), y> = <x, adjoint(y)> for all x and y, the reflected border included.
    """
    b, c = y.shape[:2]
    h, w = size
    _check(kernel, scale, size)
    if y.shape[-2:] != (h // scale, w // scale):
        raise UsageError(f"{tuple(y.shape[-2:])} is not the low-resolution size of {size} at scale {scale}")
    margin = (kernel.shape[-1] - scale) // 2
    flat = F.conv_transpose2d(y.reshape(b * c, 1, *y.shape[-2:]), kernel.to(y.dtype)[None, None], stride=scale)
    full = flat.new_zeros(b * c, h + 2 * margin, w + 2 * margin)
    full[:, : flat.shape[-2], : flat.shape[-1]] = flat[:, 0]
    rows = reflect_index(h, margin, margin, y.device)
    cols = reflect_index(w, margin, margin, y.device)
    folded = full.new_zeros(b * c, h, w + 2 * margin).index_add_(1, rows, full)
    out = full.new_zeros(b * c, h, w).index_add_(2, cols, folded)
    return out.reshape(b, c, h, w)


def bicubic_upscale(y: Tensor, scale: int) -> Tensor:
    """Bicubic (a = -0.75, torch's, ``align_corners=False``): (B, C, h, w) to (B, C, s*h, s*w)."""
    if scale == 1:
        return y.clone()
    return F.interpolate(y, scale_factor=float(scale), mode="bicubic", align_corners=False)


def _check(kernel: Tensor, scale: int, size: tuple[int, int]) -> None:
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or (kernel.shape[0] - scale) % 2:
        raise UsageError(f"kernel of shape {tuple(kernel.shape)} does not fit scale {scale}: wrong parity or form")
    if min(size) < scale:
        raise UsageError(f"a picture of {size[1]}x{size[0]} px is too small to be downscaled by {scale}")
