"""Scores of a picture against its truth, both on the Y channel of BT.601 (see `kfsr.image.luma`).

Both take pixels (H, W), (H, W, 1) or (H, W, 3) with values in [0, 1], gray counting as R = G = B, and leave
out `border` pixels on every side. Both raise InputError when the sizes differ, and UsageError when too little
is left after the border.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from kfsr.errors import InputError, UsageError
from kfsr.image.colour import luma

_Floats = npt.NDArray[np.floating]

# SSIM: an 11 x 11 Gaussian window; only windows that lie inside the picture count.
_SSIM_SIGMA = 1.5
_SSIM_RADIUS = 5
# (0.01 L)^2 and (0.03 L)^2 with L = 1.
_SSIM_C1, _SSIM_C2 = 1e-4, 9e-4


def psnr_y(a: _Floats, b: _Floats, border: int = 0) -> float:
    """Peak signal-to-noise ratio in dB, peak 1, unrounded; infinite for equal pictures."""
    ya, yb = _luma_pair(a, b, border, least=1)
    error = float(np.mean((ya - yb) ** 2))
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim_y(a: _Floats, b: _Floats, border: int = 0) -> float:
    """Structural similarity (Wang et al. 2004), at most 1; the pictures must be at least 11 pixels a side."""
    ya, yb = _luma_pair(a, b, border, least=2 * _SSIM_RADIUS + 1)
    mean_a, mean_b = _window_mean(ya), _window_mean(yb)
    var_a = _window_mean(ya * ya) - mean_a * mean_a
    var_b = _window_mean(yb * yb) - mean_b * mean_b
    covariance = _window_mean(ya * yb) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + _SSIM_C1) * (2 * covariance + _SSIM_C2)) / (
        (mean_a * mean_a + mean_b * mean_b + _SSIM_C1) * (var_a + var_b + _SSIM_C2)
    )
    inside = slice(_SSIM_RADIUS, -_SSIM_RADIUS)
    return float(similarity[inside, inside].mean())


def _window_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = gaussian_filter(values, _SSIM_SIGMA, truncate=_SSIM_RADIUS / _SSIM_SIGMA)
    return mean


def _luma_pair(
    a: _Floats, b: _Floats, border: int, least: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    ya, yb = luma(a), luma(b)
    if ya.shape != yb.shape:
        raise InputError(
            f"pictures of {ya.shape[1]} x {ya.shape[0]} and {yb.shape[1]} x {yb.shape[0]} pixels"
            " cannot be compared; they must have the same size"
        )
    if border < 0:
        raise UsageError(f"the border must not be negative, it is {border}")
    if min(ya.shape) - 2 * border < least:
        raise UsageError(
            f"a border of {border} leaves too little of {ya.shape[1]} x {ya.shape[0]} pixels; {least} a side are needed"
        )
    inside = (slice(border, ya.shape[0] - border), slice(border, ya.shape[1] - border))
    return ya[inside], yb[inside]
