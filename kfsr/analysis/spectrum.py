"""Power spectra of a picture's patches: what the spectral estimator and the noise estimate look at."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

QUANTISATION = 1 / 12 / 255**2
"""Variance of 8-bit rounding in [0,1] units."""


def hann(patch: int) -> np.ndarray:
    """The window (patch, patch), periodic, not normalised."""
    window: np.ndarray = np.outer(*(np.hanning(patch + 1)[:-1],) * 2)
    return window


def mean_periodogram(plane: np.ndarray, patch: int, most: int | None = None) -> np.ndarray:
    """Mean Hann-windowed periodogram of half-overlapping patches of a (H, W) plane: (patch, patch), FFT order.

    Scaled so that white noise of variance v gives v at every frequency. The patches' means are removed. most: of the
    patches, evenly spread over the plane, all that are looked at; None for all there are.
    """
    window = hann(patch)
    step = patch // 2
    patches = sliding_window_view(plane, (patch, patch))[::step, ::step]
    every = np.arange(patches.shape[0] * patches.shape[1])
    if most is not None and len(every) > most:
        every = every[np.linspace(0, len(every) - 1, most).round().astype(int)]
    count = len(every)
    total = np.zeros((patch, patch))
    # A few hundred at a time: a copy of all would take four times the picture.
    for some in np.array_split(every, max(1, count // 512)):
        chunk = patches[some // patches.shape[1], some % patches.shape[1]]
        centred = chunk - (chunk * window).sum((1, 2), keepdims=True) / window.sum()
        total += (np.abs(np.fft.fft2(centred * window)) ** 2).sum(0)
    return np.asarray(total / (count * (window**2).sum()))
