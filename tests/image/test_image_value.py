"""The Image value, its alpha, and luma."""

import numpy as np
import pytest
from image_files import alpha_ramp, colour_picture, gray_picture
from scipy.ndimage import uniform_filter

from kfsr.errors import UsageError
from kfsr.image import Image, luma, unpremultiply


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (gray_picture(), (48, 64, 1)),
        (gray_picture()[..., None], (48, 64, 1)),
        (colour_picture(), (48, 64, 3)),
        (colour_picture() / 255, (48, 64, 3)),
        (colour_picture().astype(np.uint16) * 256 + 77, (48, 64, 3)),
        (colour_picture().astype(">u2") * 256 + 77, (48, 64, 3)),
        (colour_picture().astype(np.float16) / 256, (48, 64, 3)),
    ],
)
def test_from_array_takes_bytes_and_floats(array, shape):
    image = Image.from_array(array)
    assert image.pixels.shape == shape
    assert image.pixels.dtype == np.float32
    expected = array.reshape(shape) / (np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1)
    assert np.abs(image.pixels - expected).max() < 1e-6
    assert (image.height, image.width, image.size, image.channels) == (48, 64, (64, 48), shape[2])
    assert (image.format, image.alpha) == ("PNG", None)
    assert image.depth == (16 if array.dtype.itemsize == 2 and array.dtype.kind == "u" else 8)
    assert image.white == 2**image.depth - 1


def test_from_array_takes_the_fourth_channel_for_alpha_and_copies():
    array = np.dstack([colour_picture(), alpha_ramp()])
    image = Image.from_array(array)
    floats = np.zeros((8, 8), np.float32)
    copied = Image.from_array(floats)
    floats[:] = 1
    assert np.array_equal(np.rint(image.alpha * 255), alpha_ramp())
    assert copied.pixels.max() == 0


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4, 2), np.uint8), "must be"),
        (np.zeros((4, 4, 5), np.uint8), "must be"),
        (np.zeros(4, np.uint8), "must be"),
        (np.zeros((0, 4), np.uint8), "must be"),
        (np.zeros((4, 4), np.int16), "not int16"),
        (np.zeros((4, 4), bool), "not bool"),
        (np.full((4, 4), 255.0), r"\[0, 1\]"),
        (np.full((4, 4), -0.1), r"\[0, 1\]"),
        (np.full((4, 4), np.nan), r"\[0, 1\]"),
    ],
)
def test_from_array_refuses_what_is_no_picture(array, reason):
    with pytest.raises(UsageError, match=reason):
        Image.from_array(array)


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 4), np.float32), None),
        (np.zeros((4, 4, 4), np.float32), None),
        (np.zeros((4, 4, 3), np.float64), None),
        (np.full((4, 4, 3), 1.5, np.float32), None),
        (np.full((4, 4, 3), np.nan, np.float32), None),
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 5), np.float32)),
        (np.zeros((4, 4, 3), np.float32), np.full((4, 4), 2, np.float32)),
    ],
)
def test_an_image_cannot_exist_against_its_rules(pixels, alpha):
    with pytest.raises(ValueError):
        Image(pixels, alpha)


def test_with_pixels_clips_and_keeps_what_travels_along():
    image = Image(np.full((2, 2, 3), 0.5, np.float32), None, "JPEG", b"e", b"p", b"x", (300, 300), 16)
    bigger = image.with_pixels(np.full((4, 4, 3), 1.2), np.full((4, 4), -0.2))
    assert bigger.pixels.max() == 1
    assert bigger.alpha.min() == 0
    assert (bigger.size, bigger.format, bigger.exif, bigger.icc_profile) == ((4, 4), "JPEG", b"e", b"p")
    assert (bigger.xmp, bigger.dpi, bigger.depth) == (b"x", (300, 300), 16)
    assert bigger.with_pixels(image.pixels).alpha is None


def test_stripped_keeps_what_the_look_depends_on():
    image = Image(np.full((2, 2, 3), 0.5, np.float32), None, "JPEG", b"e", b"p", b"x", (300, 300), 16).stripped()
    assert (image.exif, image.xmp) == (None, None)
    assert (image.icc_profile, image.dpi, image.depth) == (b"p", (300, 300), 16)


def test_a_depth_is_8_or_16():
    with pytest.raises(ValueError, match="depth"):
        Image(np.zeros((2, 2, 1), np.float32), depth=12)


def test_unpremultiply_undoes_premultiplied_where_anything_can_be_seen():
    image = Image.from_array(np.dstack([colour_picture(), alpha_ramp()]))
    with np.errstate(all="raise"):
        again = unpremultiply(image.premultiplied(), image.alpha)
    seen = alpha_ramp() > 0
    assert np.abs(again - image.pixels)[seen].max() < 1e-5
    assert again[~seen].max() == 0
    assert np.isfinite(again).all()
    opaque = Image.from_array(colour_picture())
    assert opaque.premultiplied() is opaque.pixels


def test_no_hidden_colour_leaks_through_a_filter():
    """Red seen on the left, green hidden on the right: blurred, what is seen must stay pure red."""
    pixels = np.zeros((9, 20, 3), np.float32)
    pixels[:, :10, 0] = 1
    pixels[:, 10:, 1] = 1
    alpha = np.zeros((9, 20), np.float32)
    alpha[:, :10] = 1
    image = Image(pixels, alpha)
    blurred_alpha = uniform_filter(alpha, 5)
    colours = unpremultiply(uniform_filter(image.premultiplied(), (5, 5, 0)), blurred_alpha)
    seen = blurred_alpha > 0.5 / 255
    assert seen.sum() > (alpha > 0).sum()
    assert np.abs(colours[seen] - [1, 0, 0]).max() < 1e-5


def test_unpremultiply_refuses_an_alpha_of_another_size():
    with pytest.raises(ValueError, match="alpha is"):
        unpremultiply(np.zeros((4, 4, 3)), np.zeros((4, 1)))


def test_luma_of_known_colours():
    colours = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    expected = np.array([[16, 235, 81.481, 144.553, 40.966]]) / 255
    assert np.abs(luma(colours) - expected).max() < 1e-12
    assert luma(colours.astype(np.float32)).dtype == np.float64


def test_luma_of_gray_is_that_of_equal_channels():
    gray = gray_picture().astype(np.float32) / 255
    expected = luma(np.dstack([gray] * 3))
    assert np.array_equal(luma(gray), expected)
    assert np.array_equal(luma(gray[..., None]), expected)
    with pytest.raises(ValueError, match="luma needs"):
        luma(np.zeros((4, 4, 4)))
