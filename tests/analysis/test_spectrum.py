"""Periodograms: their level, and the place of the peaks."""

import numpy as np
import pytest

from kfsr.analysis.spectrum import mean_periodogram


def test_white_noise_is_flat_at_its_variance():
    plane = np.random.default_rng(0).normal(0, 0.1, (512, 512))
    spectrum = mean_periodogram(plane, 16)
    # Removing the patches' means takes something from the frequencies that the Hann window leaks into.
    rows, cols = np.meshgrid(*(np.abs(np.fft.fftfreq(16)) * 16,) * 2)
    far = np.maximum(rows, cols) > 2
    assert spectrum.shape == (16, 16)
    assert spectrum[far].mean() == pytest.approx(0.01, rel=0.02)
    assert np.abs(spectrum[far] / 0.01 - 1).max() < 0.2


def test_brightness_does_not_count():
    plane = np.random.default_rng(1).normal(0, 0.1, (64, 80))
    assert np.allclose(mean_periodogram(plane + 0.7, 16), mean_periodogram(plane, 16), rtol=1e-9, atol=1e-12)


def test_a_wave_is_where_it_belongs():
    rows = np.arange(96)[:, None] * np.ones(128)
    spectrum = mean_periodogram(np.cos(2 * np.pi * rows * 5 / 32), 32)
    assert {np.unravel_index(i, spectrum.shape) for i in np.argsort(spectrum.ravel())[-2:]} == {
        (5, 0),
        (27, 0),
    }
