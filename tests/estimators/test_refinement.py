"""The refinement of an estimate: what it must find, and what it must leave alone."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
import torch.nn.functional as F
from skimage import data

from kfsr.estimators.refinement import refine, sharpened
from kfsr.kernel import Kernel, Provenance, compare_kernels, gaussian_kernel, resize_kernel
from kfsr.operator.spatial import as_stored, degrade
from kfsr.settings import RefineSettings, SharpenedSettings
from kfsr.solvers import unrolled

COVARIANCE = np.array([[2.6, 1.0], [1.0, 1.6]])


def sharp():
    """The astronaut at 384 px, (1, 3, 384, 384): shrunk, since the photograph itself is soft."""
    x = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(x, size=(384, 384), mode="bicubic", antialias=True).clamp(-1, 1)


def low_resolution(kernel):
    y = degrade(sharp(), torch.from_numpy(kernel.array.copy()).float(), kernel.scale)
    return as_stored(y, 0.0, torch.Generator())


def refined(low_res, kernel, **settings):
    solve = unrolled.solver_of(None, kernel.scale)
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


def path():
    """A thin hook, four low-resolution pixels high."""
    k = np.zeros((14, 14))
    k[3:11, 7] = 1
    k[10, 4:8] = 1
    return Kernel.from_array(k, 2)


def test_a_path_that_is_too_thick_becomes_thin():
    truth = path()
    blurred = ndi.gaussian_filter(truth.array, 1.0, mode="constant")
    thick = Kernel.from_array(blurred, 2, Provenance("estimated", "edges"))
    found = sharpened(low_resolution(truth), thick, 0.003, unrolled.solver_of(None, 2), SharpenedSettings())
    before, after = (compare_kernels(k, truth).ncc for k in (thick, found))
    assert after > before + 0.015
    assert (found.size, found.method) == (14, "edges")
    assert found.array.min() == 0


def test_a_path_in_a_small_picture_stays():
    kernel = path()
    low_res = low_resolution(kernel)[..., :95, :]
    assert sharpened(low_res, kernel, 0.003, unrolled.solver_of(None, 2), SharpenedSettings()) is kernel
