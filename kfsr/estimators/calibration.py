"""The spectral kernel, calibrated: how wrong it may be, and what the picture itself says beside its spectra.

Spectra cannot tell a wide kernel from a soft photograph. A small network that was trained on photographs with known
kernels (`models/calibration`) looks at the picture, whose edges and grain tell more, and at the fit. With C the
kernel's covariance in low-resolution pixels and

    L(C) = log(C + f I) = [[size + slant, cross], [cross, size - slant]]        (matrix logarithm, f = `FLOOR`)

it gives the median of L(true) - L(spectral), its spread, and whether a Gaussian will do at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.analysis.noise import compression_level, noise_level
from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import InputError
from kfsr.estimators import spectral
from kfsr.estimators.contrasts import apart_from_mean, pooled
from kfsr.estimators.method import Estimator
from kfsr.estimators.spectral import SpectralFit
from kfsr.kernel import Kernel, gaussian_kernel
from kfsr.kernel.gaussian import MIN_VARIANCE
from kfsr.kernel.sharpening import Sharpening
from kfsr.recipe import MOST_UNCERTAIN
from kfsr.settings import CalibrationSettings
from kfsr.weights import network

FLOOR = 0.04
"""Low-resolution pixels squared: kernels much smaller than this are all one."""

SIDE = 160
"""Low-resolution pixels: of the largest window that the network has seen."""

FEATURES = 11
OUTPUTS = 11
HEADS, VALUES = 8, 12

NOISE_FLOOR = 0.0023
"""Standard deviation of 8-bit rounding, [-1, 1] units."""


class CalibrationNet(nn.Module):
    """Convolutions over the picture, pooled by attention to what tells most; a perceptron adds the fit's numbers."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.body = nn.Sequential(
            nn.Conv2d(2, 24, 5),
            nn.ReLU(),
            nn.Conv2d(24, 48, 4, 2),
            nn.ReLU(),
            nn.Conv2d(48, 48, 3),
            nn.ReLU(),
            nn.Conv2d(48, 64, 4, 2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )
        self.attention = nn.Conv2d(64, HEADS, 1)
        self.values = nn.Conv2d(64, HEADS * VALUES, 1)
        last = nn.Linear(64, OUTPUTS)
        self.layers = nn.Sequential(
            nn.Linear(HEADS * (VALUES + 1) + FEATURES, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), last
        )
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward(self, luminance: Tensor, features: Tensor) -> Tensor:
        """(B, 1, h, w) in [-1, 1] and (B, 11) `features` to (B, 11): median error of size, slant and cross, log spread
        (mean absolute deviation) of size and of the other two, logit of that no Gaussian will do; log noise, its log
        spread, correlation of the noise, the two gains of the sharpening."""
        x = self.body(_contrasts(luminance).to(memory_format=torch.channels_last))
        values, evidence = pooled(self.attention(x), self.values(x))
        known = (features - self.mean) / self.deviation
        out: Tensor = self.layers(torch.cat([values, evidence, known], 1))
        return out


def _contrasts(x: Tensor) -> Tensor:
    """(B, 2, h + 20, w + 20): what differs from the mean of 9 x 9 pixels, as it is and over its deviation."""
    apart, relative = apart_from_mean(x.float())
    return F.pad(torch.cat([4 * apart, relative], 1), (10, 10, 10, 10), mode="replicate")


def logarithm(kernel: Kernel) -> np.ndarray:
    """(size, slant, cross) of L(C) for the kernel's covariance C."""
    covariance = kernel.covariance / kernel.scale**2 + FLOOR * np.eye(2)
    values, axes = np.linalg.eigh(covariance)
    # Sharpening can leave no variance, or less.
    log = axes @ np.diag(np.log(np.maximum(values, FLOOR / 2))) @ axes.T
    return np.array([log[0, 0] + log[1, 1], log[0, 0] - log[1, 1], 2 * log[0, 1]]) / 2


def error_of(estimate: Kernel, true: Kernel) -> np.ndarray:
    """(3,) L(true) - L(estimate) of two Gaussian kernels."""
    return logarithm(true) - logarithm(estimate)


def changed(kernel: Kernel, change: np.ndarray) -> Kernel:
    """The Gaussian whose L is the kernel's plus `change` (3,)."""
    size, slant, cross = logarithm(kernel) + change
    values, axes = np.linalg.eigh(np.array([[size + slant, cross], [cross, size - slant]]))
    variances = np.maximum((np.exp(values) - FLOOR) * kernel.scale**2, 2 * MIN_VARIANCE)
    changed = gaussian_kernel(axes @ np.diag(variances) @ axes.T, kernel.scale, kernel.size)
    return changed.stamped(kernel.provenance)


def seen(low_res: Tensor, quantisation: float) -> list[float]:
    """What is seen of the dirt in (1, C, h, w) of [-1, 1]: white noise, steps between JPEG's blocks, and the
    `quantisation` of `kfsr.image.Image`."""
    return [
        math.log(noise_level(low_res) + NOISE_FLOOR),
        math.log(compression_level(low_res) + NOISE_FLOOR),
        math.log1p(quantisation),
    ]


def features(fit: SpectralFit, dirt: list[float]) -> list[float]:
    """What is known about a fit: its size, how well the spectra agree, how many patches they are of, the noise, the
    scale, the dirt as `seen`, its form."""
    scale = fit.kernel.scale
    size, slant, cross = logarithm(fit.kernel).tolist()
    return [
        size,
        math.log(fit.residual),
        math.log(min(fit.patches, 100)),
        math.log(fit.noise),
        float(scale == 2),
        float(scale == 4),
        *dirt,
        slant,
        cross,
    ]


@dataclass(frozen=True)
class Calibration:
    """kernel: the spectral one, corrected, without sharpening. size_error: log size of the true kernel less that of the
    spectral fit, as the network sees it. spread: mean absolute deviation of that. odds: log odds that the kernel is not
    a Gaussian. noise: root mean square of all that a kernel does not explain, [-1, 1] units; noise_spread: mean
    absolute deviation of its logarithm; correlation: of it between neighbouring pixels. sharpening: what a camera or a
    program did, None if hardly anything."""

    kernel: Kernel
    size_error: float
    spread: float
    odds: float
    noise: float
    noise_spread: float
    correlation: float
    sharpening: Sharpening | None

    @property
    def whole(self) -> Kernel:
        """The kernel with the sharpening in it, which gives it negative lobes."""
        return (
            self.sharpening.of_kernel(self.kernel).stamped(self.kernel.provenance) if self.sharpening else self.kernel
        )


def calibrate(
    fit: SpectralFit,
    luminances: Sequence[np.ndarray],
    dirt: list[float],
    net: CalibrationNet,
    settings: CalibrationSettings,
) -> Calibration:
    """The fit's kernel, corrected by what the network sees in the `luminances` (H, W) in [0, 1] that it was fitted to,
    and in their `dirt` (`seen`).

    Windows that the network is surer of count for more.
    """
    known = torch.tensor([features(fit, dirt)])
    said = []
    each = max(1, settings.windows // len(luminances))
    for plane in luminances:
        for window in busiest_windows(plane, SIDE, each):
            x = torch.from_numpy(plane[window].astype(np.float32))[None, None]
            with torch.no_grad():
                said.append(net(2 * x - 1, known)[0].numpy())
    out = np.stack(said).astype(float)
    weight = np.exp(-2 * out[:, 3])
    error = weight @ out[:, :3] / weight.sum()
    error = np.sign(error) * np.maximum(np.abs(error) - settings.bias, 0)
    spread = math.exp(float(out[:, 3].mean()))
    odds = float(out[:, 5].mean())
    widest = settings.widest if odds < settings.sure_odds else 0.0
    doubt = 1 / (1 + (settings.trusted_spread / spread) ** 4)
    size_error = float(error[0])
    error[0] = min(size_error, widest) - doubt * settings.caution * spread
    log_noise, log_spread, correlation, *gains = out[:, 6:].mean(0).tolist()
    return Calibration(
        changed(fit.kernel, error),
        size_error,
        spread,
        odds,
        math.exp(log_noise),
        math.exp(log_spread),
        correlation,
        Sharpening.of_gains((gains[0], gains[1])) if gains[1] > settings.least_sharpening else None,
    )


def from_state(state: dict[str, Tensor]) -> CalibrationNet:
    """The network with these parameters; InputError when they are of something else."""
    net = CalibrationNet()
    try:
        net.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise InputError("these are not the weights of the calibration network") from error
    return net.eval()


def calibrated(problem: Problem) -> Calibration:
    """Fit and calibration of a problem's pictures, with the bundled network. Raises NothingToLearn."""
    with problem.timed("spectral"):
        fit = spectral.estimate(problem.luminances, problem.scale, problem.settings.spectral)
        net = network(None, ("calibration",))
        assert isinstance(net, CalibrationNet)
        dirt = [seen(low_res, one.quantisation) for low_res, one in zip(problem.tensors, problem.pictures, strict=True)]
        together = np.mean(dirt, 0).tolist()
        return calibrate(fit, problem.luminances, together, net, problem.settings.calibration)


def uncertainty(problem: Problem, kernel: Kernel) -> float:
    """Of a Gaussian estimate, for the solver: more where the picture says little of its size. Raises NothingToLearn."""
    return min(MOST_UNCERTAIN, problem.settings.calibration.doubt * problem.once(calibrated).spread ** 2)


METHOD = Estimator(
    estimate=lambda problem: problem.once(calibrated).whole,
    seconds=lambda pixels, recipe: 0.4,
    refined=True,
    uncertainty=uncertainty,
)
