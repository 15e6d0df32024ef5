"""How well a kernel explains the spectrum of a blurred picture.

A photograph's power falls with the frequency squared, whatever it shows. So the blurred one's is about

    S(f) = a (|K(f)|^2 / |f|^2 + b)

with a and b of the picture and its noise, and the negative logarithm of its likelihood is the sum of
log S + |Y|^2 / S over the frequencies (Whittle 1953). It tells a kernel's size and form, but not a kernel from itself
turned by 180 degrees.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kfsr.analysis.few_edges import WINDOW, differences, middle, transfer

LOWEST, HIGHEST = 0.02, 0.3
"""Cycles per pixel between which frequencies count; the highest per low-resolution pixel. Below, photographs differ;
above, noise and aliases do."""

NOISES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
"""b that are tried; the likeliest counts."""


def spectrum_misfit(picture: Tensor, kernels: Tensor, scale: int) -> Tensor:
    """(N,) mean of log S + |Y|^2 / S for kernels (N, 64, 64) about `middle` of one `windowed` picture (256, 256), its
    mean level left out; differentiable in the kernels."""
    rows, cols = torch.fft.fftfreq(WINDOW)[:, None], torch.fft.rfftfreq(WINDOW)[None]
    radius = (rows**2 + cols**2).sqrt()
    band = (radius > LOWEST) & (radius < HIGHEST / scale)
    power = (torch.fft.rfft2(picture).abs() ** 2)[band]
    squared = sum(one.abs() ** 2 for one in differences(WINDOW))
    assert isinstance(squared, Tensor)
    blurred = transfer(kernels, WINDOW, middle(scale))[:, band].abs() ** 2 / squared[band]
    found = []
    for noise in NOISES:
        expected = blurred + noise
        found.append((power / expected).mean(1).log() + expected.log().mean(1))  # the likeliest a
    return torch.stack(found).amin(0)
