"""Noise in the array of a kernel."""

import numpy as np
import pytest

from kfsr.kernel.cleaning import without_noise


def test_small_values_and_small_parts_are_left_out():
    k = np.zeros((9, 9))
    k[2:5, 2] = 0.25  # the path, and a pixel at its corner
    k[5, 3] = 0.1
    k[7, 7] = 0.1  # a part of its own
    k[0, 8] = 0.05
    k[2, 3] = 0.012  # next to the path, but less than a twentieth of its peak
    clean = without_noise(k, cut=0.05, island=0.08)
    assert clean.sum() == pytest.approx(1)
    assert set(zip(*np.nonzero(clean), strict=True)) == {(2, 2), (3, 2), (4, 2), (5, 3), (7, 7)}
    assert without_noise(k, cut=0.05, island=0.2)[7, 7] == 0
    assert k[0, 8] == 0.05  # the array given is left alone
