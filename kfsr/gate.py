"""Never worse than bicubic: what the picture itself says about a result, without a truth.

A kernel that is too wide, or noise taken for detail, makes the solver ring: the result leaves the range of the
low-resolution pixels around it. Some of that is right, since peaks are recovered. How much is right for this
picture, kernel and solver is known from a rehearsal: the low-resolution picture is degraded once more by the same
kernel, which is then exactly known, and solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TRUSTED = "trusted"


@dataclass(frozen=True)
class Verdict:
    """verdict: "trusted", or what was done instead; reason: one line for people. overshoot, rehearsed: root mean
    square overshoot of the result and of the rehearsal, in grey levels; rehearsal_gain: dB over bicubic that the
    rehearsal reached. None where nothing was judged."""

    verdict: str
    reason: str
    overshoot: float | None = None
    rehearsed: float | None = None
    rehearsal_gain: float | None = None


def overshoot(high_res: Tensor, low_res: Tensor, scale: int) -> float:
    """Root mean square of how far `high_res` leaves the range of the 3 x 3 low-resolution pixels around it.

    (1, C, s*h, s*w) and (1, C, h, w) in [-1, 1]; the result is in grey levels of 255.
    """
    top = F.max_pool2d(F.pad(low_res, (1, 1, 1, 1), mode="replicate"), 3, 1)
    bottom = -F.max_pool2d(F.pad(-low_res, (1, 1, 1, 1), mode="replicate"), 3, 1)
    top, bottom = (F.interpolate(v, scale_factor=float(scale), mode="nearest") for v in (top, bottom))
    beyond = (high_res - top).clamp_min(0) + (bottom - high_res).clamp_min(0)
    return float(beyond.square().mean().sqrt()) * 127.5


def noise_level(low_res: Tensor) -> float:
    """Standard deviation of white noise in (1, C, h, w), from the quietest tenth of its 16 x 16 blocks.

    The diagonal Haar band of blocks: detail is weakest there, and in the quietest blocks there is none.
    """
    x = low_res[..., : low_res.shape[-2] // 2 * 2, : low_res.shape[-1] // 2 * 2]
    band = (x[..., ::2, ::2] - x[..., 1::2, ::2] - x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 2
    size = min(8, *band.shape[-2:])
    power = F.avg_pool2d(band.square(), size).flatten()
    return float(torch.quantile(power[:: max(1, power.numel() // 100_000)], 0.1).sqrt())
