"""The forward operator in the Fourier domain, and the exact data step (Zhao et al. 2016; USRNet, eq. 9).

The same convention and the same kernels, (K, K) or (B or 1, C or 1, K, K), as `kfsr.operator.spatial`, with border
"circular". In the Fourier domain blur is a product, and keeping every s-th sample the mean of the s*s aliases.
"""

from __future__ import annotations

from functools import reduce
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from kfsr.operator.spatial import low_res_size, reflect_pad

Spectrum = TypeVar("Spectrum", Tensor, np.ndarray)

SMOOTH, STEPS = 0.01, 15
"""Of `continued`: enough steps that the border is explained, few enough that noise is not."""


def transfer_function(kernel: Tensor, scale: int, size: tuple[int, int]) -> Tensor:
    """What blur by canonical kernels (..., K, K) multiplies a spectrum with: complex (..., H, W) for `size` (H, W).

    ``ifft2(transfer_function * fft2(x))[::s, ::s]`` is ``degrade(x, kernel, s, "circular")``. Raises UsageError for a
    kernel of the wrong parity and for H or W not divisible by s.
    """
    low_res_size(size, kernel.shape[-1], scale, "circular")
    # Entry 0 meets x[s*i - (K-s)/2]; a picture smaller than the kernel is met several times.
    reach = torch.arange(kernel.shape[-1], device=kernel.device) - (kernel.shape[-1] - scale) // 2
    rows = kernel.new_zeros(*kernel.shape[:-2], size[0], kernel.shape[-1]).index_add_(-2, reach % size[0], kernel)
    full = kernel.new_zeros(*kernel.shape[:-2], *size).index_add_(-1, reach % size[1], rows)
    # Correlation is convolution with the flipped kernel, hence the conjugate.
    return torch.fft.fft2(full).conj()


def fold(spectrum: Spectrum, scale: int) -> Spectrum:
    """Spectrum of ``x[::s, ::s]`` from that of x, the mean of the s*s aliases: (..., H, W) to (..., H/s, W/s).

    The same for power per sample, |fft2(x)|^2 / (H*W), where aliases do not interfere. H and W are divisible by s.
    """
    *each, height, width = spectrum.shape
    return spectrum.reshape(*each, scale, height // scale, scale, width // scale).mean((-4, -2))


def fold_half(half: Tensor, scale: int, width: int) -> Tensor:
    """`fold` of the whole spectrum of a real picture of that width, from the half that rfft2 gives."""
    rows = _mean_of_parts(half, scale, -2)  # first, since that needs no other half
    mirrored = rows[..., 1 : (width + 1) // 2].flip(-1, -2).roll(1, -2).conj()
    return _mean_of_parts(torch.cat([rows, mirrored], -1), scale, -1)


def unfold_half(low_res: Tensor, scale: int, width: int) -> Tensor:
    """The half spectrum, of a picture of that width, that repeats a low-resolution spectrum in all of its aliases."""
    return low_res.repeat(*[1] * (low_res.ndim - 2), scale, scale // 2 + 1)[..., : width // 2 + 1]


class DataStep:
    """argmin_x |y - degrade(x, kernel, scale, "circular")|^2 + a |x - z|^2, prepared once for one y and one kernel.

    low_res: y (B, C, h, w), any range; kernel: canonical, (K, K) or (B or 1, C or 1, K, K); the result is
    (B, C, s*h, s*w).
    """

    def __init__(self, low_res: Tensor, kernel: Tensor, scale: int) -> None:
        self.scale = scale
        self.size = (low_res.shape[-2] * scale, low_res.shape[-1] * scale)
        # Of real pictures half the columns of a spectrum say all.
        self.transfer = transfer_function(kernel, scale, self.size)[..., : self.size[1] // 2 + 1].contiguous()
        self.power = fold_half(self.transfer.abs() ** 2, scale, self.size[1])
        self.low_res = torch.fft.fft2(low_res)

    def __call__(self, z: Tensor, a: Tensor | float) -> Tensor:
        """z (B, C, H, W) moved onto the data; `a` broadcasts against (B, C, 1, 1)."""
        again = fold_half(self.transfer * torch.fft.rfft2(z), self.scale, self.size[1])
        missing = (self.low_res - again) / (self.power + a)
        change = self.transfer.conj() * unfold_half(missing, self.scale, self.size[1])
        return torch.fft.irfft2(change, s=self.size).add_(z)


def circular_degrade(x: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """``degrade(x, kernel, scale, "circular")`` by FFT, which is faster for large kernels: (..., H, W) to
    (..., H/s, W/s), H and W divisible by s, differentiable in both arguments."""
    transfer = transfer_function(kernel, scale, (x.shape[-2], x.shape[-1]))
    return torch.fft.ifft2(fold(transfer * torch.fft.fft2(x), scale)).real


def difference_transfer(shape: tuple[int, int], axis: int) -> Tensor:
    """Transfer function of the circular difference x[i + 1] - x[i] along an axis, 0 or 1: complex (H, W)."""
    canvas = torch.zeros(shape)
    canvas[0, 0] = -1.0
    canvas[(-1, 0) if axis == 0 else (0, -1)] = 1.0
    return torch.fft.fft2(canvas)


def border(kernel_size: int, scale: int) -> int:
    """Low-resolution pixels of margin that keep the wrap-around of `DataStep` out of the picture."""
    return -(-kernel_size // (2 * scale)) + 4


def fast_size(size: int) -> int:
    """The next number from `size` on without a prime factor above 13: any other makes an FFT two or three times as slow
    (MKL), or more."""
    while not _is_fast(size):
        size += 1
    return size


def padded(low_res: Tensor, margin: int, *, fast: bool = False) -> Tensor:
    """`low_res` (B, C, h, w) extended by `margin` pixels on every side so that it goes on smoothly where it wraps.

    Between one border and the other, around the circle, lie 2 * margin pixels: the reflection at the one fades into
    the reflection at the other. A jump there would ring far into the picture. fast: extended further below and on the
    right, to sizes that are `fast_size`s.
    """
    for _ in range(2):
        size = low_res.shape[-1]
        around = (fast_size(size + 2 * margin) if fast else size + 2 * margin) - size
        fade = 0.5 + 0.5 * torch.cos(torch.pi * (torch.arange(around, device=low_res.device) + 0.5) / around)
        wide = reflect_pad(low_res, 0, 0, around, around)
        gap = fade * wide[..., size + around :] + (1 - fade) * wide[..., :around]
        low_res = torch.cat([gap[..., around - margin :], low_res, gap[..., : around - margin]], -1).transpose(-1, -2)
    return low_res


@torch.no_grad()
def continued(blurred: Tensor, kernel: Tensor, margin: int, *, fast: bool = False) -> Tensor:
    """`blurred` (B, C, h, w), of scale 1, extended as `padded` does, by what a sharp picture that explains it shows
    there through the kernel, (K, K) or (B or 1, C or 1, K, K): a wide kernel brings in much from beyond the border.

    That picture is argmin_x |k * x - blurred|^2 inside + `SMOOTH` |grad x|^2 everywhere, after `STEPS` of conjugate
    gradients.
    """
    y = padded(blurred, margin, fast=fast)
    size = (y.shape[-2], y.shape[-1])
    half = slice(size[1] // 2 + 1)
    inside = (..., slice(margin, margin + blurred.shape[-2]), slice(margin, margin + blurred.shape[-1]))
    seen = torch.zeros(size, device=y.device)
    seen[inside] = 1
    blur = transfer_function(kernel, 1, size)[..., half].contiguous()
    rough = sum(difference_transfer(size, axis)[:, half].abs().square() for axis in (0, 1)) * SMOOTH
    rough = torch.as_tensor(rough).to(y.device)

    def through(x: Tensor, spectrum: Tensor) -> Tensor:
        return torch.fft.irfft2(spectrum * torch.fft.rfft2(x), s=size)

    def normal(x: Tensor) -> Tensor:
        return through(seen * through(x, blur), blur.conj()) + through(x, rough)

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((-2, -1), keepdim=True)

    x = y
    rest = through(seen * y, blur.conj()) - normal(x)
    ahead, power = rest, dot(rest, rest)
    for _ in range(STEPS):
        again = normal(ahead)
        step = power / dot(ahead, again).clamp_min(1e-20)
        x, rest = x + step * ahead, rest - step * again
        last, power = power, dot(rest, rest)
        ahead = rest + power / last.clamp_min(1e-20) * ahead
    out = through(x, blur)
    out[inside] = blurred
    return out


def _mean_of_parts(spectrum: Tensor, parts: int, axis: int) -> Tensor:
    """Mean of equal parts along an axis: several times as fast as `mean`, whose steps through memory are long."""
    total = reduce(torch.add, spectrum.chunk(parts, axis))
    return total / parts


def _is_fast(size: int) -> bool:
    for factor in (2, 3, 5, 7, 11, 13):
        while size % factor == 0:
            size //= factor
    return size == 1
