"""The path of a shaken camera, or any other kernel up to 65 px wide, of a picture at its own size (scale 1).

Blind deconvolution from coarse to fine (Cho and Lee 2009, Xu and Jia 2010), with a picture of few edges (L0 norm of
gradients; Xu, Zheng and Jia 2013, Pan et al. 2014). On every level of a pyramid, where the kernel is small at first,
the two steps of `kfsr.analysis.edge_steps` alternate. Nobody says how wide the kernel is: its canvas follows what has
been found, level by level. Several first values of lambda are tried on the coarse levels, and the start whose picture
is the sparsest goes on.

`polish` goes on from there with the solver's picture in place of the one with few edges.
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

from kfsr.analysis.edge_steps import correlations, few_edges, gradients, kernel_of_edges, sparsity
from kfsr.analysis.noise import noise_variance
from kfsr.analysis.problem import Problem, Solve, Told
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator
from kfsr.kernel.cleaning import without_noise
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel
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
    widest: side of the largest kernel. rounds: of the two steps. edge_width: of the photograph's edges, pixels."""

    observed: Tensor
    lit: Tensor
    widest: int
    rounds: int
    edge_width: float


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
    levels = pyramid(_planes(luminance), cfg)
    total = len(levels)
    apart = max(0, total - cfg.levels_together)
    states = [_through(levels[:apart], State(_first(), one), cfg, progress, total) for one in cfg.sharpness_starts]
    state = (
        min(states, key=lambda one: sparsity(levels[apart - 1].observed, one.kernel, cfg.flatness))
        if apart
        else states[0]
    )
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
        latent = few_edges(level.observed, kernel, sharpness, level.edge_width, cfg.last_coupling)
        # (2) the kernel between the edges of both
        edges = gradients(latent, _trusted(level, kernel.shape[0], cfg))
        gram, cross = correlations(edges, observed, kernel.shape[0])
        kernel = kernel_of_edges(gram, cross, kernel, cfg.smallness, cfg.smoothness, cfg.iterations)
        kernel = _cleaned(kernel, cfg)
        if step in (level.rounds // 3, 2 * level.rounds // 3):
            kernel = _resampled(_centred(kernel), _canvas(kernel, 1.0, level.widest, cfg), 1.0)
        sharpness = max(sharpness * cfg.sharpness_decay, cfg.sharpness_end)
    return replace(state, kernel=_centred(kernel), sharpness=sharpness)


def polish(
    luminance: np.ndarray | Sequence[np.ndarray],
    kernel: Kernel,
    solve: Solve,
    settings: ShakeSettings | None = None,
    *,
    progress: Progress = silent,
) -> Kernel:
    """`kernel`, of scale 1, after a few rounds of step (2) with the strongest edges of the picture that `solve` makes.

    luminance as for `estimate`, and the same errors. A trained solver that is told that its kernel may be wrong makes a
    picture like a photograph, where one of few edges has steps only, which make kernels too thick or too thin. Its weak
    edges are mostly those that the wrong kernel made, or noise: in a noisy picture fewer are used, and the kernel is
    held smaller. The picture is not moved: what the kernel is centred about stays.
    """
    cfg = settings or ShakeSettings()
    level = pyramid(_planes(luminance), cfg)[-1]
    noise = max(noise_variance(one[None, None] * 2 - 1) for one in level.observed) ** 0.5 / 2
    doubt = 1 + (noise / cfg.polish_noise) ** 2
    observed = gradients(level.observed, 1 - level.lit)
    k = torch.from_numpy(kernel.array.copy()).float()
    told = Told(cfg.polish_sigma, cfg.polish_uncertainty)
    for n in range(cfg.polish_rounds):
        with torch.no_grad():
            sharp = [(solve(one[None, None] * 2 - 1, k, told)[0, 0] + 1) / 2 for one in level.observed]
        edges = gradients(torch.stack(sharp), _trusted(level, k.shape[0], cfg))
        strength = edges[0].square() + edges[1].square()
        least = np.quantile(strength[strength > 0].numpy(), 1 - cfg.polish_edges / doubt)
        gram, cross = correlations([one * (strength >= least) for one in edges], observed, k.shape[0])
        smallness = cfg.polish_smallness * doubt * float(gram.max())
        k = _cleaned(kernel_of_edges(gram, cross, k, smallness, cfg.smoothness, cfg.iterations), cfg)
        progress("polish", n + 1, cfg.polish_rounds)
    array = k.double().numpy()
    return Kernel(array / array.sum(), 1, kernel.provenance)


def pyramid(planes: Sequence[np.ndarray], cfg: ShakeSettings) -> list[Level]:
    """The levels of pictures (H, W), from the coarsest to the finest, each `ratio` times as large as the next: of every
    level the whole where its pixels are no more than those of the windows, else its busiest windows."""
    side = min(min(plane.shape) for plane in planes)
    count = math.floor(math.log(cfg.least_side / side) / math.log(cfg.ratio)) if side > cfg.least_side else 0
    count = min(count, math.ceil(math.log(3 / cfg.support) / math.log(cfg.ratio)))
    pictures = [torch.from_numpy(plane.astype(np.float32)) for plane in planes]
    lights = [torch.from_numpy((ndi.maximum_filter(plane, 3) >= SATURATED).astype(np.float32)) for plane in planes]
    levels = []
    for n in range(count, -1, -1):
        factor = cfg.ratio**n
        observed, lit = _cut([_shrunk(one, factor) for one in pictures], [_shrunk(one, factor) for one in lights], cfg)
        widest = max(3, 2 * round(cfg.support * factor / 2 - 0.5) + 1)
        rounds = cfg.rounds if n > 1 else cfg.last_rounds
        width = cfg.edge_width if n < cfg.wide_levels else 0.0
        levels.append(Level(observed, (lit > 0.1).float(), widest, rounds, width))
    return levels


def _shrunk(plane: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return plane
    size = [round(length * factor) for length in plane.shape]
    return F.interpolate(plane[None, None], size, mode="bilinear", antialias=True, align_corners=False)[0, 0]


def _cut(planes: Sequence[Tensor], lights: Sequence[Tensor], cfg: ShakeSettings) -> tuple[Tensor, Tensor]:
    """The parts (B, h, w) of planes (H, W) that are learned from, and the same parts of `lights`."""
    each = math.ceil(cfg.windows / len(planes))
    parts = [(n, one) for n, plane in enumerate(planes) for one in _parts(plane.numpy(), cfg, each)]
    rows, cols = (min(planes[n][one].shape[axis] for n, one in parts) for axis in (0, 1))
    observed, lit = (torch.stack([of[n][one][:rows, :cols] for n, one in parts]) for of in (planes, lights))
    return observed, lit


def _trusted(level: Level, size: int, cfg: ShakeSettings) -> Tensor:
    """(B, h, w) 0 along the border, where a kernel of that size brings in what is not known, and where it may bring in
    saturated light, unless little would be left without that; else 1."""
    near = F.max_pool2d(level.lit[:, None], (size, 1), 1, (size // 2, 0))
    near = F.max_pool2d(near, (1, size), 1, (0, size // 2))[:, 0]
    trusted = 1 - near if float(near.mean()) < 0.7 else torch.ones_like(near)
    rim = min(round(cfg.rim * size / 2), min(near.shape[-2:]) // 6)
    inside = torch.zeros_like(trusted)
    inside[:, rim : near.shape[-2] - rim, rim : near.shape[-1] - rim] = 1
    return trusted * inside


def _planes(luminance: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    planes = [luminance] if isinstance(luminance, np.ndarray) else list(luminance)
    for plane in planes:
        if min(plane.shape) < _SMALLEST:
            raise NothingToLearn(
                f"a picture of {plane.shape[1]}x{plane.shape[0]} px is too small to learn a shake from; "
                f"it needs {_SMALLEST} px on each side"
            )
    if max(float(plane.std()) for plane in planes) < 1e-3:
        raise NothingToLearn("the picture is flat: it has no edges to learn a kernel from")
    return planes


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
    return torch.from_numpy(without_noise(kernel.numpy(), cfg.cut, cfg.island)).float()


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
    planes = [torch.from_numpy(plane.astype(np.float32)) for plane in problem.luminances]
    windows, _ = _cut(planes, planes, cfg)
    return [
        sparsity(windows, torch.from_numpy(kernel.array.copy()).float(), cfg.judging_flatness) for kernel in kernels
    ]


def uncertainty(problem: Problem, kernel: Kernel) -> float:
    """For the solver: more for a picture smaller than the windows."""
    cfg = problem.settings.shake
    return min(MOST_UNCERTAIN, cfg.uncertainty * max(1.0, (problem.pixels / cfg.window**2) ** -0.25))


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.shake
    return SECONDS * min(1.0, pixels / (cfg.windows * cfg.window**2))


METHOD = Estimator(estimate=of_problem, seconds=_seconds, scales=(1,), refined=True, uncertainty=uncertainty)
