"""The spectral estimator against Gaussian kernels that are known."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.errors import InputError, UsageError
from kfsr.estimators.spectral import estimate
from kfsr.image import luma
from kfsr.kernel import compare_kernels, default_size, gaussian_kernel
from kfsr.operator.spatial import degrade

SLANTED = np.array([[0.9, 0.35], [0.35, 0.4]])
"""Covariance in square low-resolution pixels."""


def low_resolution(picture, kernel):
    """Luminance of a photograph downscaled by `kernel` and rounded to 8 bits."""
    x = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), kernel.scale)
    return luma(np.rint(y[0].permute(1, 2, 0).numpy() * 255) / 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("picture", [data.astronaut, data.coffee], ids=lambda picture: picture.__name__)
def test_a_slanted_gaussian_is_found(picture, scale):
    truth = gaussian_kernel(SLANTED * scale**2, scale)
    kernel = estimate(low_resolution(picture(), truth), scale).kernel
    assert (kernel.scale, kernel.size, kernel.method) == (scale, default_size(scale), "spectral")
    score = compare_kernels(kernel, truth)
    # Measured: 0.993 to 0.999, and sizes of 0.90 to 1.03.
    assert score.ncc > 0.985
    assert score.size_ratio == pytest.approx(1, abs=0.2)
    # Neither its mirror image nor rows for columns, which have 0.79 to 0.92.
    for wrong in (SLANTED * [[1, -1], [-1, 1]], SLANTED[::-1, ::-1]):
        assert compare_kernels(kernel, gaussian_kernel(wrong * scale**2, scale)).ncc < 0.95


@pytest.mark.parametrize(("sigma", "error"), [(3, 0.3), (8, 0.5)])
def test_noise_is_not_taken_for_sharpness(sigma, error):
    """Noise in grey levels: taken for detail, it would leave next to nothing of the kernel."""
    truth = gaussian_kernel(SLANTED * 4, 2)
    low = low_resolution(data.coffee(), truth)
    noisy = low + np.random.default_rng(0).normal(0, sigma / 255, low.shape)
    score = compare_kernels(estimate(noisy, 2).kernel, truth)
    assert score.ncc > 0.97
    assert score.size_ratio == pytest.approx(1, abs=error)


def test_a_part_of_a_picture_is_enough():
    truth = gaussian_kernel(SLANTED * 4, 2)
    low = low_resolution(data.astronaut(), truth)[20:148, 60:188]
    assert compare_kernels(estimate(low, 2).kernel, truth).ncc > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (15, 40), (40, 15)], ids=str)
def test_a_picture_that_is_too_small_is_refused(shape):
    low = np.random.default_rng(0).uniform(0, 1, shape)
    with pytest.raises(InputError, match="needs 16 px"):
        estimate(low, 2)


def test_the_smallest_picture_gives_a_kernel():
    low = np.random.default_rng(0).uniform(0, 1, (16, 17))
    assert estimate(low, 2).kernel.scale == 2


@pytest.mark.parametrize("noise", [0, 0.4])
def test_a_flat_picture_is_refused(noise):
    """Also with the last bit flickering, which is rounding and not detail."""
    low = 0.5 + np.rint(np.random.default_rng(0).normal(0, noise, (64, 64))) / 255
    with pytest.raises(InputError, match="flat"):
        estimate(low, 2)


def test_an_unknown_scale_is_a_wrong_call():
    with pytest.raises(UsageError):
        estimate(np.zeros((64, 64)), 5)
