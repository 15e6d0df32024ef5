"""The calibration of a spectral kernel, with the bundled net, on pictures whose kernel is known."""

import math

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.errors import InputError
from kfsr.estimators.calibration import (
    OUTPUTS,
    CalibrationNet,
    calibrate,
    changed,
    error_of,
    from_state,
    logarithm,
    seen,
)
from kfsr.estimators.spectral import estimate
from kfsr.image import luma
from kfsr.kernel import Kernel, bicubic_kernel, gaussian_kernel
from kfsr.kernel.gaussian import fit_gaussian
from kfsr.kernel.random import random_blur
from kfsr.operator.spatial import degrade
from kfsr.settings import CalibrationSettings
from kfsr.weights import network

PICTURES = [data.astronaut, data.coffee, data.chelsea, data.rocket]


def shrunk(picture, kernel, part=np.s_[:, :], noise=0.0):
    """Luminance of a `part` of a photograph that was downscaled with the kernel, `noise` in grey levels."""
    x = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]
    low = luma(degrade(x, torch.from_numpy(kernel.array.copy()), kernel.scale)[0].permute(1, 2, 0).numpy())[part]
    low = low + np.random.default_rng(0).normal(0, noise / 255, low.shape)
    return np.rint(low * 255) / 255


def judged(low, scale, settings=None, net=None):
    dirt = seen(torch.from_numpy(low).float()[None, None] * 2 - 1, 0.0)
    net = net or network(None, ("calibration",))
    return calibrate(estimate(low, scale), [low], dirt, net, settings or CalibrationSettings())


def round_kernel(scale, variance=0.5):
    return gaussian_kernel(np.eye(2) * variance * scale**2, scale)


FREE = CalibrationSettings(bias=0.0, widest=9.0, sure_odds=9.0, caution=0.0)
"""The kernel becomes what the net says."""

PART = np.s_[20:68, 60:108]


@pytest.mark.parametrize("picture", [data.astronaut, data.coffee], ids=lambda picture: picture.__name__)
def test_what_says_little_is_doubted_more(picture):
    spreads = [
        judged(shrunk(picture(), round_kernel(2), part, noise), 2).spread
        for part, noise in ((np.s_[:, :], 0), (PART, 0), (PART, 6))
    ]
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.2 < spreads[2]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_comes_nearer_to_the_truth_than_the_spectra(scale):
    """With the kernels of programs, which are no Gaussians, and one that is."""
    before, after = [], []
    for true in (bicubic_kernel(scale), round_kernel(scale)):
        gaussian, _ = fit_gaussian(true.array, scale)
        for picture in PICTURES:
            low = shrunk(picture(), true)
            before.append(abs(error_of(estimate(low, scale).kernel, gaussian)[0]))
            after.append(abs(error_of(judged(low, scale, FREE).kernel, gaussian)[0]))
    assert np.mean(after) < np.mean(before)


def test_camera_shake_is_told_from_a_gaussian():
    random = np.random.default_rng(1)
    for picture in PICTURES:
        shake = random_blur(2, 24, random, "shake").sample(2, 24)
        odds = [judged(shrunk(picture(), kernel), 2).odds for kernel in (shake, round_kernel(2))]
        assert odds[0] > odds[1] + 1


def test_the_turned_picture_has_the_turned_kernel():
    long = gaussian_kernel(np.array([[3.0, 0.8], [0.8, 1.0]]), 2)
    low = shrunk(data.astronaut(), long)
    one, turned = judged(low, 2).kernel, judged(np.rot90(low).copy(), 2).kernel
    assert error_of(turned, Kernel(np.rot90(one.array), 2)) == pytest.approx(np.zeros(3), abs=0.1)


class Constant(CalibrationNet):
    """Says what it was told to."""

    def __init__(self, *out):
        super().__init__()
        self.out = torch.tensor([[*out, *[0.0] * (OUTPUTS - len(out))]])

    def forward(self, luminance, features):
        return self.out


@pytest.mark.parametrize(
    ("said", "odd", "done"), [(-0.4, 3.0, -0.3), (0.3, -3.0, 0.2), (0.9, -3.0, 0.25), (0.3, -1.0, 0.0)]
)
def test_beyond_the_bias_a_kernel_is_narrowed_freely_and_widened_little(said, odd, done):
    low = shrunk(data.coffee(), round_kernel(2))
    net = Constant(said, 0.3, 0.05, math.log(0.05), 0.0, odd)
    calibration = judged(low, 2, CalibrationSettings(bias=0.1, widest=0.25, sure_odds=-2.0, trusted_spread=0.5), net)
    assert calibration.spread == pytest.approx(0.05)
    assert calibration.odds == odd
    assert error_of(estimate(low, 2).kernel, calibration.kernel) == pytest.approx([done, 0.2, 0.0], abs=0.02)


def test_a_wide_spread_narrows_as_the_settings_say():
    low = shrunk(data.coffee(), round_kernel(2))
    net = Constant(0.0, 0.0, 0.0, math.log(0.5), 0.0, 0.0)
    settings = CalibrationSettings(trusted_spread=0.5, caution=0.2)
    kernel = judged(low, 2, settings, net).kernel
    assert error_of(estimate(low, 2).kernel, kernel) == pytest.approx([-0.5 * 0.2 * 0.5, 0, 0], abs=0.01)


def test_the_logarithm_of_a_known_covariance():
    # Along the rows 4 (1 - .04), across 4 (2 - .04) square pixels: logarithms 0 and log 2.
    kernel = gaussian_kernel(4 * np.diag([0.96, 1.96]), 2, 24)
    assert logarithm(kernel) == pytest.approx([math.log(2) / 2, -math.log(2) / 2, 0], abs=0.01)
    back = changed(kernel, np.array([0.0, math.log(2), 0.3]))
    assert logarithm(back) == pytest.approx([math.log(2) / 2, math.log(2) / 2, 0.3], abs=0.02)
    assert (back.scale, back.size, back.method) == (2, 24, "gaussian")


def test_other_weights_are_refused():
    with pytest.raises(InputError, match="calibration network"):
        from_state({"x": torch.zeros(1)})
