"""Scores: against known answers, an independent implementation, and the project's scoring script."""

import importlib.util
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import structural_similarity

from kfsr.errors import InputError, UsageError
from kfsr.evaluation.metrics import psnr_y, ssim_y
from kfsr.image import Image as KfsrImage
from kfsr.image import luma, read_image, write_image

SCRIPT = Path(__file__).parents[2] / "shared" / "tools" / "score.py"


def pair():
    sharp = data.coffee()[100:230, 200:321] / 255
    blurred = gaussian_filter(sharp, (1.2, 1.2, 0))
    return sharp, blurred


def test_psnr_of_a_constant_error():
    gray = np.full((20, 20), 0.4)
    # Y spans 219 of 255 steps, so an error e in gray is e * 219 / 255 in Y.
    assert psnr_y(gray, gray + 0.1) == pytest.approx(-20 * np.log10(0.1 * 219 / 255), abs=1e-9)
    with np.errstate(all="raise"):
        assert psnr_y(gray, gray) == float("inf")


def test_psnr_weighs_the_channels():
    black = np.zeros((8, 8, 3))
    green = black.copy()
    green[..., 1] = 0.5
    assert psnr_y(black, green) == pytest.approx(-20 * np.log10(0.5 * 128.553 / 255), abs=1e-9)


def test_border_is_left_out_on_every_side():
    sharp, _ = pair()
    framed = sharp.copy()
    framed[:4], framed[-4:], framed[:, :4], framed[:, -4:] = 0, 0, 0, 0
    assert psnr_y(sharp, framed, border=4) == float("inf")
    assert ssim_y(sharp, framed, border=4) == pytest.approx(1)
    assert psnr_y(sharp, framed, border=3) < 40


def test_ssim_of_constant_pictures():
    a, b = np.full((16, 16), 0.2), np.full((16, 16), 0.7)
    ya, yb = luma(a)[0, 0], luma(b)[0, 0]
    assert ssim_y(a, b) == pytest.approx((2 * ya * yb + 1e-4) / (ya**2 + yb**2 + 1e-4), abs=1e-9)
    assert ssim_y(a, a) == pytest.approx(1)


def test_ssim_agrees_with_scikit_image():
    a, b = pair()
    expected = structural_similarity(
        luma(a), luma(b), data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim_y(a, b) == pytest.approx(expected, abs=1e-10)


@pytest.mark.skipif(not SCRIPT.is_file(), reason=f"the project's scoring script is not at {SCRIPT}")
@pytest.mark.parametrize("border", [0, 7])
def test_agrees_with_the_scoring_script(tmp_path, border):
    spec = importlib.util.spec_from_file_location("score", SCRIPT)
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    for name, pixels in zip(("a.png", "b.png"), pair(), strict=True):
        write_image(KfsrImage.from_array(pixels), tmp_path / name)
    gray = PIL.Image.open(tmp_path / "a.png").convert("L")
    gray.save(tmp_path / "gray.png")
    for other in ("b.png", "gray.png"):
        theirs = [score.luma(tmp_path / name) for name in ("a.png", other)]
        if border:
            theirs = [y[border:-border, border:-border] for y in theirs]
        ours = [read_image(tmp_path / name).pixels for name in ("a.png", other)]
        assert psnr_y(*ours, border=border) == pytest.approx(score.psnr(*theirs), abs=1e-4)
        assert ssim_y(*ours, border=border) == pytest.approx(score.ssim(*theirs), abs=1e-6)


def test_pictures_that_cannot_be_compared():
    with pytest.raises(InputError, match="8 x 6 and 6 x 8 pixels cannot be compared"):
        psnr_y(np.zeros((6, 8)), np.zeros((8, 6)))
    with pytest.raises(UsageError, match="a border of 3 leaves too little of 8 x 6 pixels"):
        psnr_y(np.zeros((6, 8)), np.zeros((6, 8)), border=3)
    with pytest.raises(UsageError, match="11 a side are needed"):
        ssim_y(np.zeros((10, 20)), np.zeros((10, 20)))
    with pytest.raises(UsageError, match="must not be negative"):
        psnr_y(np.zeros((6, 8)), np.zeros((6, 8)), border=-1)
