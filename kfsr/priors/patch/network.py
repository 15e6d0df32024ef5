"""The patch model's network: a small denoiser whose receptive field is one 15 x 15 patch."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIGMA_DATA = 0.5
"""Standard deviation of pictures in [-1, 1] that the preconditioning assumes."""


class PatchDenoiser(nn.Module):
    """Predicts the clean picture from a noisy one, patch by patch: D(x, sigma), x in [-1, 1].

    `depth` valid 3 x 3 convolutions (receptive field 2 * depth + 1, 15 for seven), ReLU, no normalisation over
    space, which would widen the receptive field; log sigma scales and shifts every hidden layer (FiLM).
    Preconditioned after Karras et al. 2022 (EDM), table 1: D = c_skip x + c_out F(c_in x, ln(sigma)/4).
    """

    def __init__(self, channels: int, width: int, depth: int = 7) -> None:
        super().__init__()
        sizes = [channels, *[width] * (depth - 1), channels]
        layers = [nn.Conv2d(a, b, 3) for a, b in pairwise(sizes)]
        film = nn.Linear(64, 2 * width * (depth - 1))
        self.convs = nn.ModuleList(layers)
        self.embed = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), film)
        for conv in layers:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(_bias(conv))
        # The untrained network returns its input: zero residual, no modulation.
        for p in (layers[-1].weight, film.weight, film.bias):
            nn.init.zeros_(p)

    @property
    def margin(self) -> int:
        """Pixels lost on every side by `forward`: half the receptive field."""
        return len(self.convs)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Clean estimate of the middle of `x` (B, C, H, W): (B, C, H - 2*margin, W - 2*margin); sigma (B,)."""
        s = sigma.reshape(-1, 1, 1, 1)
        norm = (s**2 + SIGMA_DATA**2).sqrt()
        h = (x / norm).to(memory_format=torch.channels_last)
        film = self._film(sigma)
        for i, conv in enumerate(self.convs[:-1]):
            scale, shift = film[:, i, 0, :, None, None], film[:, i, 1, :, None, None]
            h = F.relu(torch.addcmul(shift.to(h.dtype), conv(h), (1 + scale).to(h.dtype)))
        residual = self.convs[-1](h).float()
        m = self.margin
        inner = x[..., m : x.shape[-2] - m, m : x.shape[-1] - m]
        return SIGMA_DATA**2 / norm**2 * inner + s * SIGMA_DATA / norm * residual

    def _film(self, sigma: Tensor) -> Tensor:
        """Scales and shifts of the hidden layers: (B, depth - 1, 2, width)."""
        t = sigma.log() / 4
        film: Tensor = self.embed(torch.stack([t, t.sin(), t.cos()], 1))
        return film.unflatten(1, (len(self.convs) - 1, 2, -1))

    @torch.no_grad()
    def folded(self, sigma: float, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of all layers for one sigma, FiLM multiplied in: the same function, fewer passes."""
        convs = self._layers()
        film = self._film(torch.full((1,), sigma, device=convs[0].weight.device))[0]
        layers = []
        for i, conv in enumerate(convs):
            weight, bias = conv.weight, _bias(conv)
            if i < len(film):
                gain = 1 + film[i, 0]
                weight, bias = weight * gain[:, None, None, None], bias * gain + film[i, 1]
            layers.append((weight.to(dtype).contiguous(memory_format=torch.channels_last), bias.to(dtype)))
        return layers

    def _layers(self) -> list[nn.Conv2d]:
        return [conv for conv in self.convs if isinstance(conv, nn.Conv2d)]


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        raise ValueError("every layer of the patch model has a bias")
    return conv.bias
