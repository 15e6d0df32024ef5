"""The Gaussian family of kernels and the fixed ones that programs use on purpose."""

from __future__ import annotations

import numpy as np

from kfsr.errors import UsageError
from kfsr.kernel.value import Kernel, check_scale, default_size


def gaussian_kernel(covariance: np.ndarray, scale: int, size: int | None = None) -> Kernel:
    """Sampled, normalised Gaussian with a (2, 2) covariance [[rr, rc], [rc, cc]] in square high-res pixels.

    The centre is (K - 1)/2 exactly. Raises UsageError when the covariance is not positive definite.
    """
    check_scale(scale)
    cov = np.asarray(covariance, dtype=np.float64)
    if cov.shape != (2, 2) or not np.isfinite(cov).all() or np.linalg.eigvalsh((cov + cov.T) / 2)[0] <= 0:
        raise UsageError(f"not a positive definite 2x2 covariance: {cov.tolist()}")
    n = default_size(scale) if size is None else size
    i = np.arange(n) - (n - 1) / 2
    grid = np.stack(np.meshgrid(i, i, indexing="ij"), -1)
    power = np.einsum("...i,ij,...j->...", grid, np.linalg.inv(cov), grid)
    k = np.exp(-0.5 * power)
    return Kernel(k / k.sum(), scale, "gaussian")


def bicubic_kernel(scale: int) -> Kernel:
    """The antialiased bicubic (a = -0.5) of MATLAB's and Pillow's resize, support 4*scale."""
    check_scale(scale)
    if scale == 1:
        return Kernel(np.ones((1, 1)), 1, "bicubic")
    n = 4 * scale if scale % 2 == 0 else 4 * scale + 1
    t = np.abs(np.arange(n) - (n - 1) / 2) / scale
    a = -0.5
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    w = np.where(t <= 1, near, np.where(t < 2, far, 0.0))
    w /= w.sum()
    return Kernel(np.outer(w, w), scale, "bicubic")


def box_kernel(scale: int) -> Kernel:
    """Plain averaging of scale x scale pixels."""
    check_scale(scale)
    return Kernel(np.full((scale, scale), 1.0 / scale**2), scale, "box")


def scale_covariance(kernel: Kernel, factor: float) -> Kernel:
    """A Gaussian kernel of `factor` times the covariance of the given one, on the same canvas."""
    k = gaussian_kernel(kernel.covariance * factor, kernel.scale, kernel.size)
    return Kernel(k.array, k.scale, kernel.method)


def own_blur_factor(scale: int) -> float:
    """C_hat / C: what remains of a kernel's covariance when picture and twice-downscaled picture are compared."""
    return 1 - 1 / scale**2
