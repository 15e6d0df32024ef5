"""Power spectra of a picture's patches: what the spectral estimator and the noise estimate look at."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

QUANTISATION = 1 / 12 / 255**2
"""Variance of 8-bit rounding in [0,1] units."""


def mean_periodogram(plane: np.ndarray, patch: int) -> np.ndarray:
    """Mean Hann-windowed periodogram of half-overlapping patches of a (H, W) plane: (patch, patch), FFT order.

    Scaled so that white noise of variance v gives v at every frequency. The patches' means are removed.
    """
    window = np.outer(*(np.hanning(patch + 1)[:-1],) * 2)
    step = patch // 2
    patches = sliding_window_view(plane, (patch, patch))[::step, ::step]
    count = patches.shape[0] * patches.shape[1]
    total = np.zeros((patch, patch))
    # A few hundred at a time: a copy of all would take four times the picture.
    for some in np.array_split(np.arange(count), max(1, count // 512)):
        chunk = patches[some // patches.shape[1], some % patches.shape[1]]
        centred = chunk - (chunk * window).sum((1, 2), keepdims=True) / window.sum()
        total += (np.abs(np.fft.fft2(centred * window)) ** 2).sum(0)
    return np.asarray(total / (count * (window**2).sum()))
