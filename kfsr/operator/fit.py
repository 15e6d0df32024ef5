"""The kernel between a high-resolution picture and its low-resolution one, by least squares."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kfsr.errors import NothingToLearn
from kfsr.numerics import nonnegative_minimum

RAMP = 12
"""Low-resolution pixels over which the equations' weight rises from 0 to 1 beyond the rim."""


def normal_equations(
    high_res: Tensor, low_res: Tensor, size: int, scale: int, rim: int, strongest: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A^T A (K^2, K^2) and A^T b (K^2), float64, of min_k |degrade(d high_res, k) - d low_res|^2, with A k = degrade.

    d: the differences by one low-resolution pixel along both axes, so that brightness does not matter. high_res
    (s*h, s*w), low_res (h, w), size K = s (mod 2), k canonical and flattened. rim: low-resolution pixels along the
    border that are left out; beyond it weights rise smoothly, and with 0 all count alike and the border is circular.
    strongest: share of the differences of high_res that are kept, the others count as 0.

    An entry of A^T A is a correlation of two of the s*s polyphase components of d high_res, so all of them come from
    a few Fourier transforms. That takes each component to be weighted where it lies, not where the equation does,
    which is why the weights are smooth.
    """
    h, w = low_res.shape
    fine, coarse = (_weights(h, n, rim)[:, None] * _weights(w, n, rim) for n in (scale, 1))
    fine, coarse = fine.to(high_res.device), coarse.to(high_res.device)
    x, y = high_res.double(), low_res.double()
    cross, right = x.new_zeros(()), x.new_zeros(())
    both = [torch.roll(x, -scale, axis) - x for axis in (0, 1)]
    if strongest < 1:
        strength = both[0].square() + both[1].square()
        rank = max(1, round((1 - strongest) * strength.numel()))
        both = [one * (strength > strength.flatten().kthvalue(rank).values) for one in both]
    for axis in (0, 1):
        differences = fine * both[axis]
        phases = torch.fft.rfft2(differences.reshape(h, scale, w, scale).permute(1, 3, 0, 2))
        wanted = torch.fft.rfft2(coarse * (torch.roll(y, -1, axis) - y))
        cross = cross + phases.conj()[:, :, None, None] * phases
        right = right + phases * wanted.conj()
    cross, right = (torch.fft.irfft2(one, s=(h, w)) for one in (cross, right))
    # Entry i meets x[s*p + reach[i]]: component `phase`, `step` low-resolution pixels further on.
    reach = torch.arange(size, device=x.device) - (size - scale) // 2
    phase, step = reach % scale, torch.div(reach, scale, rounding_mode="floor")
    a, b, c, d = (
        torch.arange(size, device=x.device).reshape([-1 if n == axis else 1 for n in range(4)]) for axis in range(4)
    )
    lags = (step[c] - step[a]) % h, (step[d] - step[b]) % w
    matrix = cross[(phase[a], phase[b], phase[c], phase[d], *lags)].reshape(size**2, size**2)
    vector = right[phase[:, None], phase, (step % h)[:, None], step % w].flatten()
    return matrix, vector


def kernel_of_equations(matrix: Tensor, right: Tensor, smallness: float, smoothness: float) -> Tensor:
    """argmin k' M k / 2 - k' r + smallness |k|^2 / 2 + smoothness |grad k|^2 / 2 over k >= 0; (K, K) float32,
    scaled to sum 1.

    matrix (K^2, K^2), right (K^2,), float64; both weights are against the mean of the matrix's diagonal. Raises
    NothingToLearn where that is 0 or nothing is left of k.
    """
    count = len(right)
    size = math.isqrt(count)
    weight = float(matrix.diagonal().mean())
    if weight < 1e-12:
        raise NothingToLearn("the picture has no edges to learn a kernel from")
    m = matrix / weight + smallness * torch.eye(count, dtype=matrix.dtype) + smoothness * laplacian(size)
    r = right / weight
    k = torch.linalg.solve(m, r).clamp(min=0)
    steepest = float(torch.linalg.eigvalsh(m)[-1])
    dense, wanted = m.numpy(), r.numpy()
    found = torch.from_numpy(nonnegative_minimum(k.numpy(), lambda at: dense @ at - wanted, steepest, 60))
    if float(found.sum()) <= 0:
        raise NothingToLearn("no kernel can be learned from the picture's edges")
    return (found / found.sum()).reshape(size, size).float()


def laplacian(size: int) -> Tensor:
    """The matrix L for which k' L k is the sum of squared differences between neighbours of a (size, size) k."""
    line = 2 * torch.eye(size) - torch.diag(torch.ones(size - 1), 1) - torch.diag(torch.ones(size - 1), -1)
    line[0, 0] = line[-1, -1] = 1
    one = torch.eye(size)
    return (torch.kron(line, one) + torch.kron(one, line)).double()


def _weights(length: int, scale: int, rim: int) -> Tensor:
    """Square roots of the weights along an axis of `length` low-resolution pixels, for `scale` pixels each, float64."""
    if rim == 0:
        return torch.ones(scale * length, dtype=torch.float64)
    at = (torch.arange(scale * length, dtype=torch.float64) + 0.5) / scale
    inside = torch.minimum(at, length - at) - rim
    ramp = min(RAMP, length / 4)
    return 0.5 - 0.5 * torch.cos(math.pi * (inside / ramp).clamp(0, 1))
