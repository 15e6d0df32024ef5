"""What a result keeps of its picture: gray, mean colours, transparency. The real solver, real photographs."""

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
import torch
from pictures import low_resolution
from skimage import data

import kfsr
from kfsr.image import Image
from kfsr.kernel import gaussian_kernel
from kfsr.operator.spatial import degrade
from kfsr.pipeline.appearance import as_gray, keep_means, solved_alpha

KERNEL = gaussian_kernel(np.array([[3.0, 1.2], [1.2, 1.5]]), 2)


def fast(pixels, **arguments):
    return kfsr.upscale(pixels, preset="fast", kernel=KERNEL, **arguments).image


def gray_photo():
    return low_resolution(KERNEL)[40:140, 60:180, :1]


def test_equal_channels_stay_equal_and_are_the_gray_picture():
    one = gray_photo()
    three = fast(np.repeat(one, 3, 2))
    assert three.pixels.shape == (200, 240, 3)
    assert np.array_equal(three.pixels, np.repeat(three.pixels[..., :1], 3, 2))
    assert np.array_equal(three.pixels[..., :1], fast(one[..., 0]).pixels)


def test_one_pixel_of_colour_makes_a_colour_picture():
    pixels = np.repeat(gray_photo(), 3, 2)
    pixels[5, 5, 0] ^= 1
    picture = Image.from_array(pixels)
    assert as_gray(picture) is picture


@pytest.mark.parametrize("noise", [0, 25])
def test_mean_colours_are_kept(noise):
    low = low_resolution(KERNEL).astype(float)
    low = np.rint((low + noise * np.random.default_rng(0).standard_normal(low.shape)).clip(0, 255)).astype(np.uint8)
    result = np.rint(fast(low).pixels * 255)
    assert np.abs(result.mean((0, 1)) - low.mean((0, 1))).max() < 0.1
    # And not by a shift of the whole: what is left to the means of 64 x 64 pixels is little, too.
    blocks = (result[:512, :512].reshape(8, 64, 8, 64, 3).mean((1, 3)) - low.reshape(8, 32, 8, 32, 3).mean((1, 3)))[
        1:-1, 1:-1
    ]
    assert np.abs(blocks).max() < 3


def test_black_and_white_stay_where_the_means_are_mended():
    """All that differs is a gray area; half of the picture is white."""
    low = torch.full((1, 1, 64, 64), 1.0)
    low[..., :32] = 0.2
    high = low.repeat_interleave(2, -1).repeat_interleave(2, -2)
    high[..., :64] = 0.1
    keep_means(high, low, None, 2)
    assert high[..., 64:].min() == 1
    assert float(high[..., :40].mean()) == pytest.approx(0.2, abs=0.02)


def test_what_is_not_seen_does_not_count_for_the_means():
    low = torch.zeros(1, 1, 64, 64)
    high = torch.full((1, 1, 128, 128), 0.9)
    high[..., :64] = 0.0
    alpha = torch.full((1, 1, 64, 64), -1.0)
    alpha[..., :30] = 1.0
    keep_means(high, low, alpha, 2)
    assert high[..., :40].abs().max() < 0.02


def disc(side=96, radius=30.5, soft=4):
    """Alpha of a disc, (side, side) uint8, drawn `soft` times finer and averaged."""
    big = PIL.Image.new("L", (side * soft, side * soft))
    middle, r = side * soft / 2, radius * soft
    PIL.ImageDraw.Draw(big).ellipse([middle - r, middle - r, middle + r, middle + r], fill=255)
    return np.asarray(big.resize((side, side), PIL.Image.Resampling.BOX))


def test_a_cut_out_has_the_colours_of_the_whole_photograph():
    """Black under the transparent part casts no ring into what is seen."""
    low = low_resolution(KERNEL)[20:116, 70:166]
    alpha = disc()
    black = np.where(alpha[..., None] > 0, low, 0).astype(np.uint8)
    cut, whole = fast(np.dstack([black, alpha])), fast(low)
    inside = disc(192, 57, 4) == 255  # up to 4 pixels from the edge
    difference = np.abs(cut.pixels - whole.pixels)[inside] * 255
    assert np.sqrt((difference**2).mean()) < 4
    plain = kfsr.upscale(black, preset="fast", kernel=KERNEL).image
    fringe = np.abs(plain.pixels - whole.pixels)[inside] * 255
    assert difference.max() < 0.5 * fringe.max()


def test_a_disc_of_one_colour_is_of_one_colour_on_any_background():
    colour = np.array([200, 60, 90])
    alpha = disc()
    pixels = np.where(alpha[..., None] > 0, colour, 0).astype(np.uint8)
    result = fast(np.dstack([pixels, alpha]))
    seen = np.rint(result.alpha * 255) > 0
    for background in (0.0, 1.0):
        a = result.alpha[..., None]
        shown, expected = (p * a + background * (1 - a) for p in (result.pixels, colour / 255))
        assert np.abs(shown - expected)[seen].max() * 255 < 1.5


def test_alpha_is_as_sharp_as_the_picture_and_stays_in_its_range():
    text = PIL.Image.new("L", (320, 128))
    PIL.ImageDraw.Draw(text).text((20, 30), "kfsr", fill=255, font_size=60)
    big = Image.from_array(np.asarray(text))
    x = torch.from_numpy(big.pixels.copy()).permute(2, 0, 1)[None].double()
    small = degrade(x, torch.from_numpy(KERNEL.array.copy()), 2)[0, 0]
    drawn = np.rint(small.numpy().clip(0, 1) * 255).astype(np.uint8)
    sticker = np.dstack([np.full((*drawn.shape, 3), 30, np.uint8), drawn])
    result = fast(sticker)
    bicubic = kfsr.upscale(sticker, preset="fast", kernel=KERNEL, solver="bicubic").image

    def error(one):
        return np.sqrt(((one - big.pixels[..., 0]) ** 2).mean())

    assert error(result.alpha) < 0.7 * error(bicubic.alpha)
    far = torch.nn.functional.max_pool2d(torch.from_numpy(drawn / 1.0)[None, None], 5, 1, 2)[0, 0].numpy() == 0
    assert result.alpha[::2, ::2][far].max() == 0
    assert np.abs(result.pixels[result.alpha > 0.1] * 255 - 30).max() < 1


def test_an_even_alpha_is_not_solved():
    def never(low_res):
        raise AssertionError

    alpha = torch.full((1, 1, 6, 7), 0.25)
    high = solved_alpha(alpha, 3, 3, never)
    assert high.shape == (1, 1, 18, 21)
    assert (high == 0.25).all()


def test_colours_go_on_under_what_is_transparent():
    """Whoever filters the result meets the neighbour's colour and no black; far away there is nothing."""
    low = data.astronaut()[::4, ::4][:96, :96]
    alpha = disc()
    result = fast(np.dstack([np.where(alpha[..., None] > 0, low, 0).astype(np.uint8), alpha]))
    outside = result.alpha == 0
    near = outside & (disc(192, 63, 4) > 0)
    assert result.pixels[near].max(1).min() > 0
    assert result.pixels[outside & (disc(192, 72, 4) == 0)].max() == 0
