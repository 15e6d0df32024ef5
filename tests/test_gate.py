"""What the gate measures: overshoot by hand, noise against noise that was added."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.gate import noise_level, overshoot


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
