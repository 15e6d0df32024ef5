"""The unsharp mask as a filter, as a part of a kernel, and known again by its gains."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from PIL import Image, ImageFilter
from skimage import data

from kfsr.kernel import gaussian_kernel
from kfsr.kernel.sharpening import FREQUENCIES, RADII, Sharpening
from kfsr.operator.spatial import degrade

PHOTO = data.astronaut()[100:228, 150:290] / 255.0


@pytest.mark.parametrize(("radius", "amount"), [(0.5, 0.4), (1.0, 1.2), (1.6, 0.8)])
def test_the_filter_does_what_is_done_to_a_picture(radius, amount):
    one = Sharpening(radius, amount)
    assert one.taps().sum() == pytest.approx(1)
    soft = 0.3 + 0.4 * PHOTO  # nothing is clipped
    filtered = ndi.convolve(soft[..., 0], one.taps(), mode="wrap")
    np.testing.assert_allclose(one.of(soft)[..., 0], filtered, atol=1e-9)


def test_it_is_what_programs_do():
    """Pillow's Gaussian is three boxes, so a level of difference is left."""
    picture = Image.fromarray((PHOTO * 255).astype(np.uint8))
    theirs = np.asarray(picture.filter(ImageFilter.UnsharpMask(radius=1.5, percent=80, threshold=0))) / 255
    ours = Sharpening(1.5, 0.8).of(np.asarray(picture) / 255)
    difference = np.abs(ours - theirs)[8:-8, 8:-8] * 255
    assert difference.mean() < 1
    assert np.abs(PHOTO - theirs)[8:-8, 8:-8].mean() * 255 > 3


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_sharpened_kernel_is_the_kernel_and_then_the_filter(scale):
    kernel = gaussian_kernel(np.array([[1.2, 0.3], [0.3, 0.8]]) * scale**2 / 2, scale)
    one = Sharpening(0.8, 0.9)
    both = one.of_kernel(kernel)
    assert both.array.sum() == pytest.approx(1)
    assert both.array.min() < 0
    assert (both.size - scale) % 2 == 0
    x = torch.from_numpy(PHOTO[:120, :132, 0].copy())[None, None]
    once = degrade(x, torch.from_numpy(both.array.copy()), scale, "circular")[0, 0].numpy()
    low_res = degrade(x, torch.from_numpy(kernel.array.copy()), scale, "circular")[0, 0].numpy()
    np.testing.assert_allclose(once, ndi.convolve(low_res, one.taps(), mode="wrap"), atol=1e-6)


def test_gains_are_those_of_the_filter():
    one = Sharpening(1.1, 0.7)
    taps = one.taps()
    i = np.arange(len(taps)) - len(taps) // 2
    for gain, frequency in zip(one.gains(), FREQUENCIES, strict=True):
        assert np.exp(gain) == pytest.approx((taps.sum(0) * np.cos(2 * np.pi * frequency * i)).sum(), rel=0.01)


@pytest.mark.parametrize(("radius", "amount"), [(0.4, 1.5), (0.85, 0.3), (1.6, 1.0)])
def test_it_is_known_again_by_its_gains(radius, amount):
    found = Sharpening.of_gains(Sharpening(radius, amount).gains())
    assert found.radius == pytest.approx(radius, abs=0.03)
    assert found.amount == pytest.approx(amount, rel=0.1)


def test_gains_that_no_mask_has_give_one_within_bounds():
    for gains in ((0.0, 0.0), (3.0, 3.0), (-1.0, 0.5)):
        found = Sharpening.of_gains(gains)
        assert RADII[0] <= found.radius <= RADII[1]
        assert 0 <= found.amount <= 1.6
