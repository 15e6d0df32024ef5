"""The size of a spectral kernel, judged: how wrong it may be, and made smaller where that is more likely.

A picture of few pixels, or of many that are soft, says little about its kernel. A kernel that is too wide rings, one
that is too narrow only leaves some blur, so what is doubtful is narrowed. How doubtful it is, a small perceptron
says that was trained on photographs with known kernels (`models/size`): it gives the median and the spread of

    log(true size / estimated size)

from six numbers of the fit. The size of a kernel is the trace of its covariance.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kfsr.errors import InputError
from kfsr.estimators.spectral import SpectralFit
from kfsr.kernel import Kernel, resize_kernel
from kfsr.settings import SizeSettings

WIDTH = 8
FEATURES = 6


class SizeNet(nn.Module):
    """(B, 6) `features` to (B, 2): median and log spread (mean absolute deviation) of log(true / estimated size)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Any numbers: they are centred and scaled as in training."""
        out: Tensor = self.layers((x - self.mean) / self.deviation)
        return out


def features(fit: SpectralFit) -> list[float]:
    """What is known about a fit: its size, how well the spectra agree, how many patches they are of, the noise."""
    scale = fit.kernel.scale
    size = math.log(fit.kernel.trace / scale**2)
    return [
        min(max(size, -3.5), 1.4),
        math.log(fit.residual),
        math.log(min(fit.patches, 100)),
        math.log(fit.noise),
        float(scale == 2),
        float(scale == 4),
    ]


def judge(fit: SpectralFit, net: SizeNet, settings: SizeSettings) -> tuple[Kernel, float]:
    """The kernel, narrowed where its size is doubtful, and the spread of log size that remains."""
    with torch.no_grad():
        median, log_spread = net(torch.tensor([features(fit)]))[0].tolist()
    spread = math.exp(log_spread)
    # A fit with little spread is right on average, on other photographs than the net's too: it is left as it is.
    doubt = 1 / (1 + (settings.trusted_spread / spread) ** 4)
    change = doubt * (min(0.0, median) - settings.caution * spread)
    return resize_kernel(fit.kernel, math.exp(change)), spread


def from_state(state: dict[str, Tensor]) -> SizeNet:
    """The network with these parameters; InputError when they are of something else."""
    net = SizeNet()
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise InputError("these are not the weights of the size judge") from error
    return net.eval()
