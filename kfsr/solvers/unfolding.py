"""Half-quadratic splitting unfolded: the exact data step and the picture's own patch model, alternating."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import Tensor

from kfsr.analysis.problem import Problem, Told
from kfsr.operator.fourier import DataStep, border, padded
from kfsr.operator.spatial import bicubic_upscale
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.training import training_bytes, training_seconds
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import UnfoldingSettings
from kfsr.solvers.method import Prepared, Solver
from kfsr.solvers.prior import solver_prior
from kfsr.solvers.tiles import cropped, solve_in_tiles


def forward(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    settings: UnfoldingSettings,
    sigma: float,
    progress: Progress = silent,
) -> Tensor:
    """High-resolution picture (1, C, s*h, s*w) of `low_res` (1, C, h, w), both float32 in [-1, 1].

    kernel: (K, K) canonical; the result is differentiable in it and in `low_res`. sigma: how far the data are trusted,
    as the standard deviation of the noise and of what an inexact kernel adds, in [-1, 1] units. For t from sigma_start
    down to sigma_end, geometrically:

        x <- argmin |y - A x|^2 + a_t |x - z|^2,   a_t = balance * sigma^2 / t^2      (data step)
        z <- D(x, t)                                                                  (prior step)

    and one data step more. The picture is extended so that the wrap-around of the data step stays outside. Raises
    NumericalError.
    """
    cfg, margin = settings, border(kernel.shape[-1], scale)
    y = padded(low_res, margin)
    step = DataStep(y, kernel, scale)
    z = bicubic_upscale(y, scale)
    levels = np.geomspace(cfg.sigma_start, cfg.sigma_end, cfg.iterations)
    for n, level in enumerate(levels.tolist()):
        x = step(z, cfg.balance * sigma**2 / level**2)
        z = prior.denoise(x, level)
        progress("solver", n + 1, cfg.iterations)
    x = step(z, cfg.balance * sigma**2 / cfg.sigma_end**2)
    return cropped(x, margin * scale)


def solve(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    settings: UnfoldingSettings,
    sigma: float,
    tile: int | None = None,
    progress: Progress = silent,
) -> Tensor:
    """`forward` without gradient, in tiles (`solve_in_tiles`)."""

    def on(piece: Tensor, progress: Progress) -> Tensor:
        return forward(piece, kernel, scale, prior, settings, sigma, progress)

    return solve_in_tiles(low_res, kernel.shape[-1], scale, on, tile, progress)


def _prepare(problem: Problem, tile: int) -> Prepared:
    prior, cfg, scale = problem.once(solver_prior), problem.settings.unfolding, problem.scale

    def unfold(low_res: Tensor, kernel: Tensor, told: Told, progress: Progress = silent) -> Tensor:
        return solve(low_res, kernel, scale, prior.on(low_res.device), cfg, told.sigma, tile, progress=progress)

    return Prepared(unfold, partial(unfold, progress=problem.progress))


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.unfolding
    return training_seconds(cfg.prior) + 3e-6 * pixels * cfg.iterations


METHOD = Solver(
    prepare=_prepare,
    seconds=_seconds,
    tile_memory=420,
    learning=lambda recipe: training_bytes(recipe.settings.unfolding.prior),
    gate=lambda settings: settings.unfolding.gate,
)
