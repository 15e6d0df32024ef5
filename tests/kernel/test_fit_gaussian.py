"""The Gaussian that explains a kernel, also one with noise around it."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

from kfsr.kernel import gaussian_kernel, half_kernel
from kfsr.kernel.gaussian import fit_gaussian

COVARIANCES = [[[2.0, 0.0], [0.0, 2.0]], [[4.0, 1.5], [1.5, 1.2]], [[0.8, -0.3], [-0.3, 3.0]]]


@pytest.mark.parametrize("covariance", COVARIANCES, ids=str)
@pytest.mark.parametrize("scale", [2, 3])
def test_a_gaussian_is_its_own_fit(covariance, scale):
    kernel = gaussian_kernel(np.array(covariance), scale)
    fit, likeness = fit_gaussian(kernel.array, scale)
    assert likeness == pytest.approx(1, abs=1e-6)
    assert (fit.scale, fit.size) == (scale, kernel.size)
    np.testing.assert_allclose(fit.array, kernel.array, atol=1e-4)


@pytest.mark.parametrize("covariance", COVARIANCES, ids=str)
def test_noise_in_the_tails_does_not_count(covariance):
    kernel = gaussian_kernel(np.array(covariance), 2)
    noise = np.random.default_rng(0).uniform(0, 0.002, kernel.array.shape)
    noisy = kernel.array + noise
    moment = gaussian_kernel(np.array(covariance), 2).trace
    i = np.arange(16) - 7.5
    assert (noisy.sum(0) + noisy.sum(1)) @ i**2 / noisy.sum() > 1.4 * moment
    fit, likeness = fit_gaussian(noisy / noisy.sum(), 2)
    assert 0.97 < likeness < 1 - 1e-4
    assert fit.trace == pytest.approx(kernel.trace, rel=0.1)
    np.testing.assert_allclose(fit.covariance, kernel.covariance, atol=0.1 * kernel.trace)


def test_what_is_no_gaussian_is_told_by_its_likeness():
    ring = gaussian_kernel(np.eye(2) * 9, 2).array - 1.2 * gaussian_kernel(np.eye(2) * 4, 2).array * 4 / 9
    assert fit_gaussian(ring / ring.sum(), 2)[1] < 0.9


@pytest.mark.filterwarnings("error")
def test_the_narrowest_kernels_have_a_fit_too():
    kernel = gaussian_kernel(np.diag([0.2, 0.3]), 2)
    fit, likeness = fit_gaussian(kernel.array, 2)
    assert likeness == pytest.approx(1, abs=1e-4)
    assert fit.trace == pytest.approx(kernel.trace, rel=0.05)


@pytest.mark.parametrize("covariance", [[[9.0, 3.0], [3.0, 6.0]], [[4.0, 0.0], [0.0, 12.0]]], ids=str)
def test_half_kernel_applied_twice_is_the_kernel(covariance):
    kernel = gaussian_kernel(np.array(covariance), 4, 32)
    half = half_kernel(kernel.array)
    assert half.scale == 2
    spread = np.zeros((2 * half.size - 1,) * 2)
    spread[::2, ::2] = half.array
    both = fftconvolve(half.array, spread)
    rim = (both.shape[0] - kernel.size) // 2
    assert both[rim:-rim, rim:-rim].sum() == pytest.approx(1, abs=1e-3)
    assert np.abs(both[rim:-rim, rim:-rim] - kernel.array).max() < 0.06 * kernel.array.max()


def test_no_half_kernel_of_what_is_no_gaussian_or_too_narrow():
    corner = np.zeros((16, 16))
    corner[4:12, 6] = corner[11, 6:12] = 1 / 14
    assert half_kernel(corner) is None
    assert half_kernel(gaussian_kernel(np.diag([0.2, 4.0]), 4).array) is None
