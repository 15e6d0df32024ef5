"""The forward operator of the whole project: blur by a kernel, keep every s-th sample; and its exact adjoint.

Convention: correlation, no flip, K = s (mod 2), and for a picture that goes on beyond its border

    y[i] = sum_m k[m] * x[s*i + m - (K - s)/2],    i = 0 .. H//s - 1,

so that low-resolution pixel i sits at high-resolution coordinate s*i + (s - 1)/2 when the kernel's centre of mass is
at (K - 1)/2. How the picture goes on is the `Border`:

    "reflect"   mirrored at the outer pixels, which are not repeated: what a photograph is taken to do
    "circular"  from one border to the other, H and W divisible by s: what the Fourier domain does
    "valid"     not at all: y[i] = sum_m k[m] * x[s*i + m], i = 0 .. (H - K)//s, is what x alone decides

Kernels are (K, K), or (B or 1, C or 1, K, K) for one per picture, per channel, or both; they are not normalised here.
Everything that degrades a picture, in estimators, solvers, scores and commands, calls `degrade`, or one of the forms
tested against it: `kfsr.operator.fourier` (circular, fast for large kernels), `kfsr.operator.varying` (kernels that
change over the frame).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.errors import UsageError

LARGE = 17
"""Side of a kernel from which on, at scale 1, Fourier transforms are faster: 4 times, and 30 at a side of 65."""

Border = Literal["reflect", "circular", "valid"]
"""How a picture goes on beyond its border; see the module's text."""


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


def extend(x: Tensor, margin: int, border: Border) -> Tensor:
    """`x` (B, C, H, W) continued by `margin` pixels on every side; a negative margin crops, "valid" changes nothing."""
    if border == "valid":
        return x
    if border == "reflect":
        return reflect_pad(x, margin, margin, margin, margin)
    if 0 <= margin <= min(x.shape[-2:]):
        return F.pad(x, (margin,) * 4, mode="circular")
    rows, cols = (_beyond(n, margin, border, x.device) for n in x.shape[-2:])
    return x[..., rows, :][..., cols]


def extend_adjoint(x: Tensor, margin: int, border: Border) -> Tensor:
    """Exact transpose of `extend`: every pixel of the margin is added to the one that it was a copy of."""
    if border == "valid":
        return x
    for axis in (-2, -1):
        size = x.shape[axis] - 2 * margin
        shape = list(x.shape)
        shape[axis] = size
        x = x.new_zeros(shape).index_add_(axis, _beyond(size, margin, border, x.device), x)
    return x


def degrade(x: Tensor, kernel: Tensor, scale: int, border: Border = "reflect") -> Tensor:
    """Low-resolution image of `x` (B, C, H, W), differentiable in both arguments; any float dtype, which is kept.

    (B, C, H//s, W//s), or for border "valid" (B, C, (H - K)//s + 1, (W - K)//s + 1). kernel: in the canonical
    convention, see the module's text. Raises UsageError for a kernel of the wrong form or parity, and for a picture
    that is smaller than one low-resolution pixel or does not suit the border.
    """
    low_res_size(x.shape[-2:], kernel.shape[-1], scale, border)
    # What lies beyond the last whole s x s block is seen by the kernel but starts no sample of its own.
    wide = extend(x, (kernel.shape[-1] - scale) // 2, border)
    planes, weight = _planes(wide, kernel, batch=True)
    if scale == 1 and weight.shape[-1] >= LARGE and x.dtype in (torch.float32, torch.float64):
        y = _correlated(planes, weight.transpose(0, 1))
    else:
        y = F.conv2d(planes, weight, stride=scale, groups=len(weight))
    return y.reshape(*x.shape[:2], *y.shape[-2:])


def adjoint(y: Tensor, kernel: Tensor, scale: int, size: tuple[int, int], border: Border = "reflect") -> Tensor:
    """Exact transpose of `degrade` for high-resolution `size` (H, W): (B, C, h, w) to (B, C, H, W).

    <degrade(x), y> = <x, adjoint(y)> for all x and y, the border included. Raises UsageError as `degrade` does, and
    when `y` has another size than it gives.
    """
    if y.shape[-2:] != low_res_size(size, kernel.shape[-1], scale, border):
        raise UsageError(f"{tuple(y.shape[-2:])} is not the low-resolution size of {size} at scale {scale}")
    margin = 0 if border == "valid" else (kernel.shape[-1] - scale) // 2
    # torch transposes a batch up to 20 times more slowly than groups.
    planes, weight = _planes(y, kernel, batch=False)
    seen = F.conv_transpose2d(planes, weight, stride=scale, groups=len(weight))
    # Rows and columns beyond the last sample's kernel are seen by none.
    missing = (size[1] + 2 * margin - seen.shape[-1], size[0] + 2 * margin - seen.shape[-2])
    wide = F.pad(seen, (0, missing[0], 0, missing[1])).reshape(*y.shape[:2], *(n + 2 * margin for n in size))
    return extend_adjoint(wide, margin, border)


def windows(x: Tensor, size: int, scale: int, border: Border = "reflect") -> Tensor:
    """What a kernel of side `size` meets: (B, C, H, W) to (B, C, K*K, h, w), so that
    ``degrade(x, k, scale, border) = einsum("k,bckhw->bchw", k.flatten(), windows(x, K, scale, border))``."""
    h, w = low_res_size(x.shape[-2:], size, scale, border)
    wide = extend(x, (size - scale) // 2, border)
    return F.unfold(wide.flatten(0, 1)[:, None], size, stride=scale).reshape(*x.shape[:2], size**2, h, w)


def as_stored(x: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """What a file would hold of `x`, [-1, 1]: white noise of that standard deviation added, rounded to 8 bits.

    The generator is a CPU one.
    """
    noisy = x + noise * torch.randn(x.shape, generator=generator).to(x.device)
    return (((noisy + 1) * 127.5).round() / 127.5 - 1).clamp(-1, 1)


def bicubic_upscale(y: Tensor, scale: int) -> Tensor:
    """Bicubic (a = -0.75, torch's, ``align_corners=False``): (B, C, h, w) to (B, C, s*h, s*w)."""
    if scale == 1:
        return y.clone()
    return F.interpolate(y, scale_factor=float(scale), mode="bicubic", align_corners=False)


def low_res_size(size: Sequence[int], side: int, scale: int, border: Border = "reflect") -> tuple[int, int]:
    """(h, w) of what `degrade` makes of (H, W) with a kernel (side, side). Raises UsageError as it does."""
    height, width = size
    if (side - scale) % 2:
        raise UsageError(f"a kernel of side {side} does not fit scale {scale}: wrong parity")
    if border not in get_args(Border):
        raise UsageError(f"border {border!r} is unknown; use one of {', '.join(get_args(Border))}")
    if min(size) < (side if border == "valid" else scale):
        raise UsageError(f"a picture of {width}x{height} px is too small to be downscaled by {scale}")
    if border == "circular" and (height % scale or width % scale):
        raise UsageError(f"a picture of {width}x{height} px cannot wrap around: its sides are not multiples of {scale}")
    if border == "valid":
        return (height - side) // scale + 1, (width - side) // scale + 1
    return height // scale, width // scale


def _correlated(planes: Tensor, weight: Tensor) -> Tensor:
    """Planes (..., H, W) under their weights (..., K, K), where all of them lie inside: (..., H - K + 1, W - K + 1)."""
    from kfsr.operator.fourier import fast_size  # which needs this module

    h, w = (n - weight.shape[-1] + 1 for n in planes.shape[-2:])
    size = [fast_size(n) for n in planes.shape[-2:]]
    spectrum = torch.fft.rfft2(planes, s=size) * torch.fft.rfft2(weight, s=size).conj()
    return torch.fft.irfft2(spectrum, s=size)[..., :h, :w]


def _planes(x: Tensor, kernel: Tensor, batch: bool) -> tuple[Tensor, Tensor]:
    """Operands of a convolution in as many groups as there are weights: one for each plane of `x`, or, with `batch` and
    where all planes share the kernel, a single one."""
    b, c = x.shape[:2]
    side, each = kernel.shape[-1], kernel.shape[:-2] or (1, 1)
    if kernel.ndim not in (2, 4) or kernel.shape[-2] != side or each[0] not in (1, b) or each[1] not in (1, c):
        raise UsageError(f"kernel of shape {tuple(kernel.shape)} does not fit {b} pictures of {c} channels: wrong form")
    kernel = kernel.to(x.dtype).reshape(*each, side, side)
    if batch and each == (1, 1):
        return x.reshape(b * c, 1, *x.shape[-2:]), kernel
    return x.reshape(1, b * c, *x.shape[-2:]), kernel.expand(b, c, side, side).reshape(b * c, 1, side, side)


def _beyond(size: int, margin: int, border: Border, device: torch.device) -> Tensor:
    """The pixel that stands at each place of an extended axis."""
    if border == "circular":
        return torch.arange(-margin, size + margin, device=device).remainder(size)
    return reflect_index(size, margin, margin, device)
