"""The variance-preserving diffusion that a patch model can be run backwards through.

x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n. The model knows noise by its standard deviation beside an unscaled picture:
x_t / sqrt(abar_t) carries sigma_t = sqrt((1 - abar_t) / abar_t).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TIMES = 1000
_FIRST_BETA, _LAST_BETA = 1e-4, 0.02


def alphas_bar(start: int, steps: int) -> list[float]:
    """abar at `steps` + 1 times from `start` (1 to 1000) down to 0, evenly strided; the last is 1, a clean picture.

    The betas rise linearly from 1e-4 to 0.02 over 1000 times (Ho et al. 2020).
    """
    betas = torch.linspace(_FIRST_BETA, _LAST_BETA, TIMES, dtype=torch.float64)
    kept = torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])
    times = torch.linspace(start, 0, steps + 1).round().long()
    return [float(kept[t]) for t in times]


def noise_level(alpha_bar: float) -> float:
    """sigma_t of the unscaled picture."""
    return math.sqrt((1 - alpha_bar) / alpha_bar)


def posterior(clean: Tensor, x_t: Tensor, alpha_bar: float, alpha_bar_before: float) -> tuple[Tensor, float]:
    """Mean and standard deviation of q(x_s | x_t, x_0 = clean) for s < t, whose abar is `alpha_bar_before`.

    With alpha = abar_t / abar_s and beta = 1 - alpha (Ho et al. 2020, eq. 7, for any stride):
    mean = sqrt(abar_s) beta / (1 - abar_t) x_0 + sqrt(alpha) (1 - abar_s) / (1 - abar_t) x_t,
    variance = beta (1 - abar_s) / (1 - abar_t).
    """
    alpha = alpha_bar / alpha_bar_before
    beta, noise, noise_before = 1 - alpha, 1 - alpha_bar, 1 - alpha_bar_before
    mean = math.sqrt(alpha_bar_before) * beta / noise * clean + math.sqrt(alpha) * noise_before / noise * x_t
    return mean, math.sqrt(beta * noise_before / noise)
