"""At scale 1 a picture that needs nothing, or that nothing can be done for, comes back as it is."""

import numpy as np
import pytest
from pictures import photo

import kfsr
from kfsr.errors import UsageError
from kfsr.image import Image
from kfsr.kernel import Kernel, gaussian_kernel
from kfsr.pipeline.gate import SHARP, TRUSTED, UNCHANGED

POINT = Kernel(np.ones((1, 1)), 1)
BLUR = gaussian_kernel(np.eye(2), 1)


def picture():
    alpha = np.linspace(0, 255, 83).astype(np.uint8)[None].repeat(67, 0)
    return Image.from_array(np.dstack([photo(), alpha]))


@pytest.mark.parametrize("kernel", [POINT, POINT.resized(9)], ids=["of one pixel", "of nine"])
def test_a_point_leaves_every_pixel(kernel):
    result = kfsr.upscale(picture(), scale=1, kernel=kernel)
    assert np.array_equal(result.image.pixels, picture().pixels)
    assert np.array_equal(result.image.alpha, picture().alpha)
    report = result.report
    assert (report.gate.verdict, report.gate.reason, report.strength, report.residual) == (UNCHANGED, SHARP, 0, 0)
    assert not {"solver", "means", "refine"} & set(report.timings)


def test_of_a_window_too():
    result = kfsr.upscale(picture(), scale=1, kernel=POINT, window=(5, 7, 20, 30))
    assert np.array_equal(result.image.pixels, picture().pixels[5:25, 7:37])


def test_a_strength_of_nothing():
    result = kfsr.upscale(picture(), scale=1, kernel=BLUR, strength=0)
    assert np.array_equal(result.image.pixels, picture().pixels)
    assert (result.report.gate.verdict, result.report.strength) == (TRUSTED, 0)
    assert kfsr.upscale(picture(), scale=1, strength=0).report.gate.reason == ""


def test_a_picture_that_is_too_small_says_so():
    tiny = Image.from_array(photo(3, 3))
    result = kfsr.upscale(tiny, scale=1)
    assert np.array_equal(result.image.pixels, tiny.pixels)
    assert result.report.gate.verdict == UNCHANGED
    assert result.report.gate.reason.endswith("; left as it is")


def test_a_blur_is_undone():
    result = kfsr.upscale(picture(), scale=1, kernel=BLUR, strength=1)
    assert result.image.size == picture().size
    assert not np.array_equal(result.image.pixels, picture().pixels)


def test_deblur_is_upscaling_by_one():
    ours, other = kfsr.deblur(picture(), kernel=BLUR, seed=3), kfsr.upscale(picture(), scale=1, kernel=BLUR, seed=3)
    assert np.array_equal(ours.image.pixels, other.image.pixels)
    assert kfsr.deblur(picture(), kfsr.Recipe(scale=4), kernel=POINT).report.scale == 1
    with pytest.raises(UsageError, match="deblur keeps the size"):
        kfsr.deblur(picture(), scale=2)
    with pytest.raises(UsageError, match="use one of auto, "):
        kfsr.deblur(picture(), kernel_method="ikl")
