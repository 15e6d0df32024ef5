"""Spectral cross-scale matching: a Gaussian kernel from one picture's power spectrum, in a fraction of a second.

Scale invariance says that the power spectrum of the low-resolution picture equals that of the picture downscaled
once more by the right kernel. With S the mean periodogram of the luminance and N the noise floor,

    S(f)  ~  fold[(S - N) |K_hat|^2](f) + N,                                                    (1)

where ``fold`` adds the s^2 aliases. The picture is already blurred by K, so the fixed point is not K but
K_hat(f) = K(f) / K(f/s); for a Gaussian of covariance C that is C_hat = C (1 - 1/s^2). (1) is fitted over the three
numbers of C, so the estimate needs no correction afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kfsr.analysis.noise import noise_variance
from kfsr.analysis.spectrum import QUANTISATION, mean_periodogram
from kfsr.errors import NothingToLearn
from kfsr.kernel.gaussian import MIN_VARIANCE, gaussian_kernel, own_blur_factor
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, check_scale, default_size
from kfsr.numerics import check_finite
from kfsr.operator.fourier import fold
from kfsr.settings import SpectralSettings


@dataclass(frozen=True)
class SpectralFit:
    """kernel: the estimate; residual: mean robust distance of the log spectra (0.1 is a perfect fit); patches: how many
    the finer spectrum is the mean of; noise: variance of the noise floor, [0, 1] units."""

    kernel: Kernel
    residual: float
    patches: int
    noise: float


def estimate(
    luminance: np.ndarray | Sequence[np.ndarray], scale: int, settings: SpectralSettings | None = None
) -> SpectralFit:
    """Gaussian kernel of a picture from its luminance (H, W) in [0, 1], gamma-encoded as stored; or of several pictures
    that share one kernel, each of which counts as much: (1) is fitted to all at once.

    Raises NothingToLearn when a picture is too small (under 2*s patches of 8 px on a side) or flat.
    """
    from scipy.optimize import minimize

    check_scale(scale)
    cfg = settings or SpectralSettings()
    planes = [luminance] if isinstance(luminance, np.ndarray) else luminance
    matches = [_CrossScale(plane, scale, cfg) for plane in planes]

    def distance(p: np.ndarray) -> float:
        c = own_blur_factor(scale) * _covariance(p)
        return float(np.mean([match.distance(c) for match in matches]))

    fits = []
    for start in cfg.start_variances:
        half_log = 0.5 * np.log(start * scale**2)
        bounds = [(-1.5, 2.5), (-6.0, 6.0), (-1.5, 2.5)]
        fits.append(minimize(distance, [half_log, 0.0, half_log], method="L-BFGS-B", bounds=bounds))
    best = min(fits, key=lambda fit: float(fit.fun))
    check_finite("spectral estimate", torch.from_numpy(best.x))
    kernel = gaussian_kernel(_covariance(best.x), scale, default_size(scale))
    return SpectralFit(
        kernel.stamped(Provenance("estimated", "spectral")),
        float(best.fun),
        sum(match.patches for match in matches),
        float(np.mean([match.noise for match in matches])),
    )


class _CrossScale:
    """One picture's spectra at both scales."""

    def __init__(self, plane: np.ndarray, scale: int, cfg: SpectralSettings) -> None:
        patch = _patch_size(plane.shape, scale, cfg.patch + cfg.patch_per_scale * scale)
        coarse, fine = mean_periodogram(plane, patch), mean_periodogram(plane, scale * patch)
        self.scale, self.robustness = scale, cfg.robustness
        self.noise = QUANTISATION + noise_variance(torch.from_numpy(2 * plane - 1)[None, None]) / 4
        self.patches = math.prod((side - scale * patch) // (scale * patch // 2) + 1 for side in plane.shape)
        self.seen = np.hypot(*_frequencies(patch)) > cfg.lowest_frequency
        if coarse[self.seen].max() < 4 * self.noise:
            raise NothingToLearn("the picture is flat or all noise: there is nothing to learn a kernel from")
        self.signal = np.maximum(fine - self.noise, 1e-3 * self.noise)
        self.log_coarse = np.log(np.maximum(coarse[self.seen], 1e-3 * self.noise))
        self.rows, self.cols = _frequencies(scale * patch)

    def distance(self, c: np.ndarray) -> float:
        """Mean robust distance of the log spectra of (1), both sides, for |K_hat| of covariance `c`."""
        exponent = c[0, 0] * self.rows**2 + 2 * c[0, 1] * self.rows * self.cols + c[1, 1] * self.cols**2
        power = np.exp(-4 * np.pi**2 * exponent)
        d = self.log_coarse - np.log(fold(self.signal * power, self.scale)[self.seen] + self.noise)
        return float(np.sqrt((d - d.mean()) ** 2 + self.robustness).mean())


def _covariance(p: np.ndarray) -> np.ndarray:
    """Covariance, nowhere under `MIN_VARIANCE`: logarithms of the Cholesky diagonal, and the entry off it."""
    factor = np.array([[np.exp(p[0]), 0.0], [p[1], np.exp(p[2])]])
    return np.asarray(factor @ factor.T + MIN_VARIANCE * np.eye(2))


def _frequencies(size: int) -> tuple[np.ndarray, np.ndarray]:
    f = np.fft.fftfreq(size)
    rows, cols = np.meshgrid(f, f, indexing="ij")
    return rows, cols


def _patch_size(shape: tuple[int, ...], scale: int, wanted: int) -> int:
    largest = min(shape) // scale // 2 * 2
    if largest < 8:
        raise NothingToLearn(
            f"a picture of {shape[1]}x{shape[0]} px is too small to learn a kernel at scale {scale}; "
            f"it needs {8 * scale} px on each side, or a kernel given with --kernel"
        )
    return min(wanted, largest)
