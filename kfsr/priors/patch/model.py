"""A trained patch model as the other stages see it: ``denoise(x, sigma)`` for pictures of any size."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.numerics import check_finite, in_working_precision
from kfsr.operator.spatial import reflect_pad
from kfsr.priors.patch.network import SIGMA_DATA, PatchDenoiser

TILE = 128
"""Side of a tile in pixels: activations of one tile stay in a CPU core's cache (twice as fast as whole images)."""


class PatchModel:
    """The learned prior of one picture: posterior mean of clean patches under Gaussian noise.

    Pictures are (B, C, H, W), float32, in [-1, 1]; sigma is in the same units. Valid for sigma_min <= sigma <=
    sigma_max of the training (0.004 to 0.6); outside it the nearest of the two is used.
    """

    def __init__(self, network: PatchDenoiser, sigma_min: float, sigma_max: float) -> None:
        self.network = network.eval()
        self.sigma_min, self.sigma_max = sigma_min, sigma_max

    def on(self, device: torch.device) -> PatchModel:
        """The same model on another device; this one stays where it is."""
        return PatchModel(copy.deepcopy(self.network).to(device), self.sigma_min, self.sigma_max)

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """E[clean | x] for noise of standard deviation sigma: same shape as x, float32. In tiles, exactly.

        Differentiable in x; settles the precision itself, whatever the caller's autocast. Raises NumericalError.
        """
        sigma = min(max(sigma, self.sigma_min), self.sigma_max)

        def run(dtype: torch.dtype) -> Tensor:
            with torch.autocast(x.device.type, enabled=False):
                clean = self._denoised(x, sigma, self.network.folded(sigma, dtype))
            check_finite("patch model", clean)
            return clean

        return in_working_precision(x.device, run)

    def _denoised(self, x: Tensor, sigma: float, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
        m, (h, w) = self.network.margin, x.shape[-2:]
        tile = TILE if x.device.type == "cpu" else 1024
        rows, cols = math.ceil(h / tile), math.ceil(w / tile)
        step_h, step_w = math.ceil(h / rows), math.ceil(w / cols)
        padded = reflect_pad(x, m, m + rows * step_h - h, m, m + cols * step_w - w)
        norm = math.sqrt(sigma**2 + SIGMA_DATA**2)
        out = x.new_empty(*x.shape[:2], rows * step_h, cols * step_w)
        for i in range(0, rows * step_h, step_h):
            for j in range(0, cols * step_w, step_w):
                crop = padded[..., i : i + step_h + 2 * m, j : j + step_w + 2 * m]
                out[..., i : i + step_h, j : j + step_w] = _run(crop / norm, layers)
        return SIGMA_DATA**2 / norm**2 * x + sigma * SIGMA_DATA / norm * out[..., :h, :w]

    def differentiable(self, x: Tensor, sigma: float) -> Tensor:
        """As `denoise`, in one piece, in the precision of the caller's autocast, with no check of the result.

        The gradient runs through it to `x`, and not to the network, which is left as it is.
        """
        sigma, m = min(max(sigma, self.sigma_min), self.sigma_max), self.network.margin
        frozen = {name: weights.detach() for name, weights in self.network.named_parameters()}
        noisy = reflect_pad(x, m, m, m, m), torch.full((len(x),), sigma, device=x.device)
        out: Tensor = torch.func.functional_call(self.network, frozen, noisy)
        return out


def _run(x: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    h = x.to(layers[0][0].dtype).to(memory_format=torch.channels_last)
    for weight, bias in layers[:-1]:
        h = F.conv2d(h, weight, bias).relu_()
    return F.conv2d(h, *layers[-1]).float()
