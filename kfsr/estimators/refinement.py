"""The last step on an estimated kernel: the fine form that no Gaussian has, through a solver.

As in Kernel-Diff, the kernel alone is sought, through a non-blind solver. A solver that is told that its kernel may be
wrong makes a picture which that kernel does not quite explain, and least squares between the picture and the
low-resolution one move the kernel towards the true one. They also move a kernel that is right, since no solver brings
all detail back. How far is known from a rehearsal, on pictures that this very kernel has degraded, and is taken off
(`refine`). Of a kernel of any form, which is known less well, only what the strongest edges say is believed, and no
rehearsal is needed (`sharpened`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from kfsr.analysis.problem import Solve, Told, kernel_tensor
from kfsr.analysis.windows import busiest_window, busiest_windows
from kfsr.kernel import Kernel
from kfsr.kernel.cleaning import without_noise
from kfsr.numerics import check_finite
from kfsr.operator.fit import kernel_of_equations, normal_equations
from kfsr.operator.spatial import as_stored, degrade
from kfsr.progress import Progress, silent
from kfsr.settings import RefineSettings, SharpenedSettings


def refine(
    low_res: Tensor,
    kernel: Kernel,
    sigma: float,
    noise: float,
    solve: Solve,
    settings: RefineSettings,
    generator: torch.Generator,
    *,
    progress: Progress = silent,
) -> Kernel:
    """`kernel` with what `solve` finds in `low_res` (1, C, h, w), [-1, 1], that the kernel does not explain.

    sigma: noise level that the solver is told; noise: what the picture has, [-1, 1] units. The generator is a CPU one.
    A picture under `smallest` px on a side gives its kernel back as it is.
    """
    cfg, scale = settings, kernel.scale
    k = kernel_tensor(kernel, low_res.device)

    def found(y: Tensor) -> tuple[Tensor, Tensor]:
        high_res = solve(y, k, Told(sigma, cfg.uncertainty))
        return high_res, _fitted(high_res, y, k, scale, sigma, cfg)

    y = _window(low_res, cfg.window // scale, 1)
    father = _window(low_res, cfg.window, scale)
    if min(father.shape[-2:]) < cfg.smallest:
        return kernel
    # (1) the kernel between the solver's picture and this one
    high_res, fit = found(y)
    progress("refine", 1, 3)
    # (2) the same where the kernel is true: for the solver's picture, smoother than the true one, and for the
    # low-resolution picture, which has a photograph's detail
    bias = torch.zeros_like(fit)
    for n, sharp in enumerate((high_res, father)):
        _, again = found(as_stored(degrade(sharp, k, scale), noise, generator))
        bias += (again - k) / 2
        progress("refine", n + 2, 3)
    refined = (fit - bias).clamp(min=0).double().cpu().numpy()
    check_finite("refinement", fit - bias)
    # Noise out in the corners would swamp the second moment.
    refined[refined < cfg.cut * refined.max()] = 0
    return Kernel.from_array(refined, scale, kernel.provenance)


def sharpened(
    low_res: Tensor,
    kernel: Kernel,
    sigma: float,
    solve: Solve,
    settings: SharpenedSettings,
    *,
    progress: Progress = silent,
) -> Kernel:
    """`kernel`, not negative, after a few rounds of least squares with the strongest edges of the picture that `solve`
    makes of `low_res` (1, C, h, w), [-1, 1].

    Edges alone find a path as wide as a photograph's own edges and the finer grid make it; the solver's picture has
    both. Weak edges are mostly those that the wrong kernel made. sigma: noise level that the solver is told. The
    picture is not moved: what the kernel is centred about stays. One under `smallest` px on a side gives its kernel
    back.
    """
    cfg, scale = settings, kernel.scale
    side = cfg.window // scale
    if min(low_res.shape[-2:]) < cfg.smallest:
        return kernel
    plane = low_res[0].mean(0).cpu().numpy()
    windows = [low_res[(..., *window)] for window in busiest_windows(plane, side, cfg.windows)]
    k = kernel_tensor(kernel, low_res.device)
    told = Told(sigma, cfg.uncertainty)
    for n in range(cfg.rounds):
        # (1) the pictures that this kernel may have made the windows of
        pictures = [solve(y, k, told)[0].mean(0) for y in windows]
        # (2) the kernel between them
        each = [
            normal_equations(x, y[0].mean(0), k.shape[0], scale, cfg.rim, cfg.edges)
            for x, y in zip(pictures, windows, strict=True)
        ]
        matrix, right = (torch.stack(parts).sum(0) for parts in zip(*each, strict=True))
        check_finite("refinement", (matrix, right))
        inertia = cfg.inertia * matrix.diagonal().mean()
        matrix.diagonal().add_(inertia)
        right += inertia * k.double().flatten()
        found = kernel_of_equations(matrix.cpu(), right.cpu(), cfg.smallness, cfg.smoothness).numpy()
        k = torch.from_numpy(without_noise(found, cfg.cut, cfg.island)).to(k)
        progress("refine", n + 1, cfg.rounds)
    return Kernel.from_array(k.double().cpu().numpy(), scale, kernel.provenance)


def _fitted(high_res: Tensor, low_res: Tensor, k: Tensor, scale: int, sigma: float, cfg: RefineSettings) -> Tensor:
    """argmin_k |k * high_res - low_res|^2 + inertia |k - what it was|^2, of the mean channel's gradients."""
    rim = min(cfg.rim, min(low_res.shape[-2:]) // 4)
    matrix, right = normal_equations(high_res[0].mean(0), low_res[0].mean(0), k.shape[0], scale, rim)
    weight = cfg.inertia.at(scale) * cfg.pixels / low_res[0, 0].numel() * (1 + (sigma / cfg.noise) ** 2)
    inertia = weight * matrix.diagonal().mean().clamp_min(1e-12)
    matrix.diagonal().add_(inertia)
    return torch.linalg.solve(matrix, right + inertia * k.double().flatten()).reshape(k.shape).float()


def _window(low_res: Tensor, side: int, multiple: int) -> Tensor:
    """The busiest square window, or the whole of a smaller picture, with sides that are multiples."""
    row, col, rows, cols = busiest_window(low_res, side)
    rows, cols = rows // multiple * multiple, cols // multiple * multiple
    return low_res[..., row : row + rows, col : col + cols]
