"""A kernel between a blurred picture and its version with few, sharp edges, for many kernels or pictures at once.

The two steps that `kfsr.estimators.edges` alternates between (Xu, Zheng and Jia 2013), each in closed form in the
Fourier domain, for kernels on a grid of 64 x 64. Rough and quick: what a learned model is told, starts from, and is
compared by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 64
"""Of the kernel's grid, high-resolution pixels."""

WINDOW = 256
"""Of the largest window, pixels of the same pitch."""


@dataclass(frozen=True)
class Ladder:
    """The crude kernels. rungs: (pixels of the finest pitch, rounds, what holds the least squares against the mean
    power) from coarse to fine. start: deviation of the first kernel. sharpness: weight of an edge, first and last, and
    its decay a round, from the beginning on every rung. thresholds: gradients that count as edges, as the splitting
    proceeds. cut: share of the peak under which a kernel is noise; cut_of_known: of one that is known roughly. fade: of
    the window's border, pixels. judged: thresholds, and edge: weight of one, where kernels are compared. Settled on
    shaken pictures of Kodak's size: correlation with the true kernel .68, that of the best round Gaussian .58."""

    rungs: tuple[tuple[int, int, float], ...] = ((4, 4, 0.1), (2, 8, 0.5), (1, 2, 2.0))
    start: float = 0.8
    sharpness: tuple[float, float] = (4e-4, 1e-4)
    decay: float = 0.9
    thresholds: tuple[float, ...] = (0.2, 0.1, 0.05)
    cut: float = 0.15
    cut_of_known: float = 0.1
    fade: int = 32
    judged: tuple[float, ...] = (0.2, 0.1, 0.05, 0.025, 0.012)
    edge: float = 2e-4


def middle(scale: int) -> float:
    """Where the kernel's centre lies on a grid of 64: the canonical one, (K - 1)/2, for K = 63 or 64."""
    return (SIDE - 2) / 2 if scale % 2 else (SIDE - 1) / 2


def few_edges(small: Tensor, kernel: Tensor, centre: float, sharpness: float, cfg: Ladder) -> tuple[Tensor, Tensor]:
    """Spectra of both differences of argmin_x |k * x - y|^2 + sharpness |grad x|_0, by half-quadratic splitting."""
    side = small.shape[-1]
    down, right = differences(side)
    rough = down.abs() ** 2 + right.abs() ** 2
    blur = transfer(kernel, side, centre)
    y = torch.fft.rfft2(small)
    data, power, x = blur.conj() * y, blur.abs() ** 2, y
    kept = (x, x)
    for threshold in cfg.thresholds:
        gradients = [torch.fft.irfft2(one * x, s=(side, side)) for one in (down, right)]
        strong = gradients[0] ** 2 + gradients[1] ** 2 >= threshold**2
        kept = (torch.fft.rfft2(gradients[0] * strong), torch.fft.rfft2(gradients[1] * strong))
        coupling = sharpness / threshold**2
        x = (data + coupling * (down.conj() * kept[0] + right.conj() * kept[1])) / (power + coupling * rough + 1e-8)
    return kept


def least_squares(edges: tuple[Tensor, Tensor], small: Tensor, side: int, centre: float, hold: float) -> Tensor:
    """argmin_k |k * edges - grad y|^2 + hold |k|^2, `hold` against the mean power of the edges."""
    y = torch.fft.rfft2(small)
    down, right = (one * y for one in differences(small.shape[-1]))
    power = edges[0].abs() ** 2 + edges[1].abs() ** 2
    held = power + hold * power.mean((-1, -2), keepdim=True) + 1e-6
    return of_transfer((edges[0].conj() * down + edges[1].conj() * right) / held, side, centre)


def cleaned(kernel: Tensor, cut: float, centre: float) -> Tensor:
    """Without what is under `cut` times the peak, centred, sum 1."""
    k = kernel.clamp(min=0)
    k = torch.where(k < cut * k.amax((-1, -2), keepdim=True), k.new_zeros(()), k)
    return centred(k / k.sum((-1, -2), keepdim=True).clamp_min(1e-9), centre)


def alternated(picture: Tensor, kernels: Tensor, scale: int, rounds: tuple[int, int]) -> Tensor:
    """Kernels (N, 64, 64) about `middle` after so many rounds of both steps at half the resolution, and then at the
    whole, with one `windowed` picture (256, 256)."""
    k = kernels
    if rounds[0]:
        small = F.avg_pool2d(picture[None, None], 2)[:, 0]
        k = _rounds(small, coarser(k, middle(scale)), SIDE / 4 - 1, rounds[0], hold=1.0)
        k = finer(k, 2, SIDE, SIDE / 4 - 1, middle(scale))
    return _rounds(picture[None], k, middle(scale), rounds[1], hold=2.0)


def _rounds(small: Tensor, kernels: Tensor, centre: float, count: int, hold: float) -> Tensor:
    cfg = Ladder()
    for _ in range(count):
        edges = few_edges(small, kernels, centre, cfg.sharpness[0], cfg)
        found = cleaned(least_squares(edges, small, kernels.shape[-1], centre, hold), cfg.cut_of_known, centre)
        # One that is so wrong that it leaves no edges stays as it is.
        kernels = torch.where(found.sum((-1, -2), keepdim=True) > 0.5, found, kernels)
    return kernels


def few_edges_objective(picture: Tensor, kernels: Tensor, scale: int, ladder: Ladder | None = None) -> Tensor:
    """(N,) what least squares and edges cost together, for kernels (N, 64, 64) about `middle` of one `windowed` picture
    (256, 256): |k * grad x - grad y|^2 + sharpness (number of edges of x), x with few edges, at half the resolution.

    Of two kernels the better has the lower value, mostly; unlike the misfit alone this tells a kernel from itself
    turned by 180 degrees.
    """
    cfg = ladder or Ladder()
    side = SIDE // 2
    centre = side / 2 - 1
    small = F.avg_pool2d(picture[None, None], 2)[:, 0]
    k = coarser(kernels, middle(scale))
    edges = few_edges(small, k, centre, cfg.sharpness[1], replace(cfg, thresholds=cfg.judged))
    blur, y = transfer(k, WINDOW // 2, centre), torch.fft.rfft2(small)
    total = torch.zeros(len(k))
    strength = torch.zeros(len(k), WINDOW // 2, WINDOW // 2)
    for kept, difference in zip(edges, differences(WINDOW // 2), strict=True):
        total += torch.fft.irfft2(blur * kept - difference * y, s=small.shape[-2:]).square().sum((-1, -2))
        strength += torch.fft.irfft2(kept, s=small.shape[-2:]).square()
    return total + cfg.edge * (strength > 1e-6).sum((-1, -2))


def centred(kernel: Tensor, centre: float) -> Tensor:
    """Kernels (B, K, K) of sum 1 moved, in the Fourier domain, until their centre of mass is at `centre`; not
    negative."""
    size = kernel.shape[-1]
    i = torch.arange(size) - centre
    rows, cols = kernel.sum(-1) @ i, kernel.sum(-2) @ i
    f, g = _frequencies(2 * size)
    moved = torch.fft.rfft2(F.pad(kernel, (size // 2,) * 4))
    moved = moved * torch.exp(2j * math.pi * (f * rows[:, None, None] + g * cols[:, None, None]))
    half = slice(size // 2, size // 2 + size)
    k = torch.fft.irfft2(moved, s=(2 * size, 2 * size))[:, half, half].clamp(min=0)
    return k / k.sum((-1, -2), keepdim=True).clamp_min(1e-9)


def round_kernel(side: int, centre: float, deviation: float) -> Tensor:
    i = torch.arange(side) - centre
    profile = torch.exp(-0.5 * (i / deviation) ** 2)
    k = profile[:, None] * profile
    return k / k.sum()


def finer(kernel: Tensor, factor: int, side: int, centre: float, fine_centre: float) -> Tensor:
    """Kernels (B, K, K) on a grid (side, side) that is `factor` finer, centre to centre, interpolated linearly."""
    at = (torch.arange(side) - fine_centre) / factor + centre
    at = (at + 0.5) / kernel.shape[-1] * 2 - 1
    grid = torch.stack(torch.meshgrid(at, at, indexing="ij"), -1).flip(-1).expand(len(kernel), -1, -1, -1)
    k = F.grid_sample(kernel[:, None], grid, align_corners=False, padding_mode="zeros")[:, 0]
    return k / k.sum((-1, -2), keepdim=True).clamp_min(1e-9)


def coarser(kernels: Tensor, centre: float) -> Tensor:
    """Kernels (N, K, K) about `centre` on a grid of half the resolution, (N, K // 2, K // 2) about K // 4 - 1, for
    pictures whose 2 x 2 pixels are averaged; sum 1; differentiable."""
    half = kernels.shape[-1] // 2
    weights = torch.zeros(half, kernels.shape[-1])
    for i in range(half):
        # The overlap of two averages over 2 pixels that are d pixels apart falls off linearly.
        apart = torch.arange(kernels.shape[-1]) - centre - 2 * (i - (half // 2 - 1))
        weights[i] = (1 - apart.abs() / 2).clamp(min=0)
    k = weights @ kernels @ weights.T
    return k / k.sum((-1, -2), keepdim=True)


def transfer(kernel: Tensor, side: int, centre: float) -> Tensor:
    """What correlation with a kernel about `centre` multiplies a half spectrum with; a fractional centre too."""
    return (torch.fft.rfft2(kernel, s=(side, side)) * _moved(side, centre)).conj()


def of_transfer(transfer: Tensor, size: int, centre: float) -> Tensor:
    """The kernel (B, size, size) of a transfer function (B, side, side // 2 + 1)."""
    side = transfer.shape[-2]
    whole = torch.fft.irfft2(transfer.conj() * _moved(side, centre).conj(), s=(side, side))
    return whole[..., :size, :size]


@lru_cache(maxsize=8)
def differences(side: int) -> tuple[Tensor, Tensor]:
    """Transfer functions of x[i + 1] - x[i] along both axes, each (side, side // 2 + 1)."""
    down, right = (torch.exp(2j * math.pi * one) - 1 for one in _frequencies(side))
    return down.expand(side, side // 2 + 1), right.expand(side, side // 2 + 1)


@lru_cache(maxsize=16)
def _moved(side: int, distance: float) -> Tensor:
    """Transfer function of x[i + distance] along both axes."""
    f, g = _frequencies(side)
    return torch.exp(2j * math.pi * (f + g) * distance)


def _frequencies(side: int) -> tuple[Tensor, Tensor]:
    return torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]
