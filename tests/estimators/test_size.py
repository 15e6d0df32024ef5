"""The judge of a spectral kernel's size, with the bundled net, on pictures whose kernel is known."""

import math

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.degradation import degrade
from kfsr.errors import InputError
from kfsr.estimators.size import SizeNet, from_state, judge
from kfsr.estimators.spectral import estimate
from kfsr.image import luma
from kfsr.kernel import gaussian_kernel
from kfsr.settings import SizeSettings
from kfsr.weights import size_judge


def fitted(picture, part, scale=2, noise=0.0):
    """Spectral fit of a `part` of a photograph that was downscaled by a round Gaussian, `noise` in grey levels."""
    x = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]
    kernel = torch.from_numpy(gaussian_kernel(np.eye(2) * 0.5 * scale**2, scale).array.copy())
    low = luma(degrade(x, kernel, scale)[0].permute(1, 2, 0).numpy())[part]
    low = low + np.random.default_rng(0).normal(0, noise / 255, low.shape)
    return estimate(np.rint(low * 255) / 255, scale)


WHOLE = np.s_[:, :]
PART = np.s_[20:68, 60:108]


@pytest.mark.parametrize("picture", [data.astronaut, data.coffee], ids=lambda picture: picture.__name__)
def test_what_says_little_is_doubted_more(picture):
    spreads = [
        judge(fitted(picture(), part, noise=noise), size_judge(), SizeSettings())[1]
        for part, noise in ((WHOLE, 0), (PART, 0), (PART, 6))
    ]
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.25 < spreads[2]


def test_a_kernel_is_never_widened():
    for scale in (2, 3, 4):
        for part in (WHOLE, PART):
            fit = fitted(data.rocket(), part, scale)
            kernel, _ = judge(fit, size_judge(), SizeSettings())
            # A kernel narrower than a pixel is resampled, which may cost some per cent.
            assert kernel.trace <= fit.kernel.trace * 1.03
            assert (kernel.size, kernel.method) == (fit.kernel.size, "spectral")


def test_a_wide_spread_narrows_as_the_settings_say():
    """With a net that always says the same."""
    net = SizeNet()
    for p in net.layers.parameters():
        torch.nn.init.zeros_(p)
    net.layers[-1].bias.data = torch.tensor([-0.4, math.log(0.5)])
    fit = fitted(data.coffee(), WHOLE)
    kernel, spread = judge(fit, net, SizeSettings(trusted_spread=0.5, caution=0.2))
    assert spread == pytest.approx(0.5)
    assert kernel.trace / fit.kernel.trace == pytest.approx(math.exp(0.5 * (-0.4 - 0.2 * 0.5)), rel=0.02)


def test_other_weights_are_refused():
    with pytest.raises(InputError, match="size judge"):
        from_state({"x": torch.zeros(1)})
