"""What the small networks share that judge a kernel by the picture itself: contrasts, and attention over places."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 4e-4
"""Variance, [-1, 1] units, under which all is flat."""


def apart_from_mean(x: Tensor, side: int = 9) -> tuple[Tensor, Tensor]:
    """What differs in (B, 1, h, w) from the mean of side x side pixels, as it is and over its deviation there.

    A picture must be larger than half of `side`, which is odd.
    """

    def local_mean(v: Tensor) -> Tensor:
        n = side // 2
        v = F.pad(v, (n, n, n, n), mode="reflect")
        for axis in (-2, -1):
            # By running sums, whose cost does not grow with `side`.
            sums = v.cumsum(axis)
            first, size = sums.narrow(axis, side - 1, 1), sums.shape[axis] - side
            v = torch.cat([first, sums.narrow(axis, side, size) - sums.narrow(axis, 0, size)], axis) / side
        return v

    apart = x - local_mean(x)
    return apart, apart / (local_mean(apart.square()) + _LEAST).sqrt()


def pooled(weight: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Attention: (B, H, h, w) log weights of H heads and (B, H * V, h, w) values to their mean (B, H * V), and how much
    there was to see (B, H), log of the weights' sum."""
    heads = weight.shape[1]
    weight = weight.float().flatten(2)
    value = value.float().flatten(2).unflatten(1, (heads, value.shape[1] // heads))
    mean = torch.einsum("bhn,bhvn->bhv", weight.softmax(-1), value).flatten(1)
    return mean, weight.logsumexp(-1) / 4 - 1
