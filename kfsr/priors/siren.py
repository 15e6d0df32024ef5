"""A kernel as a function of place: a small network of sines (SIREN, Sitzmann et al. 2020), smooth but of any form."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

OMEGA = 5.0
_LEAK = 1e-4


class SirenKernel(nn.Module):
    """(K, K) kernel of sum 1, not below zero by more than the leak of its sigmoid, whatever the weights.

    `depth` layers of `width` sines over the grid [-1, 1]^2, then a leaky sigmoid (1 + 1e-4) sig(x) - 1e-4, which can
    reach zero, and division by the sum (KernelFusion). An untrained one is flat.
    """

    grid: Tensor

    def __init__(self, size: int, width: int = 256, depth: int = 5) -> None:
        super().__init__()
        line = torch.linspace(-1, 1, size)
        self.register_buffer("grid", torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2))
        self.hidden = nn.ModuleList(nn.Linear(2 if i == 0 else width, width) for i in range(depth))
        self.out = nn.Linear(width, 1)
        self.size = size
        for i, layer in enumerate(self.hidden):
            if isinstance(layer, nn.Linear):
                bound = 1 / 2 if i == 0 else math.sqrt(6 / width) / OMEGA
                nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self) -> Tensor:
        """The kernel, canonical convention, float32."""
        h = self.grid
        for layer in self.hidden:
            h = torch.sin(OMEGA * layer(h))
        k = (1 + _LEAK) * torch.sigmoid(self.out(h)) - _LEAK
        return (k / k.sum()).reshape(self.size, self.size)
