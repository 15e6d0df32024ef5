"""The kernel between two pictures: found exactly where one of them is the other's."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.operator.fit import normal_equations
from kfsr.operator.spatial import degrade

SHARP = torch.from_numpy(data.astronaut()[0:192, 130:322, 1] / 255.0).double()


def some_kernel(size):
    k = np.random.default_rng(size).random((size, size)) ** 3
    return torch.from_numpy(k / k.sum())


@pytest.mark.parametrize(("scale", "size"), [(2, 6), (3, 5), (4, 6)])
def test_the_true_picture_gives_the_true_kernel(scale, size):
    k = some_kernel(size)
    low_res = degrade(SHARP[None, None], k, scale)[0, 0] + 0.2  # brightness does not matter
    matrix, right = normal_equations(SHARP, low_res, size, scale, rim=6)
    found = torch.linalg.solve(matrix, right).reshape(size, size)
    assert (found - k).abs().max() < 1e-6


def test_the_rim_is_left_out():
    k = some_kernel(6)
    low_res = degrade(SHARP[None, None], k, 2)[0, 0]
    low_res[:3] = 0
    spoilt, whole = (torch.linalg.solve(*normal_equations(SHARP, low_res, 6, 2, rim)).reshape(6, 6) for rim in (0, 6))
    assert (whole - k).abs().max() < 1e-6
    assert (spoilt - k).abs().max() > 1e-3


def test_without_a_rim_the_border_is_circular():
    k = some_kernel(6)
    low_res = degrade(SHARP[None, None], k, 2, "circular")[0, 0]
    found = torch.linalg.solve(*normal_equations(SHARP, low_res, 6, 2, rim=0)).reshape(6, 6)
    assert (found - k).abs().max() < 1e-6
