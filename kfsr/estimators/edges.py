"""A kernel of any form from a picture's edges: camera shake, boxes, corners.

Blind deconvolution whose only prior is that a picture has few edges and that they are sharp (L0 norm of gradients; Xu,
Zheng and Jia 2013, Pan et al. 2014), on a grid `FINER` than the picture's. With A_k = degrade and g a narrow Gaussian,
two steps alternate:

(1) the latent picture g * x, where x = argmin |A_k (g * x) - y|^2 + lambda |grad x|_0, by half-quadratic splitting:
    small gradients are removed altogether, so that x has steps where y has slopes, and g the width of an edge;
(2) the kernel k = argmin |A_k grad (g * x) - grad y|^2 + smoothness, k >= 0.

Each linear system is solved exactly: those of (1) in the Fourier domain (Zhao et al. 2016, with any regulariser that is
diagonal there), those of (2) as normal equations over all pixels of several windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.edge_steps import gaussian_transfer, strong_gradients
from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator, uncertainty_of_windows
from kfsr.kernel.cleaning import without_noise
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, check_scale
from kfsr.numerics import check_finite
from kfsr.operator.fit import kernel_of_equations, normal_equations
from kfsr.operator.fourier import circular_degrade, difference_transfer, fold_half, transfer_function, unfold_half
from kfsr.operator.spatial import bicubic_upscale
from kfsr.progress import Progress, silent
from kfsr.settings import EdgesSettings

FINER = 2
"""Pixels of that grid per low-resolution pixel, at every scale: what lies beyond the second alias cannot be seen."""

SECONDS = 10.0
"""Of one thread, whatever the picture's size: its windows have one."""

POLISH_SECONDS = 2.0
"""The same for a kernel that is known roughly."""

_TAPER = 8
_SMALLEST = 4 * _TAPER


def estimate(
    luminance: np.ndarray | Sequence[np.ndarray],
    scale: int,
    settings: EdgesSettings | None = None,
    *,
    start: Kernel | None = None,
    progress: Progress = silent,
) -> Kernel:
    """Kernel of a picture from its luminance (H, W) in [0, 1]: centred, not negative, `support` low-resolution pixels
    wide. Several pictures are taken to share one kernel; they also share the windows, with at least one window each.

    start: a kernel of this scale to polish, in fewer iterations than a round one needs; the result keeps its method's
    name. Raises NothingToLearn when a picture is too small (under 32 px on a side) or when none has edges.
    """
    check_scale(scale)
    cfg = settings or EdgesSettings()
    windows = _windows(luminance, cfg)
    if start:
        kernel = _polished(windows, _on_finer_grid(start, cfg.support), cfg, progress)
        return _on_high_res_grid(kernel, scale, start.provenance)
    kernel = _wide_start(cfg.support * FINER, cfg.start_deviation * FINER)
    kernel = _alternated(windows, kernel, cfg, cfg.iterations, cfg.sharpness_start, progress)
    return _on_high_res_grid(kernel, scale, Provenance("estimated", "edges"))


def objective(
    luminance: np.ndarray | Sequence[np.ndarray], kernel: Kernel, settings: EdgesSettings | None = None
) -> float:
    """What (1) minimises, where its splitting ends for this kernel, with the edges counted in g * x. Of two kernels of
    one picture the better has the lower value, provided that the two differ by one per cent or more."""
    cfg = settings or EdgesSettings()
    return _objective(_windows(luminance, cfg), _on_finer_grid(kernel, cfg.support), cfg)


def _windows(luminance: np.ndarray | Sequence[np.ndarray], cfg: EdgesSettings) -> list[Tensor]:
    planes = [luminance] if isinstance(luminance, np.ndarray) else luminance
    for plane in planes:
        if min(plane.shape) < _SMALLEST:
            raise NothingToLearn(
                f"a picture of {plane.shape[1]}x{plane.shape[0]} px is too small to learn a kernel from its edges; "
                f"it needs {_SMALLEST} px on each side"
            )
    each = math.ceil(cfg.windows / len(planes))
    windows = [
        _periodic(torch.from_numpy(plane[window].astype(np.float32)))
        for plane in planes
        for window in busiest_windows(plane, cfg.window, each)
    ]
    if max(float(y.std()) for y in windows) < 1e-3:
        raise NothingToLearn("the picture is flat: it has no edges to learn a kernel from")
    return windows


def _polished(windows: list[Tensor], kernel: Tensor, cfg: EdgesSettings, progress: Progress = silent) -> Tensor:
    return _alternated(windows, kernel, cfg, cfg.polish_iterations, cfg.polish_sharpness, progress)


def _alternated(
    windows: list[Tensor],
    kernel: Tensor,
    cfg: EdgesSettings,
    iterations: int,
    sharpness: float,
    progress: Progress = silent,
) -> Tensor:
    for step in range(iterations):
        normal: list[tuple[Tensor, Tensor]] = []
        for low_res in windows:
            # (1) the picture with few edges that explains this window
            latent = _few_edges(low_res, kernel, sharpness, cfg)
            normal.append(normal_equations(latent, low_res, kernel.shape[0], FINER, rim=0))
        # (2) the kernel between all of these pictures and their windows
        matrix, right = (torch.stack(parts).sum(0) for parts in zip(*normal, strict=True))
        check_finite("edges estimate", (matrix, right))
        kernel = _cleaned(kernel_of_equations(matrix, right, cfg.smallness, cfg.smoothness), cfg)
        sharpness = max(sharpness * cfg.sharpness_decay, cfg.sharpness_end)
        progress("edges", step + 1, iterations)
    return kernel


def _objective(windows: list[Tensor], kernel: Tensor, cfg: EdgesSettings) -> float:
    total = 0.0
    for low_res in windows:
        latent = _few_edges(low_res, kernel, cfg.sharpness_end, cfg)
        misfit = float((circular_degrade(latent, kernel, FINER) - low_res).square().sum())
        down, right = torch.roll(latent, -1, 0) - latent, torch.roll(latent, -1, 1) - latent
        edges = int((down**2 + right**2 >= 2 * cfg.sharpness_end / cfg.last_coupling).sum())
        total += misfit + cfg.sharpness_end * edges
    return total


def _periodic(low_res: Tensor) -> Tensor:
    """The window, its border faded into a blur that wraps around: the Fourier transform takes it to be periodic."""
    ramps = []
    for side in low_res.shape:
        near = torch.minimum(torch.arange(side), torch.arange(side).flip(0))
        ramps.append(0.5 - 0.5 * torch.cos(math.pi * ((near + 0.5) / _TAPER).clamp(max=1)))
    inside = ramps[0][:, None] * ramps[1][None]
    around = torch.from_numpy(ndi.gaussian_filter(low_res.numpy(), 3, mode="wrap"))
    return inside * low_res + (1 - inside) * around


def _wide_start(size: int, deviation: float) -> Tensor:
    i = torch.arange(size) - (size - 1) / 2
    k = torch.exp(-(i[:, None] ** 2 + i[None] ** 2) / (2 * deviation**2))
    return k / k.sum()


def _on_finer_grid(kernel: Kernel, support: int) -> Tensor:
    """A kernel of the high-resolution grid on the finer grid: (2*support, 2*support), sum 1."""
    k = torch.from_numpy(kernel.resized(support * kernel.scale).array.copy())[None, None]
    k = F.interpolate(k, (support * FINER,) * 2, mode="bilinear", align_corners=False, antialias=True)[0, 0].float()
    return k / k.sum()


def _few_edges(low_res: Tensor, kernel: Tensor, sharpness: float, cfg: EdgesSettings) -> Tensor:
    """(1): the latent picture g * x (2h, 2w) of `low_res` (h, w), by half-quadratic splitting with growing coupling.

    Each update solves (A^T A + D) x = A^T y + r, where D and r couple x to the gradients that were kept and, weakly, to
    its last value; D is diagonal in the Fourier domain.
    """
    shape = (low_res.shape[0] * FINER, low_res.shape[1] * FINER)
    half = slice(shape[1] // 2 + 1)  # of every spectrum: the pictures are real
    soft = gaussian_transfer(shape, cfg.edge_width)
    blur = transfer_function(kernel, FINER, shape)[:, half] * soft
    power, conjugate = blur.abs() ** 2, blur.conj()
    spread = torch.zeros(shape)
    spread[::FINER, ::FINER] = low_res
    data = conjugate * torch.fft.rfft2(spread)
    rows, cols = (difference_transfer(shape, axis)[:, half] for axis in (0, 1))
    roughness = rows.abs() ** 2 + cols.abs() ** 2
    x = bicubic_upscale(low_res[None, None], FINER)[0, 0]
    coupling = 2 * sharpness
    while coupling < cfg.last_coupling:
        gradients = strong_gradients(x, rows, cols, sharpness / coupling)
        stay = cfg.inertia * coupling
        regulariser = coupling * roughness + stay
        total = data + coupling * gradients + stay * torch.fft.rfft2(x)
        # The aliases of each low-resolution frequency are solved for together: (A^T A + D)^-1 by Woodbury's identity.
        seen, weight = (fold_half(one / regulariser, FINER, shape[1]) for one in (blur * total, power))
        aliases = unfold_half(seen / (weight + 1), FINER, shape[1])
        x = torch.fft.irfft2((total - conjugate * aliases) / regulariser, s=shape)
        coupling *= 2
    return torch.fft.irfft2(soft * torch.fft.rfft2(x), s=shape)


def _cleaned(kernel: Tensor, cfg: EdgesSettings) -> Tensor:
    """Without noise (`without_noise`), and centred."""
    k = without_noise(kernel.numpy(), cfg.cut, cfg.island)
    middle = (np.array(k.shape) - 1) / 2
    k = ndi.shift(k, middle - np.array(ndi.center_of_mass(k)), order=1).clip(0)
    return torch.from_numpy(k / k.sum()).float()


def _on_high_res_grid(kernel: Tensor, scale: int, provenance: Provenance) -> Kernel:
    """A kernel of the finer grid on the high-resolution grid, equally wide, interpolated linearly."""
    side = kernel.shape[0] * scale // FINER
    i = (np.arange(side) - (side - 1) / 2) * FINER / scale + (kernel.shape[0] - 1) / 2
    at = np.stack(np.meshgrid(i, i, indexing="ij"))
    resampled = ndi.map_coordinates(kernel.double().numpy(), at, order=1, mode="constant")
    return Kernel.from_array(resampled, scale, provenance)


def of_problem(problem: Problem, start: Kernel | None = None) -> Kernel:
    """`estimate` for a problem's pictures."""
    with problem.timed("edges"):
        cfg = problem.settings.edges
        return estimate(problem.luminances, problem.scale, cfg, start=start, progress=problem.progress)


METHOD = Estimator(
    estimate=of_problem,
    seconds=lambda pixels, recipe: SECONDS,
    refined=True,
    any_form=True,
    uncertainty=lambda problem, kernel: uncertainty_of_windows(problem, problem.settings.edges.uncertainty),
)
