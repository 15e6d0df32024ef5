"""The network that makes a picture consistent with what was seen of it (KernelFusion's refinement U-Net)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """Picture (B, C, H, W) in [-1, 1] to another one of the same shape; H and W divisible by 2^(levels - 1).

    `levels` of width, 2 width, ...; two 3 x 3 convolutions with batch normalisation and ReLU each; tanh at the end, no
    residual. The statistics are always the batch's own: it is trained on the one picture that it is used for.
    """

    def __init__(self, channels: int, width: int = 32, levels: int = 5) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(levels)]
        self.down = nn.ModuleList(_double(a, b) for a, b in pairwise([channels, *widths]))
        self.up = nn.ModuleList(_double(b + a, a) for a, b in pairwise(widths))
        self.last = nn.Conv2d(width, channels, 1)
        self.factor = 2 ** (levels - 1)

    def forward(self, x: Tensor) -> Tensor:
        """The refined picture."""
        h = x.to(memory_format=torch.channels_last)
        kept: list[Tensor] = []
        for i, block in enumerate(self.down):
            h = block(h if i == 0 else F.max_pool2d(h, 2))
            kept.append(h)
        for i in reversed(range(len(self.up))):
            h = F.interpolate(h, scale_factor=2.0, mode="bilinear", align_corners=False)
            h = self.up[i](torch.cat([h, kept[i]], 1))
        return torch.tanh(self.last(h).float())


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a in (inputs, outputs):
        conv = nn.Conv2d(a, outputs, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(outputs, track_running_stats=False), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
