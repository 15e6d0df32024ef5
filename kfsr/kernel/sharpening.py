"""Sharpening: the unsharp mask of cameras and programs, which is linear and so a part of the kernel, and gives it
negative lobes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import MAX_SIZE, Kernel

FREQUENCIES = (0.15, 0.4)
"""Cycles per low-resolution pixel where `Sharpening.gains` are of."""

RADII = (0.4, 1.6)
AMOUNTS = (0.0, 1.6)


@dataclass(frozen=True)
class Sharpening:
    """Unsharp masking. radius: standard deviation in pixels. amount: 1 is 100 %."""

    radius: float
    amount: float

    def taps(self) -> np.ndarray:
        """(n, n), n odd, sum 1: the whole operation as one filter."""
        i = np.arange(2 * math.ceil(3 * self.radius) + 1) - math.ceil(3 * self.radius)
        profile = np.exp(-0.5 * (i / self.radius) ** 2)
        filter = -self.amount * np.outer(profile, profile) / profile.sum() ** 2
        filter[len(i) // 2, len(i) // 2] += 1 + self.amount
        return filter

    def of(self, x: np.ndarray) -> np.ndarray:
        """The picture, sharpened and clipped."""
        import scipy.ndimage as ndi

        radius = (self.radius, self.radius, 0)
        return np.clip(x + self.amount * (x - ndi.gaussian_filter(x, radius, mode="wrap", truncate=3)), 0, 1)

    def of_kernel(self, kernel: Kernel) -> Kernel:
        """The kernel with this filter on the low-resolution side: low-resolution pixels lie `scale` pixels apart."""
        taps, scale = self.taps(), kernel.scale
        apart = np.zeros([scale * (side - 1) + 1 for side in taps.shape])
        apart[::scale, ::scale] = taps
        size = kernel.size + len(apart) - 1
        spectrum = np.fft.rfft2(kernel.array, (size, size)) * np.fft.rfft2(apart, (size, size))
        k = np.fft.irfft2(spectrum, (size, size))
        cut = max(0, size - (MAX_SIZE - 1)) + 1 & ~1
        k = k[cut // 2 : size - cut // 2, cut // 2 : size - cut // 2]
        return Kernel(k / k.sum(), scale, Provenance("given", f"{kernel.provenance.method}, sharpened"))

    def gains(self) -> tuple[float, float]:
        """Logarithms of what it multiplies the spectrum with at `FREQUENCIES`: log(1 + amount (1 - G))."""
        low, high = (math.log1p(self.amount * passed) for passed in _high_pass(self.radius))
        return low, high

    @classmethod
    def of_gains(cls, gains: tuple[float, float]) -> Sharpening:
        """That whose `gains` come closest, of radius and amount within `RADII` and `AMOUNTS`."""
        wanted = [math.expm1(gain) for gain in gains]

        def fitted(radius: float) -> tuple[float, Sharpening]:
            low, high = _high_pass(radius)
            amount = (low * wanted[0] + high * wanted[1]) / (low * low + high * high)
            amount = min(max(amount, AMOUNTS[0]), AMOUNTS[1])
            return math.hypot(amount * low - wanted[0], amount * high - wanted[1]), cls(radius, amount)

        return min((fitted(float(radius)) for radius in np.linspace(*RADII, 25)), key=lambda found: found[0])[1]


def _high_pass(radius: float) -> tuple[float, float]:
    low, high = (1 - math.exp(-2 * (math.pi * radius * f) ** 2) for f in FREQUENCIES)
    return low, high
