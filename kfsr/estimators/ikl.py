"""IKL: the kernel that makes the twice-downscaled picture's patches look like the picture's own (ddm4ip).

Two patch models, one of the picture (frozen) and one of the twice-downscaled picture (auxiliary, trained on the
way), give the gradient of KL(Y_k || Y) with respect to the kernel of a linear convolution net.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.kernel.gaussian import gaussian_kernel, own_blur_factor
from kfsr.kernel.value import Kernel
from kfsr.patch.crops import CropSampler
from kfsr.patch.model import PatchModel, working_dtype
from kfsr.patch.network import SIGMA_DATA
from kfsr.progress import Progress, silent
from kfsr.settings import IklSettings


class LinearKernelNet(nn.Module):
    """Three convolutions without bias or activation, kept collapsed: one (K, K) kernel with the same gradients.

    Started so that it collapses to a given covariance: each layer carries a third of it on one path, small random
    weights on all others.
    """

    def __init__(self, covariance: np.ndarray, size: int, scale: int, width: int) -> None:
        super().__init__()
        sides = [size + 2 - 2 * ((size + 2) // 3), (size + 2) // 3, (size + 2) // 3]
        width = max(width, 1)
        shapes = [(1, width), (width, width), (width, 1)]
        self.layers = nn.ParameterList()
        for side, (inputs, outputs) in zip(sides, shapes, strict=True):
            factor = gaussian_kernel(covariance / 3, 2 if side % 2 == 0 else 1, side).array
            weight = torch.randn(outputs, inputs, side, side) * 1e-3 / max(width,1)**0.5
            weight[0, 0] = torch.from_numpy(factor.copy()).float()
            self.layers.append(nn.Parameter(weight))

    def forward(self) -> Tensor:
        """The collapsed kernel (K, K), sum 1, canonical (correlation) convention."""
        k = self.layers[0]
        for weight in list(self.layers)[1:]:
            # Correlating one after the other is convolving the filters.
            side = weight.shape[-1] - 1
            k = F.conv2d(F.pad(k.transpose(0, 1), (side,) * 4), weight.flip(2, 3)).transpose(0, 1)
        k = k[0, 0]
        return k / k.sum()


class GaussianKernelNet(nn.Module):
    def __init__(self, covariance: np.ndarray, size: int) -> None:
        super().__init__()
        L = np.linalg.cholesky(covariance)
        self.p = nn.Parameter(torch.tensor([np.log(L[0, 0]), L[1, 0], np.log(L[1, 1])]).float())
        self.size = size

    def forward(self) -> Tensor:
        a, b, c = self.p[0].exp(), self.p[1], self.p[2].exp()
        i = torch.arange(self.size) - (self.size - 1) / 2
        r, q = i[:, None], i[None]
        u = r / a
        v = (q - b * u) / c
        k = torch.exp(-0.5 * (u * u + v * v))
        return k / k.sum()


def estimate(
    sampler: CropSampler,
    start: Kernel,
    model: PatchModel,
    settings: IklSettings,
    generator: torch.Generator,
    *,
    progress: Progress = silent,
) -> Kernel:
    """Refine `start` by distribution matching; `low_res` (1, C, h, w) in [-1, 1], `model` trained on it unturned.

    Every iteration draws crops x of the picture and z = A_k(x) + matched noise + sigma n, then
    (i) the auxiliary model takes one denoising step on A_k(x), and
    (ii) the kernel takes one step along mean(w(sigma) (D_aux(z) - D(z)) A_k(x)), both models held fixed, which
    descends KL(Y_k || Y) (ddm4ip, eq. 5 with the sign of its code).
    The picture is itself blurred by k, so what matches is k_hat with k = k_hat * k_hat(s .) * ...; the net models
    k_hat, and `_with_own_blur` gives k back. The iterates' average is returned, pulled towards the start until
    their correlation is at least `settings.trust`.
    """
    cfg, scale, device = settings, start.scale, sampler.device
    remaining = own_blur_factor(scale)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        net = LinearKernelNet(start.covariance * remaining, start.size, scale, cfg.width).to(device)
        if cfg.width == 0:
            net = GaussianKernelNet(start.covariance * remaining, start.size)
    first = net().detach()
    auxiliary = copy.deepcopy(model.network).train()
    margin = auxiliary.margin
    crop = min(cfg.crop, (sampler.largest - start.size + scale) // scale)
    kernel_optimiser = torch.optim.Adam(net.parameters(), cfg.kernel_rate, betas=(0.9, 0.99))
    auxiliary_optimiser = torch.optim.Adam(auxiliary.parameters(), cfg.auxiliary_rate, betas=(0.9, 0.99))
    dtype = working_dtype(device)
    average = torch.zeros_like(first)
    weight_sum = 0.0
    total = cfg.warm_up + cfg.iterations
    for step in range(total):
        k = net()
        crops = sampler.draw(cfg.batch, scale * crop + start.size - scale, generator)
        flat = crops.reshape(-1, 1, *crops.shape[-2:])
        twice = F.conv2d(flat, k[None, None], stride=scale).reshape(cfg.batch, -1, crop, crop)
        matched = torch.randn(twice.shape, generator=generator).to(device) * cfg.noise
        sigma = cfg.sigma_min * torch.exp(
            torch.rand(cfg.batch, generator=generator) * math.log(cfg.sigma_max / cfg.sigma_min)
        ).to(device)
        noisy = twice.detach() + matched
        s = sigma[:, None, None, None]
        z = noisy + s * torch.randn(twice.shape, generator=generator).to(device)
        weight = (s**2 + SIGMA_DATA**2) / (s * SIGMA_DATA) ** 2
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            guess = auxiliary(z, sigma)
        # (i) one denoising step of the auxiliary model
        inner = (..., slice(margin, crop - margin), slice(margin, crop - margin))
        loss = (weight * (guess - noisy[inner]) ** 2).mean()
        auxiliary_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        auxiliary_optimiser.step()
        progress("ikl", step + 1, total)
        if step < cfg.warm_up:
            continue
        # (ii) one step of the kernel
        with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            real = model.network(z, sigma)
        direction = (weight * (guess.detach() - real)).float()
        objective = (direction * twice[inner]).mean() + _regulariser(k)
        kernel_optimiser.zero_grad(set_to_none=True)
        objective.backward()
        fraction = (step - cfg.warm_up) / cfg.iterations
        for group in kernel_optimiser.param_groups:
            group["lr"] = cfg.kernel_rate * 0.5 * (1 + math.cos(math.pi * fraction))
        kernel_optimiser.step()
        if fraction >= 0.5:
            average += net().detach()
            weight_sum += 1
    return average / weight_sum


def _regulariser(k: Tensor) -> Tensor:
    """0.1 mean|k| + 0.01 |centre of mass|^2, in the net's own units (ddm4ip's code)."""
    i = torch.arange(k.shape[0], device=k.device) - (k.shape[0] - 1) / 2
    return 0.1 * k.abs().mean() + 0.01 * ((k.sum(0) @ i) ** 2 + (k.sum(1) @ i) ** 2)
