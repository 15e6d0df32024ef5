"""The Gaussian family of kernels and the fixed ones that programs use on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kfsr.errors import UsageError
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, check_scale, default_size

MIN_VARIANCE = 0.05
"""Square pixels; below this along any axis, a Gaussian's width cannot be learned from a picture."""


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
    return Kernel(k / k.sum(), scale, Provenance("given", "gaussian"))


def bicubic_kernel(scale: int) -> Kernel:
    """The antialiased bicubic (a = -0.5) of MATLAB's and Pillow's resize, support 4*scale."""
    check_scale(scale)
    n = 1 if scale == 1 else 4 * scale + scale % 2
    w = cubic((np.arange(n) - (n - 1) / 2) / scale)
    w /= w.sum()
    return Kernel(np.outer(w, w), scale, Provenance("given", "bicubic"))


def cubic(t: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel (1981, eq. 15) with a = -0.5, at `t` samples from its centre."""
    t, a = np.abs(t), -0.5
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def box_kernel(scale: int) -> Kernel:
    """Plain averaging of scale x scale pixels."""
    check_scale(scale)
    return Kernel(np.full((scale, scale), 1.0 / scale**2), scale, Provenance("given", "box"))


def resize_kernel(kernel: Kernel, factor: float) -> Kernel:
    """The kernel with `factor` times the covariance, on the same canvas and with the same centre.

    A Gaussian stays one exactly; any other form is resampled by cubic splines.
    """
    if factor == 1:
        return kernel
    fit, likeness = fit_gaussian(kernel.array, kernel.scale)
    if likeness > 0.999 and max(map(abs, kernel.centre)) < 0.05:
        k = gaussian_kernel(fit.covariance * factor, kernel.scale, kernel.size).array
    else:
        import scipy.ndimage as ndi

        middle = (kernel.size - 1) / 2
        centre = np.array(kernel.centre) + middle
        form = np.eye(2) / np.sqrt(factor)
        k = ndi.affine_transform(kernel.array, form, centre - form @ centre, order=3)
        k = k / k.sum()
    return replace(kernel, array=k)


def own_blur_factor(scale: int) -> float:
    """C_hat / C: what remains of a kernel's covariance when picture and twice-downscaled picture are compared."""
    return 1 - 1 / scale**2


def half_kernel(array: np.ndarray) -> Kernel | None:
    """The x2 kernel that, applied twice, downscales by 4 as the canonical (K, K) array does; None where none is near.

    For a Gaussian of covariance C it is one of C/5: the second application acts on pixels twice as large, and
    C/5 + 2^2 C/5 = C (KernelGAN, sec. 3.2, read backwards).
    """
    fit, likeness = fit_gaussian(array, 4)
    covariance = fit.covariance / 5
    # Even kernels have no variance under that of the 2-pixel box, a quarter.
    if likeness < 0.95 or np.linalg.eigvalsh(covariance)[0] < 0.25:
        return None
    return gaussian_kernel(covariance, 2)


def fit_gaussian(array: np.ndarray, scale: int) -> tuple[Kernel, float]:
    """The centred Gaussian that correlates best with a canonical (K, K) array, and that correlation.

    Robust against noise in the tails, unlike the array's second moment.
    """
    from scipy.optimize import minimize  # slow to import, and a given kernel needs none

    k = np.asarray(array, dtype=np.float64)
    i = np.arange(k.shape[0]) - (k.shape[0] - 1) / 2
    norm = float(np.sqrt((k**2).sum()))

    def gaussian(p: np.ndarray) -> np.ndarray:
        u = i[:, None] / np.exp(p[0])
        v = (i[None] - p[1] * u) / np.exp(p[2])
        return np.asarray(np.exp(-0.5 * (u * u + v * v)))

    def unlike(p: np.ndarray) -> float:
        g = gaussian(p)
        # A Gaussian that falls between all samples correlates with nothing.
        return -float((g * k).sum() / max(np.sqrt((g**2).sum()), 1e-30)) / norm

    # Standard deviations of 0.3 px and more: a narrower one falls between the samples.
    bounds = [(-1.2, 3.0), (-20.0, 20.0), (-1.2, 3.0)]
    best = min(
        (minimize(unlike, [start, 0.0, start], method="L-BFGS-B", bounds=bounds) for start in (0.0, 0.8)),
        key=lambda fit: float(fit.fun),
    )
    factor = np.array([[np.exp(best.x[0]), 0.0], [best.x[1], np.exp(best.x[2])]])
    return gaussian_kernel(factor @ factor.T, scale, k.shape[0]), -float(best.fun)
