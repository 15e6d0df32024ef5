"""The variance-preserving schedule and its posterior."""

import math
from itertools import pairwise

import pytest
import torch

from kfsr.priors.diffusion import alphas_bar, noise_level, posterior


def test_the_schedule_is_that_of_ddpm_and_ends_clean():
    kept = alphas_bar(400, 25)
    assert len(kept) == 26
    assert kept[0] == pytest.approx(0.195, abs=0.002)
    assert kept[-1] == 1
    assert all(a < b for a, b in pairwise(kept))
    assert alphas_bar(1, 1)[0] == pytest.approx(1 - 1e-4)
    # by hand: the first two betas of the linear rise
    assert alphas_bar(2, 2)[0] == pytest.approx((1 - 1e-4) * (1 - 1e-4 - (0.02 - 1e-4) / 999), rel=1e-6)


def test_a_hand_computed_posterior():
    # abar_t = 0.5, abar_s = 0.8: alpha = 0.625, beta = 0.375
    mean, deviation = posterior(torch.tensor([1.0]), torch.tensor([0.2]), 0.5, 0.8)
    by_hand = math.sqrt(0.8) * 0.375 / 0.5 * 1.0 + math.sqrt(0.625) * 0.2 / 0.5 * 0.2
    assert float(mean) == pytest.approx(by_hand)
    assert deviation == pytest.approx(math.sqrt(0.375 * 0.2 / 0.5))


@pytest.mark.parametrize(("alpha_bar", "before"), [(0.2, 0.3), (0.5, 0.95), (0.9, 0.9001)])
def test_a_step_back_from_the_noisy_picture_gives_the_less_noisy_one(alpha_bar, before):
    """q(x_s | x_0) is what q(x_s | x_t, x_0) gives on average over q(x_t | x_0): mean and variance, exactly."""
    clean = torch.tensor([0.7])
    mean_t = math.sqrt(alpha_bar) * clean
    mean, deviation = posterior(clean, mean_t, alpha_bar, before)
    assert float(mean) == pytest.approx(math.sqrt(before) * 0.7)
    gain = float(posterior(torch.zeros(1), torch.ones(1), alpha_bar, before)[0])
    assert gain**2 * (1 - alpha_bar) + deviation**2 == pytest.approx(1 - before)


def test_the_last_step_returns_the_clean_picture():
    mean, deviation = posterior(torch.tensor([0.3]), torch.tensor([-2.0]), 0.99, 1.0)
    assert (float(mean), deviation) == (pytest.approx(0.3), 0.0)


def test_the_unscaled_pictures_noise():
    assert noise_level(1.0) == 0
    assert noise_level(0.5) == pytest.approx(1)
    assert noise_level(alphas_bar(400, 1)[0]) == pytest.approx(2.03, abs=0.02)
