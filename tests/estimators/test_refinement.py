"""The refinement of an estimate: what it must find, and what it must leave alone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data

from kfsr.estimators.refinement import refine
from kfsr.kernel import compare_kernels, gaussian_kernel, resize_kernel
from kfsr.operator.spatial import as_stored, degrade
from kfsr.settings import RefineSettings
from kfsr.solvers import unrolled
from kfsr.weights import network

COVARIANCE = np.array([[2.6, 1.0], [1.0, 1.6]])


def sharp():
    """The astronaut at 384 px, (1, 3, 384, 384): shrunk, since the photograph itself is soft."""
    x = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(x, size=(384, 384), mode="bicubic", antialias=True).clamp(-1, 1)


def low_resolution(kernel):
    y = degrade(sharp(), torch.from_numpy(kernel.array.copy()).float(), kernel.scale)
    return as_stored(y, 0.0, torch.Generator())


def refined(low_res, kernel, **settings):
    net = network(None, ("unrolled", "usrnet"))

    def solve(y, k, told):
        return unrolled.solve(y, k, kernel.scale, net, told)

    generator = torch.Generator().manual_seed(0)
    return refine(low_res, kernel, 0.003, 0.0, solve, RefineSettings(**settings), generator)


def test_a_kernel_that_is_too_wide_comes_nearer():
    truth = gaussian_kernel(COVARIANCE, 2)
    start = resize_kernel(truth, 1.4)
    found = refined(low_resolution(truth), start)
    before, after = (compare_kernels(k, truth).ncc for k in (start, found))
    assert after > before + 0.003


def test_a_kernel_that_is_right_stays():
    truth = gaussian_kernel(COVARIANCE, 2)
    found = refined(low_resolution(truth), truth)
    assert compare_kernels(found, truth).ncc > 0.999
    assert found.trace == pytest.approx(truth.trace, rel=0.1)
    assert found.size == truth.size
    assert found.array.min() >= 0


def test_a_small_picture_gives_the_kernel_back():
    start = gaussian_kernel(COVARIANCE, 2)
    assert refined(low_resolution(start)[..., :95, :], start) is start


@pytest.mark.parametrize("scale", [3, 4])
def test_other_scales(scale):
    truth = gaussian_kernel(COVARIANCE * scale**2 / 4, scale)
    found = refined(low_resolution(truth), truth, window=192, smallest=40)
    assert compare_kernels(found, truth).ncc > 0.99
    assert (found.scale, found.size, found.method) == (scale, truth.size, truth.method)
