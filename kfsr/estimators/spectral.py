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
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from kfsr.errors import InputError
from kfsr.kernel.gaussian import MIN_VARIANCE, gaussian_kernel, own_blur_factor
from kfsr.kernel.value import Kernel, check_scale, default_size
from kfsr.noise import noise_variance
from kfsr.settings import SpectralSettings
from kfsr.spectrum import QUANTISATION, fold, mean_periodogram


@dataclass(frozen=True)
class SpectralFit:
    """kernel: the estimate; residual: mean robust distance of the log spectra (0.1 is a perfect fit); patches: how many
    the finer spectrum is the mean of; noise: variance of the noise floor, [0, 1] units."""

    kernel: Kernel
    residual: float
    patches: int
    noise: float


def estimate(luminance: np.ndarray, scale: int, settings: SpectralSettings | None = None) -> SpectralFit:
    """Gaussian kernel of a picture from its luminance (H, W) in [0, 1], gamma-encoded as stored.

    Raises InputError when the picture is too small (under 2*s patches of 8 px on a side) or flat.
    """
    check_scale(scale)
    cfg = settings or SpectralSettings()
    patch = _patch_size(luminance.shape, scale, cfg.patch + cfg.patch_per_scale * scale)
    coarse, fine = mean_periodogram(luminance, patch), mean_periodogram(luminance, scale * patch)
    noise = QUANTISATION + noise_variance(torch.from_numpy(2 * luminance - 1)[None, None]) / 4
    radius = np.hypot(*_frequencies(patch))
    seen = radius > cfg.lowest_frequency
    if coarse[seen].max() < 4 * noise:
        raise InputError("the picture is flat or all noise: there is nothing to learn a kernel from")
    signal = np.maximum(fine - noise, 1e-3 * noise)
    log_coarse = np.log(np.maximum(coarse[seen], 1e-3 * noise))
    rows, cols = _frequencies(scale * patch)

    def distance(p: np.ndarray) -> float:
        c = own_blur_factor(scale) * _covariance(p)
        power = np.exp(-4 * np.pi**2 * (c[0, 0] * rows**2 + 2 * c[0, 1] * rows * cols + c[1, 1] * cols**2))
        d = log_coarse - np.log(fold(signal * power, scale)[seen] + noise)
        return float(np.sqrt((d - d.mean()) ** 2 + cfg.robustness).mean())

    fits = []
    for start in cfg.start_variances:
        half_log = 0.5 * np.log(start * scale**2)
        bounds = [(-1.5, 2.5), (-6.0, 6.0), (-1.5, 2.5)]
        fits.append(minimize(distance, [half_log, 0.0, half_log], method="L-BFGS-B", bounds=bounds))
    best = min(fits, key=lambda fit: float(fit.fun))
    kernel = gaussian_kernel(_covariance(best.x), scale, default_size(scale))
    patches = math.prod((side - scale * patch) // (scale * patch // 2) + 1 for side in luminance.shape)
    return SpectralFit(Kernel(kernel.array, scale, "spectral"), float(best.fun), patches, noise)


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
        raise InputError(
            f"a picture of {shape[1]}x{shape[0]} px is too small to learn a kernel at scale {scale}; "
            f"it needs {8 * scale} px on each side, or a kernel given with --kernel"
        )
    return min(wanted, largest)
