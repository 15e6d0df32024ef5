"""What is said of a picture's history, on a photograph that went through it."""

import io

import numpy as np
import PIL.Image
import pytest
from pictures import low_resolution
from skimage import data

from kfsr.analysis.problem import Problem
from kfsr.image import read_image
from kfsr.kernel import gaussian_kernel
from kfsr.kernel.sharpening import Sharpening
from kfsr.pipeline.findings import findings, jpeg_quality
from kfsr.pipeline.solving import known_dirt
from kfsr.recipe import Recipe

LOW = low_resolution(gaussian_kernel(np.array([[1.2, 0.0], [0.0, 1.2]]), 2))


def stored(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, kind, **options)
    return read_image(buffer.getvalue())


def found(picture):
    problem = Problem([picture], Recipe.make(scale=2).work())
    return findings(problem, known_dirt(problem))


def noisy(sigma):
    noise = sigma * np.random.default_rng(0).standard_normal(LOW.shape)
    return np.rint((LOW + noise).clip(0, 255)).astype(np.uint8)


def test_a_clean_picture():
    said = found(stored(LOW))
    assert said.words == "clean"
    assert said.noise < 2
    assert (said.jpeg_quality, said.compressed, said.sharpening_amount) == (None, False, 0)


@pytest.mark.parametrize("quality", [40, 72, 90])
def test_a_jpeg_says_its_quality(quality):
    picture = stored(LOW, "JPEG", quality=quality)
    assert picture.quantisation > 0
    said = found(picture)
    assert abs(said.jpeg_quality - quality) <= 1
    assert said.words.startswith(f"JPEG of quality {said.jpeg_quality}")
    assert said.compressed


def test_a_jpeg_that_was_stored_as_something_else():
    pixels = np.rint(stored(LOW, "JPEG", quality=30, subsampling=0).pixels * 255).astype(np.uint8)
    said = found(stored(pixels))
    assert (said.jpeg_quality, said.compressed) == (None, True)
    assert said.words.startswith("compressed before")


@pytest.mark.parametrize("sigma", [6, 14])
def test_noise_in_grey_levels(sigma):
    said = found(stored(noisy(sigma)))
    assert said.noise == pytest.approx(sigma, rel=0.35)
    assert f"noise of {said.noise:.0f} levels" in said.words
    assert abs(said.correlation) < 0.3


def test_a_sharpened_picture():
    picture = PIL.Image.fromarray(data.coffee()).reduce(2)
    sharp = np.rint(Sharpening(1.0, 1.2).of(np.asarray(picture) / 255) * 255).astype(np.uint8)
    assert found(stored(np.asarray(picture))).sharpening_amount == 0
    said = found(stored(sharp))
    assert "sharpened" in said.words
    assert said.sharpening_amount > 0.3
    assert said.sharpening_radius > 0


def test_nothing_is_said_of_a_picture_that_says_nothing():
    assert found(stored(np.full((40, 40, 3), 90, np.uint8))) is None


@pytest.mark.parametrize(("quality", "off"), [(1, 2), (20, 1), (50, 1), (75, 1), (95, 1), (100, 3)])
def test_quality_is_read_from_the_tables(quality, off):
    """At the ends the tables' steps are 255 or 1, whatever the quality."""
    picture = stored(LOW[:32, :32], "JPEG", quality=quality)
    assert abs(jpeg_quality(picture.quantisation) - quality) <= off


def test_no_tables_no_quality():
    assert stored(LOW[:8, :8]).quantisation == 0
    assert jpeg_quality(0) is None
