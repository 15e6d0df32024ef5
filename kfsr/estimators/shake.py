"""The path of a shaken camera, or any other kernel up to 65 px wide, of a picture at its own size (scale 1).

Blind deconvolution from coarse to fine (Cho and Lee 2009, Xu and Jia 2010), with a picture of few edges (L0 norm of
gradients; Xu, Zheng and Jia 2013, Pan et al. 2014). On every level of a pyramid, where the kernel is small at first,
two steps alternate; k * x is the forward operator at scale 1, a correlation:

(1) the latent picture x = argmin |k * x - y|^2 + lambda |grad x|_0, by half-quadratic splitting;
(2) the kernel k = argmin |k * grad x - grad y|^2 + smallness |k|^2, k >= 0.

Both live in the Fourier domain: of the normal equations of (2) only two correlations are needed, since their matrix is
Toeplitz. Nobody says how wide the kernel is: its canvas follows what has been found, level by level. Several first
values of lambda are tried on the coarse levels, and the start whose picture is the sparsest goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel
from kfsr.numerics import check_finite
from kfsr.operator.fourier import difference_transfer, fast_size, padded, transfer_function
from kfsr.progress import Progress, silent
from kfsr.recipe import MOST_UNCERTAIN, Recipe
from kfsr.settings import ShakeSettings

SATURATED = 0.98
"""Luminance from which on a sensor may have held less than there was."""

SECONDS = 12.0
"""Of one thread, for a picture that fills its windows."""

_SMALLEST = 48


@dataclass(frozen=True)
class Level:
    """A level of the pyramid. observed: (B, h, w) windows in [0, 1]. lit: (B, h, w), 1 where one is saturated, else 0.
    widest: side of the largest kernel. rounds: of the two steps."""

    observed: Tensor
    lit: Tensor
    widest: int
    rounds: int


@dataclass(frozen=True)
class State:
    """What the levels hand on. kernel: (K, K), K odd, sum 1, centred. sharpness: lambda of (1). at: level reached."""

    kernel: Tensor
    sharpness: float
    at: int = 0


def estimate(
    luminance: np.ndarray | Sequence[np.ndarray],
    settings: ShakeSettings | None = None,
    *,
    progress: Progress = silent,
) -> Kernel:
    """Kernel of scale 1 of a picture from its luminance (H, W) in [0, 1]: centred, not negative, up to `support` wide.
    Several pictures are taken to share one kernel. Raises NothingToLearn when a picture is too small (under 48 px on a
    side) or when none has edges.
    """
    cfg = settings or ShakeSettings()
    levels = pyramid(_windows(luminance, cfg), cfg)
    total = len(levels)
    apart = max(0, total - cfg.levels_together)
    states = [_through(levels[:apart], State(_first(), one), cfg, progress, total) for one in cfg.sharpness_starts]
    state = min(states, key=lambda one: sparsity(levels[apart - 1].observed, one.kernel, cfg)) if apart else states[0]
    state = _through(levels, state, cfg, progress, total)
    array = state.kernel.double().numpy()
    return Kernel(array / array.sum(), 1, Provenance("estimated", "shake"))


def _through(levels: Sequence[Level], state: State, cfg: ShakeSettings, progress: Progress, total: int) -> State:
    for n in range(state.at, len(levels)):
        state = _refined(levels[n], replace(state, kernel=_enlarged(state.kernel, levels[n], cfg, n)), cfg)
        progress("shake", n + 1, total)
    return replace(state, at=len(levels))


def _refined(level: Level, state: State, cfg: ShakeSettings) -> State:
    """Steps (1) and (2), alternating, on one level."""
    kernel, sharpness = state.kernel, state.sharpness
    observed = gradients(level.observed, 1 - level.lit)
    for step in range(level.rounds):
        # (1) the picture with few edges that explains the windows
        latent = few_edges(level.observed, kernel, sharpness, cfg)
        # (2) the kernel between the edges of both
        edges = gradients(latent, _trusted(level, kernel.shape[0]))
        gram, cross = correlations(edges, observed, kernel.shape[0])
        kernel = _cleaned(not_negative(gram, cross, kernel, cfg.smallness, cfg.iterations), cfg)
        if step in (level.rounds // 3, 2 * level.rounds // 3):
            kernel = _resampled(_centred(kernel), _canvas(kernel, 1.0, level.widest, cfg), 1.0)
        sharpness = max(sharpness * cfg.sharpness_decay, cfg.sharpness_end)
    return replace(state, kernel=_centred(kernel), sharpness=sharpness)


def pyramid(windows: Tensor, cfg: ShakeSettings) -> list[Level]:
    """The levels of (B, H, W), from the coarsest to the finest, each `ratio` times as large as the next."""
    side = min(windows.shape[-2:])
    lit = (ndi.maximum_filter(windows.numpy(), (1, 3, 3)) >= SATURATED).astype(np.float32)
    count = math.floor(math.log(cfg.least_side / side) / math.log(cfg.ratio)) if side > cfg.least_side else 0
    count = min(count, math.ceil(math.log(3 / cfg.support) / math.log(cfg.ratio)))
    levels = []
    for n in range(count, -1, -1):
        factor = cfg.ratio**n
        size = [round(length * factor) for length in windows.shape[-2:]]
        smaller = [
            F.interpolate(one[:, None], size, mode="bilinear", antialias=True, align_corners=False)[:, 0]
            for one in (windows, torch.from_numpy(lit))
        ]
        widest = max(3, 2 * round(cfg.support * factor / 2 - 0.5) + 1)
        rounds = cfg.rounds if n > 1 else cfg.last_rounds
        levels.append(Level(smaller[0], (smaller[1] > 0.1).float(), widest, rounds))
    return levels


def few_edges(observed: Tensor, kernel: Tensor, sharpness: float, cfg: ShakeSettings) -> Tensor:
    """(1): the latent pictures (B, h, w) of `observed` (B, h, w), by half-quadratic splitting with growing coupling."""
    margin = kernel.shape[0] // 2 + 4
    y = padded(observed[:, None], margin, fast=True)[:, 0]
    shape = (y.shape[-2], y.shape[-1])
    blur = transfer_function(kernel, 1, shape)[:, : shape[1] // 2 + 1].contiguous()
    rows, cols = (difference_transfer(shape, axis)[:, : shape[1] // 2 + 1].contiguous() for axis in (0, 1))
    power, roughness = blur.abs().square(), rows.abs().square() + cols.abs().square()
    data = blur.conj() * torch.fft.rfft2(y)
    x, coupling = y, 2 * sharpness
    while coupling < cfg.last_coupling:
        down, right = torch.roll(x, -1, -2) - x, torch.roll(x, -1, -1) - x
        kept = (down.square() + right.square() >= sharpness / coupling).float()
        wanted = rows.conj() * torch.fft.rfft2(kept * down) + cols.conj() * torch.fft.rfft2(kept * right)
        x = torch.fft.irfft2((data + coupling * wanted) / (power + coupling * roughness), s=shape)
        coupling *= 2
    return x[:, margin : margin + observed.shape[-2], margin : margin + observed.shape[-1]]


def sparsity(observed: Tensor, kernel: Tensor, cfg: ShakeSettings) -> float:
    """Of the gradients of `observed` (B, h, w) deconvolved by `kernel`, their mean over their root mean square: of two
    kernels the better gives the sparser picture (Krishnan et al. 2011), the lower value. Blur alone lowers the
    objective of (1), but not this."""
    margin = kernel.shape[0] // 2 + 4
    y = padded(observed[:, None], margin, fast=True)[:, 0]
    shape = (y.shape[-2], y.shape[-1])
    half = slice(shape[1] // 2 + 1)
    blur = transfer_function(kernel, 1, shape)[:, half]
    each = [difference_transfer(shape, axis)[:, half] for axis in (0, 1)]
    roughness = each[0].abs().square() + each[1].abs().square()
    sharp = blur.conj() * torch.fft.rfft2(y) / (blur.abs().square() + cfg.flatness * roughness)
    inside = (..., slice(margin, margin + observed.shape[-2]), slice(margin, margin + observed.shape[-1]))
    steps = torch.stack([torch.fft.irfft2(one * sharp, s=shape)[inside] for one in each])
    return float(steps.abs().mean() / steps.square().mean().sqrt().clamp_min(1e-9))


def gradients(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences of (B, h, w) along rows and columns, 0 where the mask is, and across the border."""
    down, right = torch.roll(x, -1, -2) - x, torch.roll(x, -1, -1) - x
    inside = mask.clone()
    inside[:, -1] = 0
    inside[:, :, -1] = 0
    return down * inside, right * inside


def correlations(edges: Sequence[Tensor], observed: Sequence[Tensor], size: int) -> tuple[Tensor, Tensor]:
    """What the normal equations of (2) consist of, summed over fields (B, h, w).

    gram (2 size - 1, 2 size - 1): of the edges with themselves, by lag; cross (size, size): with the observed ones.
    """
    gram, cross = torch.zeros(()), torch.zeros(())
    lags, reach = torch.arange(1 - size, size), torch.arange(size) - size // 2
    for x, y in zip(edges, observed, strict=True):
        shape = (fast_size(x.shape[-2] + size), fast_size(x.shape[-1] + size))
        fx, fy = torch.fft.rfft2(x, shape), torch.fft.rfft2(y, shape)
        own = torch.fft.irfft2(fx.abs().square().sum(0), shape)
        other = torch.fft.irfft2((fy.conj() * fx).sum(0), shape)
        gram = gram + own[lags % shape[0]][:, lags % shape[1]]
        cross = cross + other[reach % shape[0]][:, reach % shape[1]]
    check_finite("shake estimate", (gram, cross))
    return gram, cross


def not_negative(gram: Tensor, cross: Tensor, start: Tensor, smallness: float, iterations: int) -> Tensor:
    """argmin k' G k / 2 - k' c + smallness |k|^2 / 2 over k >= 0 by FISTA (Beck and Teboulle 2009); (K, K).

    G, the matrix of all lags of `gram`, is applied by Fourier transforms.
    """
    size = cross.shape[0]
    around = fast_size(3 * size)
    lags = torch.arange(1 - size, size) % around
    circular = torch.zeros(around, around)
    circular[lags[:, None], lags[None]] = gram
    spectrum = torch.fft.rfft2(circular).real
    largest = float(spectrum.max()) + smallness
    if float(gram.max()) <= 1e-9:
        raise NothingToLearn("the picture has no edges to learn a kernel from")
    k, ahead, momentum = start, start, 1.0
    for _ in range(iterations):
        again = torch.fft.irfft2(spectrum * torch.fft.rfft2(ahead, (around, around)), (around, around))
        slope = again[:size, :size] + smallness * ahead - cross
        last, k = k, (ahead - slope / largest).clamp(min=0)
        momentum, before = (1 + math.sqrt(1 + 4 * momentum**2)) / 2, momentum
        ahead = k + (before - 1) / momentum * (k - last)
    if float(k.sum()) <= 0:
        raise NothingToLearn("no kernel can be learned from the picture's edges")
    return k


def _trusted(level: Level, size: int) -> Tensor:
    """(B, h, w) 0 where a kernel of that size may bring in saturated light, else 1; or 1 where little would be left."""
    near = F.max_pool2d(level.lit[:, None], size, 1, size // 2)[:, 0]
    return 1 - near if float(near.mean()) < 0.7 else torch.ones_like(near)


def _windows(luminance: np.ndarray | Sequence[np.ndarray], cfg: ShakeSettings) -> Tensor:
    planes = [luminance] if isinstance(luminance, np.ndarray) else luminance
    for plane in planes:
        if min(plane.shape) < _SMALLEST:
            raise NothingToLearn(
                f"a picture of {plane.shape[1]}x{plane.shape[0]} px is too small to learn a shake from; "
                f"it needs {_SMALLEST} px on each side"
            )
    each = math.ceil(cfg.windows / len(planes))
    found = [plane[one] for plane in planes for one in _parts(plane, cfg, each)]
    smallest = [min(one.shape[axis] for one in found) for axis in (0, 1)]
    windows = torch.stack([torch.from_numpy(one[: smallest[0], : smallest[1]].astype(np.float32)) for one in found])
    if float(windows.std()) < 1e-3:
        raise NothingToLearn("the picture is flat: it has no edges to learn a kernel from")
    return windows


def _parts(plane: np.ndarray, cfg: ShakeSettings, count: int) -> list[tuple[slice, slice]]:
    """The whole of a picture of no more pixels than the windows have, else the busiest windows."""
    if plane.size <= count * cfg.window**2:
        return [(slice(None), slice(None))]
    return busiest_windows(plane, cfg.window, count)


def _first() -> Tensor:
    """Two pixels side by side: what a shake is when it is hardly seen."""
    k = torch.zeros(5, 5)
    k[2, 2:4] = 0.5
    return k


def _enlarged(kernel: Tensor, level: Level, cfg: ShakeSettings, n: int) -> Tensor:
    """The last level's kernel on this one."""
    if n == 0:
        return kernel
    return _centred(_resampled(kernel, _canvas(kernel, cfg.ratio, level.widest, cfg), cfg.ratio))


def _canvas(kernel: Tensor, ratio: float, widest: int, cfg: ShakeSettings) -> int:
    """Side of the canvas that a kernel, 1 / ratio times as large, gets: with room to grow."""
    apart = (torch.arange(kernel.shape[0]) - kernel.shape[0] // 2).abs()
    there = _centred(kernel) > 0
    reach = max(int(apart[there.any(1)].max()), int(apart[there.any(0)].max()))
    return min(widest, 2 * math.ceil(cfg.room * (2 * reach + 1) / ratio / 2) + cfg.extra)


def _resampled(kernel: Tensor, side: int, ratio: float) -> Tensor:
    """The kernel on a canvas of `side`, whose pixels are `ratio` times as wide, about the same middle; sum 1."""
    k = kernel.double().numpy()
    at = (np.arange(side) - side // 2) * ratio + k.shape[0] // 2
    if ratio > 1:
        k = ndi.gaussian_filter(k, 0.5 * ratio, mode="constant")
    out = ndi.map_coordinates(k, np.stack(np.meshgrid(at, at, indexing="ij")), order=1, mode="constant").clip(0)
    return torch.from_numpy(out / out.sum()).float()


def _cleaned(kernel: Tensor, cfg: ShakeSettings) -> Tensor:
    """Without values below `cut` times the peak and without islands of less than `island` of the weight; sum 1."""
    k = kernel.double().numpy().copy()
    k[k < cfg.cut * k.max()] = 0
    islands, count = ndi.label(k > 0, np.ones((3, 3)))
    weights = ndi.sum_labels(k, islands, np.arange(count + 1))
    k[weights[islands] < cfg.island * k.sum()] = 0
    return torch.from_numpy(k / k.sum()).float()


def _centred(kernel: Tensor) -> Tensor:
    """The kernel moved by whole pixels so that its centre of mass lies in the middle pixel; sum 1."""
    k = kernel.double().numpy()
    k = ndi.shift(k, np.round(k.shape[0] // 2 - np.array(ndi.center_of_mass(k))), order=0)
    return torch.from_numpy(k / k.sum()).float()


def of_problem(problem: Problem) -> Kernel:
    """`estimate` for a problem's pictures."""
    with problem.timed("shake"):
        return estimate(problem.luminances, problem.settings.shake, progress=problem.progress)


def spreads(problem: Problem, kernels: Sequence[Kernel]) -> list[float]:
    """`sparsity` of a problem's pictures under each kernel: of several, the best gives the lowest."""
    cfg = problem.settings.shake
    windows = _windows(problem.luminances, cfg)
    return [sparsity(windows, torch.from_numpy(kernel.array.copy()).float(), cfg) for kernel in kernels]


def uncertainty(problem: Problem, kernel: Kernel) -> float:
    """For the solver: more for a picture smaller than the windows."""
    cfg = problem.settings.shake
    return min(MOST_UNCERTAIN, cfg.uncertainty * max(1.0, (problem.pixels / cfg.window**2) ** -0.25))


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.shake
    return SECONDS * min(1.0, pixels / (cfg.windows * cfg.window**2))


METHOD = Estimator(estimate=of_problem, seconds=_seconds, scales=(1,), uncertainty=uncertainty)
