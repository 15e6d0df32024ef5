"""What a blurred picture says of its kernel before anything is learned: maps on the kernel's own grid.

Two kinds. The whitened picture's autocorrelation and cepstrum speak of |K|, of a kernel's size and directions, but are
the same for a kernel and for the kernel turned by 180 degrees. Crude kernels by least squares between the picture and
a version of it with few, sharp edges (`kfsr.analysis.few_edges`), from coarse to fine, carry the phase. All of it is
done by Fourier transforms, for many pictures at once, in hundredths of a second each.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.few_edges import (
    SIDE,
    WINDOW,
    Ladder,
    cleaned,
    differences,
    few_edges,
    finer,
    least_squares,
    middle,
    of_transfer,
    round_kernel,
)

COUNT = 11
"""Maps."""

TURNED = (0, 1, 2, 3, 4, 5, 6, 8, 7, 9, 10)
"""The order that the maps of the transposed picture have: those of the two directions change places."""


def windowed(luminance: Tensor, fade: int = Ladder.fade) -> Tensor:
    """(B, h, w), each side at most 256, without its mean, faded at its border, in the middle of zeros (B, 256, 256)."""
    ramps = []
    for side in luminance.shape[-2:]:
        near = torch.minimum(torch.arange(side), torch.arange(side).flip(0)) + 0.5
        ramps.append(0.5 - 0.5 * torch.cos(math.pi * (near / min(fade, side / 4)).clamp(max=1)))
    faded = (luminance - luminance.mean((-1, -2), keepdim=True)) * ramps[0][:, None] * ramps[1]
    rows, cols = (WINDOW - side for side in luminance.shape[-2:])
    return F.pad(faded, (cols // 2, cols - cols // 2, rows // 2, rows - rows // 2))


def evidence(picture: Tensor, scale: int, ladder: Ladder | None = None) -> Tensor:
    """Maps (B, 11, 64, 64) of pictures (B, 256, 256) as `windowed` gives them, on the high-resolution grid.

    The kernel's centre lies at `middle`. 0 to 2: least squares at the three pitches, peak 1; 3 to 5: roots of the same,
    cleaned; 6 to 8: autocorrelation, whole, of differences along the rows' axis and along the columns'; 9: cepstrum;
    10: the whole autocorrelation over twice the width, at half the resolution. 6 to 10 have root mean square 1.
    """
    centre = middle(scale)
    raw, roots = _crude_kernels(picture, centre, ladder or Ladder())
    return torch.stack([*raw, *roots, *_correlations(picture, centre)], 1)


def _correlations(picture: Tensor, centre: float) -> list[Tensor]:
    spectrum = torch.fft.rfft2(picture)
    down, right = (one.abs() ** 2 for one in differences(WINDOW))
    power = spectrum.abs() ** 2
    floor = 1e-3 * power.mean((-1, -2), keepdim=True)
    white = power * (down + right)  # a photograph's power falls with the frequency squared
    cepstrum = torch.log(white + floor)
    cepstrum = cepstrum - cepstrum.mean((-1, -2), keepdim=True)
    fine = [of_transfer(one, SIDE, centre) for one in (white, power * down, power * right, cepstrum)]
    wide = F.avg_pool2d(of_transfer(white, 2 * SIDE, 2 * centre + 0.5), 2)
    maps = []
    for one in (*fine, wide):
        # The peak at no lag, of noise and of grain, would outshine all else.
        one = one.sign() * one.abs().sqrt()
        maps.append(one / one.square().mean((-1, -2), keepdim=True).sqrt().clamp_min(1e-9))
    return maps


def _crude_kernels(picture: Tensor, centre: float, cfg: Ladder) -> tuple[list[Tensor], list[Tensor]]:
    """(as they are, roots of the cleaned), one each per rung, on the finest grid, with peak 1."""
    raw: list[Tensor] = []
    roots: list[Tensor] = []
    kernel = picture.new_zeros(0)
    for pitch, rounds, hold in cfg.rungs:
        sharpness, last = cfg.sharpness
        side = SIDE // pitch
        own = side / 2 - 1 if pitch > 1 else centre
        small = F.avg_pool2d(picture[:, None], pitch)[:, 0]
        if len(kernel):
            kernel = finer(kernel, 2, side, kernel.shape[-1] / 2 - 1, own)
        else:
            kernel = round_kernel(side, own, cfg.start).expand(len(picture), -1, -1)
        found = kernel
        for _ in range(rounds):
            edges = few_edges(small, kernel, own, sharpness, cfg)
            found = least_squares(edges, small, side, own, hold)
            kernel = cleaned(found, cfg.cut, own)
            sharpness = max(sharpness * cfg.decay, last)
        for kept, one in ((raw, found), (roots, kernel)):
            fine = finer(one, pitch, SIDE, own, centre) if pitch > 1 else one
            kept.append(fine / fine.amax((-1, -2), keepdim=True).clamp_min(1e-9))
        roots[-1] = roots[-1].clamp(min=0).sqrt()
    return raw, roots
