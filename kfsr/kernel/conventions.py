"""Conversions between the canonical kernel and what other programs call the same kernel.

Each function says what its array means. All arrays are float64, in high-resolution pixels.
"""

from __future__ import annotations

import numpy as np

from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel


def to_true_convolution(kernel: Kernel) -> np.ndarray:
    """(K, K) for true convolution (papers, MATLAB ``conv2``): the canonical kernel flipped on both axes."""
    return kernel.array[::-1, ::-1].copy()


def from_true_convolution(array: np.ndarray, scale: int) -> Kernel:
    """Inverse of `to_true_convolution`; parity and sum are repaired as in `Kernel.from_array`."""
    return Kernel.from_array(np.asarray(array)[::-1, ::-1], scale, Provenance("given", "true convolution"))


def to_usrnet(kernel: Kernel) -> np.ndarray:
    """Point-spread function for USRNet and other FFT data steps that sample at ``[::s]``.

    With this (K', K') array p, ``y = ifft2(fft2(x) * fft2(roll(pad(p), -(K'//2))))[::s, ::s]`` equals the
    canonical operator away from the border. K' = K + s - 2 (even s) or K + s - 1 (odd s).
    """
    n = kernel.scale - 2 if kernel.scale % 2 == 0 else kernel.scale - 1
    return np.pad(to_true_convolution(kernel), ((0, n), (0, n)))


def from_usrnet(array: np.ndarray, scale: int) -> Kernel:
    """Inverse of `to_usrnet` for arrays it made, and the right reading of any other such array."""
    p = np.asarray(array, dtype=np.float64)[::-1, ::-1]
    before = (p.shape[0] - 1 - p.shape[0] // 2, p.shape[1] - 1 - p.shape[1] // 2)
    return _at_offset(p, before, scale, "usrnet")


def to_kernelgan(kernel: Kernel) -> np.ndarray:
    """Array for ZSSR and KernelGAN: ``scipy.ndimage.correlate(x, k)[::s, ::s]`` does what `degrade` does.

    Shape (K + s - 1, K + s - 1); its centre of mass sits at K'//2 + (s - K' % 2)/2.
    """
    k, s = kernel.array, kernel.scale
    front = (kernel.size + s - 1) // 2 - (kernel.size - s) // 2
    return np.pad(k, ((front, s - 1 - front), (front, s - 1 - front)))


def from_kernelgan(array: np.ndarray, scale: int) -> Kernel:
    """Canonical kernel from an array meant for ``scipy.ndimage.correlate(x, k)[::s, ::s]`` (any size)."""
    k = np.asarray(array, dtype=np.float64)
    return _at_offset(k, (k.shape[0] // 2, k.shape[1] // 2), scale, "kernelgan")


def shift_div2krk(array: np.ndarray, scale: int) -> np.ndarray:
    """The array DIV2KRK's pictures were really made with, for ``scipy.ndimage.correlate(x, k)[::s, ::s]``.

    The ``.mat`` files (key ``Kernel``) hold kernels before their shift. The centre of mass is moved to
    n//2 + (s - 1)/2 by a cubic spline inside the array's own bounds, so wide kernels lose up to 0.7 % of
    their sum; the published pictures are that much darker. KernelGAN's formula for the place,
    n//2 + (s - n % 2)/2, is the same for odd n, which theirs all are, and half a pixel off for even n.
    """
    import scipy.ndimage as ndi  # slow to import, like all of scipy

    k = np.asarray(array, dtype=np.float64)
    n = np.array(k.shape)
    want = n // 2 + 0.5 * (scale - 1)
    return np.asarray(ndi.shift(k, want - np.array(ndi.center_of_mass(k))), dtype=np.float64)


def from_div2krk(array: np.ndarray, scale: int) -> Kernel:
    """Canonical, normalised kernel from the array stored in a DIV2KRK ``.mat`` file (see `shift_div2krk`)."""
    return from_kernelgan(shift_div2krk(array, scale), scale).stamped(Provenance("given", "div2krk"))


def _at_offset(k: np.ndarray, before: tuple[int, int], scale: int, method: str) -> Kernel:
    """Canonical kernel from an array whose entry m meets ``x[s*i + m - before]``, by adding zeros only.

    Zero margins of the other program's own are cut off again, so that round trips do not grow.
    """
    for axis in (0, 1):
        # The canonical entry m meets x[s*i + m - reach] and there are 2*reach + s of them.
        n = k.shape[axis]
        after = n - 1 - before[axis]
        reach = max(before[axis], after - scale + 1)
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach - before[axis], reach + scale - 1 - after)
        k = np.pad(k, pad)
        used = np.flatnonzero(k.any(axis=1 - axis))
        spare = (k.shape[axis] - max(n - scale + 1, 1)) // 2
        margin = min(spare, used[0], k.shape[axis] - 1 - used[-1]) if used.size else 0
        k = np.take(k, np.arange(margin, k.shape[axis] - margin), axis=axis)
    return Kernel.from_array(k, scale, Provenance("given", method))
