"""The kernel between a high-resolution picture and its low-resolution one, by least squares."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def normal_equations(high_res: Tensor, low_res: Tensor, size: int, scale: int, rim: int) -> tuple[Tensor, Tensor]:
    """A^T A (K^2, K^2) and A^T b (K^2), float64, of min_k |(k * d high_res) subsampled - d low_res|^2.

    d: the differences by one low-resolution pixel along both axes, so that brightness does not matter. high_res
    (s*h, s*w), low_res (h, w), size K = s (mod 2), k canonical and flattened. rim: low-resolution pixels along the
    border that are left out; those of a kernel that reaches further wrap around.
    """
    pad = (size - scale) // 2
    inside = slice(rim, -rim or None)
    matrix, right = high_res.new_zeros(size**2, size**2), high_res.new_zeros(size**2)
    for axis in (0, 1):
        fine = torch.roll(high_res, -scale, axis) - high_res
        around = F.pad(fine[None, None], (pad,) * 4, mode="circular")
        a = F.unfold(around, size, stride=scale)[0].unflatten(1, low_res.shape)[:, inside, inside].flatten(1)
        b = (torch.roll(low_res, -1, axis) - low_res)[inside, inside].flatten()
        matrix += a @ a.T
        right += a @ b
    return matrix.double(), right.double()
