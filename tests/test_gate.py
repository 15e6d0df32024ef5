"""What the gate measures: overshoot by hand, noise against noise that was added."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.degradation import bicubic_upscale
from kfsr.gate import busiest_window, noise_level, overshoot, rehearse
from kfsr.kernel import gaussian_kernel
from kfsr.settings import GateSettings


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_within_the_range_around_it_nothing_overshoots(scale):
    low_res = torch.from_numpy(data.astronaut()[40:80, 170:213] / 127.5 - 1).permute(2, 0, 1)[None].float()
    up = torch.nn.functional.interpolate(low_res, scale_factor=float(scale), mode="bilinear")
    assert overshoot(up, low_res, scale) < 1e-5
    assert overshoot(up + 0.5, low_res, scale) > 1


def test_overshoot_by_hand():
    low_res = torch.zeros(1, 1, 5, 5)
    low_res[0, 0, 2, 2] = 0.5
    high_res = torch.zeros(1, 1, 10, 10)
    high_res[0, 0, 2, 2] = 0.4  # one pixel from the peak: allowed
    high_res[0, 0, 4, 4] = 0.7  # 0.2 above the peak
    high_res[0, 0, 0, 0] = 0.3  # too far from it: 0.3 above everything around
    high_res[0, 0, 9, 0] = -0.1  # below everything around
    expected = np.sqrt((0.2**2 + 0.3**2 + 0.1**2) / 100) * 127.5
    assert overshoot(high_res, low_res, 2) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("sigma", [0.01, 0.04, 0.1])
def test_noise_on_a_smooth_picture_is_measured(sigma):
    rows, cols = np.mgrid[:128, :160] / 40
    smooth = torch.from_numpy(0.5 * np.sin(rows) * np.cos(cols)).float().expand(1, 3, -1, -1)
    noise = torch.randn(smooth.shape, generator=torch.Generator().manual_seed(0)) * sigma
    assert noise_level(smooth) < 0.002
    assert noise_level(smooth + noise) == pytest.approx(sigma, rel=0.2)


def test_detail_is_not_taken_for_noise():
    picture = torch.from_numpy(data.astronaut()[:256] / 127.5 - 1).permute(2, 0, 1)[None].float()
    clean = noise_level(picture)
    noisy = picture + 0.06 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    assert clean < 0.02
    assert noise_level(noisy) == pytest.approx(0.06, rel=0.25)


@pytest.mark.parametrize("size", [(2, 2), (3, 30), (17, 16), (1, 20)], ids=str)
def test_small_pictures_have_a_noise_level_too(size):
    assert 0 <= noise_level(torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(2))) < 2


def textured(size=96):
    """A sharp gray picture, (1, 1, size, size) in [-1, 1]."""
    return torch.from_numpy(data.camera()[100 : 100 + size, 200 : 200 + size] / 127.5 - 1)[None, None].float()


def interpolate(low_res, kernel, sigma):
    return bicubic_upscale(low_res, 2)


def sharpen(low_res, kernel, sigma):
    """A solver that rings where the picture is new to it, and is gentle on what it has degraded itself."""
    x = bicubic_upscale(low_res, 2)
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return x + (6 if low_res.shape[-1] > 60 else 0.3) * (x - blurred)


def test_the_window_is_where_the_detail_is():
    picture = torch.zeros(1, 3, 120, 160)
    picture[..., 70:110, 100:150] = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(3))
    row, col, rows, cols = busiest_window(picture, 40)
    assert (rows, cols) == (40, 40)
    assert 60 <= row <= 80
    assert 90 <= col <= 120


def test_a_window_larger_than_the_picture_is_the_picture():
    assert busiest_window(torch.rand(1, 3, 20, 30), 112) == (0, 0, 20, 30)


def rehearsed(solve):
    kernel = torch.from_numpy(gaussian_kernel(np.eye(2) * 1.5, 2).array.copy()).float()
    return rehearse(textured(), kernel, 2, 0.01, 0.0, solve, torch.Generator().manual_seed(0))


def test_interpolation_gains_nothing_in_the_rehearsal_and_passes():
    trial = rehearsed(interpolate)
    assert trial.rehearsal_gain == pytest.approx(0, abs=1e-6)
    assert trial.objection(GateSettings()) is None


def test_ringing_is_objected_to():
    assert "rings" in rehearsed(sharpen).objection(GateSettings())


def test_a_solver_that_fails_the_rehearsal_is_objected_to():
    trial = rehearsed(lambda low_res, kernel, sigma: torch.zeros_like(bicubic_upscale(low_res, 2)))
    assert "worse than bicubic" in trial.objection(GateSettings())
