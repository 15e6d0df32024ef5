"""What a result must keep of the picture beside its detail: gray that is gray, mean colours, and clean transparency."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.image import Image

BLOCK = 4
"""Low-resolution pixels a side whose mean is taken before anything is smoothed."""

REACH = 4.0
"""Standard deviation, in blocks, of the window over which the result keeps the picture's mean: wide enough that no
grain comes back, narrow enough that a window of a picture is corrected as the whole is."""

ROUNDS = 3
"""Of the correction: a bent curve does not move the middle tones of every place by as much."""

LEAST_MOVABLE = 0.02
"""Share of middle tones, 1 - x^2, under which they are not asked to make up for the rest."""

MOST = 0.1
"""The strongest bend, 13 grey levels in the middle tones: asked for by text, where nothing but edges can move."""

BAND = 64
"""Rows of blocks corrected at once."""

PEAK = 1.0
"""How far alpha may leave the range of the pixels around it, in parts of that range: a stroke thinner than a pixel is
to get its full height back, an even area is to stay even."""

INVISIBLE = 0.5 / 255
"""Alpha that is stored as fully transparent in 8 bits."""


def as_gray(image: Image) -> Image:
    """A picture whose three channels are equal, as one channel; any other as it is."""
    first = image.pixels[..., :1]
    if image.channels == 1 or not np.array_equal(image.pixels, np.broadcast_to(first, image.pixels.shape)):
        return image
    return image.with_pixels(first.copy(), image.alpha)


def keep_means(
    high_res: Tensor, low_res: Tensor, alpha: Tensor | None, scale: int, kernel: Tensor | None = None
) -> None:
    """Clip `high_res` (1, C, s*h, s*w) to [-1, 1] and give it, in place, the means of `low_res` (1, C, h, w).

    Solvers and clipping change them, of a noisy picture most. The difference between both, smoothed over `REACH`, is
    given back by a bent tone curve, which moves the middle tones and leaves black and white alone: nothing is clipped
    again, and no white page turns gray. alpha: (1, 1, h, w) in [-1, 1] or None; what is not seen does not count.
    kernel: (K, K), through which the means are compared: at scale 1 it may be wider than the window; None for others.
    """
    high_res.clamp_(-1, 1)
    low_res = low_res.to(high_res.device)
    seen = torch.ones_like(low_res[:, :1]) if alpha is None else (alpha.to(high_res.device) + 1) / 2
    for _ in range(ROUNDS):
        bands = high_res.split(BAND * BLOCK * scale, -2)
        shown = torch.cat([F.avg_pool2d(band, scale) for band in bands], -2)
        movable = torch.cat([F.avg_pool2d(1 - band.square(), scale) for band in bands], -2)
        if kernel is None:
            missing = _smooth(seen * (low_res - shown))
        else:
            missing = _smooth(seen * low_res) - _blurred(_smooth(seen * shown), kernel)
        movable = _smooth(seen * movable)
        _bend(high_res, missing / movable.clamp_min(LEAST_MOVABLE), scale)


def _smooth(x: Tensor) -> Tensor:
    """Means of blocks, under a Gaussian of `REACH`; the border mirrors its own blocks too, which leaves the mean as it
    is."""
    x = F.avg_pool2d(x, BLOCK, ceil_mode=True)
    radius = math.ceil(3 * REACH)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=x.device) / REACH) ** 2)
    weights = (weights / weights.sum()).to(x.dtype)
    for _ in range(2):
        size = x.shape[-1]
        at = torch.arange(-radius, size + radius, device=x.device).remainder(2 * size)
        wide = x[..., torch.minimum(at, 2 * size - 1 - at)]
        lines = wide.reshape(-1, 1, wide.shape[-1])
        x = F.conv1d(lines, weights[None, None]).reshape(x.shape).transpose(-1, -2)
    return x


def _blurred(blocks: Tensor, kernel: Tensor) -> Tensor:
    """Means of blocks (1, C, h, w) under a kernel (K, K) of pixels, each weight shared by the two nearest blocks."""
    size = kernel.shape[-1]
    at = (torch.arange(size, device=kernel.device) - (size - 1) / 2) / BLOCK
    reach = math.ceil(size / 2 / BLOCK)
    share = (1 - (at - torch.arange(-reach, reach + 1, device=kernel.device)[:, None]).abs()).clamp_min(0)
    weights = (share @ kernel @ share.T).to(blocks)[None, None]
    wide = F.pad(blocks, (reach,) * 4, mode="replicate")
    return F.conv2d(wide.transpose(0, 1), weights).transpose(0, 1)


def _bend(high_res: Tensor, field: Tensor, scale: int) -> None:
    """x <- x + field (1 - x^2), in place, a band at a time; `field`, one value a block, is interpolated."""
    side, rows = BLOCK * scale, field.shape[-2]
    for start in range(0, rows, BAND):
        stop = min(rows, start + BAND)
        band = field[..., torch.arange(start - 1, stop + 1, device=field.device).clamp(0, rows - 1), :]
        fine = F.interpolate(band, scale_factor=float(side), mode="bilinear", align_corners=False).clamp_(-MOST, MOST)
        part = high_res[..., start * side : stop * side, :]
        fine = fine[..., side : side + part.shape[-2], : part.shape[-1]]
        part.add_(fine.mul_(1 - part.square()))


def solved_alpha(alpha: Tensor, channels: int, scale: int, solve: Callable[[Tensor], Tensor]) -> Tensor:
    """High-resolution alpha (1, 1, s*h, s*w) in [-1, 1] of (1, 1, h, w), by the way from (1, C, h, w) to the picture.

    Nowhere does it leave the range of the 3 x 3 pixels around it by more than `PEAK` of that range, so what is fully
    opaque or transparent stays so up to a pixel from the edge. An even alpha is not solved.
    """
    low, high = alpha.amin(), alpha.amax()
    if low == high:
        return alpha.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
    fine = solve(alpha.expand(-1, channels, -1, -1).contiguous()).mean(1, keepdim=True)
    alpha = alpha.to(fine.device)
    top = F.max_pool2d(alpha, 3, 1, padding=1)
    bottom = -F.max_pool2d(-alpha, 3, 1, padding=1)
    margin = PEAK * (top - bottom)
    top, bottom = (F.interpolate(v, scale_factor=float(scale)) for v in (top + margin, bottom - margin))
    return torch.minimum(torch.maximum(fine, bottom), top).clamp_(-1, 1)


def to_image(high_res: Tensor, alpha: Tensor | None, picture: Image, scale: int) -> Image:
    """`high_res` (1, C or 1, H, W) and `alpha` (1, 1, H, W) in [-1, 1], which are used up, with what `picture` carries.

    One channel is repeated where the picture has three. The colours go on under the transparent part for a few pixels,
    so that whoever filters them meets no fringe; further on they are black.
    """
    pixels = high_res.add_(1).div_(2)[0].permute(1, 2, 0).cpu().numpy()
    if pixels.shape[2] < picture.channels:
        pixels = np.repeat(pixels, picture.channels, 2)
    if picture.alpha is None:
        return picture.resized(pixels, None, scale)
    if alpha is None:
        return picture.resized(pixels, np.ones(pixels.shape[:2], np.float32), scale)
    seen = alpha.add_(1).div_(2)
    near = F.max_pool2d(seen, 4 * scale + 1, 1, padding=2 * scale)[0, 0].cpu().numpy() >= INVISIBLE
    return picture.resized(pixels * near[..., None], seen[0, 0].cpu().numpy(), scale)
