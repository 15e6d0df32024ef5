"""Half-quadratic splitting unfolded: exact data step, then the picture's own patch model, in turns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kfsr.operator.fourier import DataStep, border, padded
from kfsr.operator.spatial import bicubic_upscale
from kfsr.priors.patch.model import PatchModel
from kfsr.progress import Progress, silent
from kfsr.settings import UnfoldingSettings
from kfsr.solvers.tiles import solve_in_tiles


@torch.no_grad()
def solve(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    settings: UnfoldingSettings,
    sigma: float,
    tile: int | None = None,
    *,
    progress: Progress = silent,
) -> Tensor:
    """High-resolution picture (1, C, s*h, s*w) of `low_res` (1, C, h, w), both float32 in [-1, 1].

    kernel: (K, K) canonical. sigma: how far the data are trusted, as the standard deviation of the noise and of
    what a wrong kernel adds, in [-1, 1] units. For t from sigma_start down to sigma_end, geometrically:

        x <- argmin |y - A x|^2 + a_t |x - z|^2,   a_t = balance * sigma^2 / t^2      (data step)
        z <- D(x, t)                                                                  (prior step)

    and one data step more. The picture is extended so that the wrap-around of the data step stays outside. tile: side
    in low-resolution pixels of the pieces that a larger picture is solved in. Raises NumericalError.
    """
    margin = border(kernel.shape[-1], scale)

    def solve_piece(piece: Tensor) -> Tensor:
        return _solve_piece(padded(piece, margin), kernel, scale, prior, settings, sigma, margin * scale, progress)

    return solve_in_tiles(low_res, scale, solve_piece, tile or max(low_res.shape[-2:]), margin)


def _solve_piece(
    y: Tensor,
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    cfg: UnfoldingSettings,
    sigma: float,
    cut: int,
    progress: Progress,
) -> Tensor:
    step = DataStep(y, kernel, scale)
    z = bicubic_upscale(y, scale)
    levels = np.geomspace(cfg.sigma_start, cfg.sigma_end, cfg.iterations)
    for n, level in enumerate(levels.tolist()):
        x = step(z, cfg.balance * sigma**2 / level**2)
        z = prior.denoise(x, level)
        progress("solver", n + 1, cfg.iterations)
    x = step(z, cfg.balance * sigma**2 / cfg.sigma_end**2)
    return x[..., cut : x.shape[-2] - cut, cut : x.shape[-1] - cut]
