"""A lens from one photograph: what was put into one is found in it, and nothing in a sharp one."""

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from skimage import data

import kfsr
from kfsr.analysis.lateral import displacement, lateral_colour, places
from kfsr.errors import NothingToLearn
from kfsr.estimators.own_lens import Aberrations
from kfsr.operator import varying
from kfsr.pipeline.lenses import lens_of_photograph
from kfsr.settings import OwnLensSettings

EXACT = OwnLensSettings(sharp=0.0)
CORNER = np.array([-0.6, -0.6])
MIDDLE = np.zeros(2)


def photograph():
    """(H, W, 3) in [0, 1], sharp, with no lateral colour of its own worth naming."""
    return data.astronaut().astype(np.float32) / 255


def mosaic(picture):
    """Four times a picture, turned, so that every corner of the frame has the same things."""
    return np.block([[[picture], [picture[:, ::-1]]], [[picture[::-1]], [picture[::-1, ::-1]]]])


def none_but(lateral=((0, 0, 0, 0), (0, 0, 0, 0)), softness=(-9.0, 0.0)):
    return Aberrations(np.array(lateral, float), np.array([softness] * 3), 0.0)


def seen(x, aberrations, noise=0.002):
    """x through that lens, with noise, in 8 bits."""
    height, width = x.shape[:2]
    field = aberrations.field((12, 16), (width, height), EXACT)
    planes = torch.from_numpy(x.transpose(2, 0, 1).copy())[None]
    y = varying.degrade(planes, torch.from_numpy(field.array.copy()).float(), 1)[0].numpy().transpose(1, 2, 0)
    y = y + noise * np.random.default_rng(1).standard_normal(y.shape)
    return np.round(y.clip(0, 1) * 255).astype(np.uint8)


def decibels(a, b):
    return -10 * np.log10(np.square((a - b)[12:-12, 12:-12]).mean())


def test_a_known_lateral_colour_is_found():
    true = np.array([[1.2, 0.6, 0.2, 0.0], [-0.5, -1.0, 0.0, -0.3]])
    y = seen(photograph(), none_but(true)) / 255
    found = lateral_colour(y.astype(np.float32), OwnLensSettings())
    for numbers, right in zip(found, true, strict=True):
        for at in (MIDDLE, CORNER):
            assert np.linalg.norm(displacement(numbers, at) - displacement(right, at)) < 0.2


def test_places_are_from_the_middle_in_half_diagonals():
    assert places(np.array([30.0, 40.0]), (60, 80)).tolist() == [0, 0]
    assert places(np.array([0.0, 0.0]), (60, 80)).tolist() == [-0.6, -0.8]


def test_a_colour_shift_moves_the_kernel_and_keeps_its_sum():
    lens = none_but([[2.0, 0, 0, 0], [0, 0, 0, -1.0]])
    field = lens.field((1, 1), (64, 48), EXACT)
    at = np.arange(field.array.shape[-1]) - field.array.shape[-1] // 2
    across = (field.array.sum(-2) @ at)[0, 0]
    # Correlation: a kernel's weight at +1 reads what lies to the right, so the colour is moved to the left.
    assert across == pytest.approx([0, 0, 1.0], abs=1e-6)
    assert field.array.sum((3, 4)) == pytest.approx(1)


def test_corners_softer_than_the_middle_are_told_and_mended():
    x = mosaic(photograph())
    y = seen(x, none_but([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]], (np.log(0.5), 1.2)))
    lens = lens_of_photograph(y, (4, 4))
    at = np.arange(lens.field.array.shape[-1]) - lens.field.array.shape[-1] // 2
    profiles = lens.field.array[:, :, 1].sum(-1)
    variances = profiles @ at**2 - (profiles @ at) ** 2
    assert variances[0, 0] > 1.5 * variances[1, 1]
    part = (slice(256), slice(256))
    mended = kfsr.upscale(y[part], scale=1, kernel=lens.placed((0, 0))).image.pixels
    assert decibels(mended, x[part]) > decibels(y[part] / 255, x[part]) + 2


def test_a_sharp_photograph_stays_as_it_is():
    half = Pillow.fromarray(data.astronaut()).resize((256, 256), Pillow.Resampling.LANCZOS)
    x = mosaic(mosaic(np.asarray(half)))
    lens = lens_of_photograph(x, (2, 3))
    assert lens.typical.is_point
    assert np.array_equal(kfsr.upscale(x, scale=1, kernel=lens).image.pixels, x / np.float32(255))


def test_of_a_gray_photograph_the_softness_alone_is_told():
    y = seen(photograph(), none_but(softness=(0.0, 0.0)))
    lens = lens_of_photograph(y, (2, 3), colours=False)
    assert lens.field.array.shape[:3] == (2, 3, 1)
    assert 0.5 < lens.typical.trace / 2 < 1.1
    assert lens_of_photograph(y[..., 0], (1, 1)).field.array.shape[:3] == (1, 1, 1)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.full((400, 400, 3), 128, np.uint8), "of 6 at least"),
        (np.zeros((40, 400, 3), np.uint8), "smaller than 64 pixels"),
    ],
)
def test_what_says_nothing_is_refused(picture, words):
    with pytest.raises(NothingToLearn, match=words):
        lens_of_photograph(picture, (2, 2))
