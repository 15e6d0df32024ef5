"""The kernel between a high-resolution picture and its low-resolution one, by least squares."""

from __future__ import annotations

import torch
from torch import Tensor

from kfsr.operator.spatial import windows


def normal_equations(high_res: Tensor, low_res: Tensor, size: int, scale: int, rim: int) -> tuple[Tensor, Tensor]:
    """A^T A (K^2, K^2) and A^T b (K^2), float64, of min_k |degrade(d high_res, k) - d low_res|^2, with A k = degrade.

    d: the differences by one low-resolution pixel along both axes, so that brightness does not matter. high_res
    (s*h, s*w), low_res (h, w), size K = s (mod 2), k canonical and flattened. rim: low-resolution pixels along the
    border that are left out; where the kernel reaches beyond them, the border is circular.
    """
    inside = slice(rim, -rim or None)
    matrix, right = high_res.new_zeros(size**2, size**2), high_res.new_zeros(size**2)
    for axis in (0, 1):
        fine = torch.roll(high_res, -scale, axis) - high_res
        a = windows(fine[None, None], size, scale, "circular")[0, 0, :, inside, inside].flatten(1)
        b = (torch.roll(low_res, -1, axis) - low_res)[inside, inside].flatten()
        matrix += a @ a.T
        right += a @ b
    return matrix.double(), right.double()
