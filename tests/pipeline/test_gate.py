"""What the gate measures: overshoot by hand, noise against noise that was added."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.analysis.windows import busiest_window
from kfsr.kernel import Provenance, gaussian_kernel
from kfsr.operator.spatial import bicubic_upscale
from kfsr.pipeline.gate import BICUBIC, CAUTIOUS, TRUSTED, Trial, decide, overshoot, rehearse
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


def textured(size=96):
    """A sharp gray picture, (1, 1, size, size) in [-1, 1]."""
    return torch.from_numpy(data.camera()[100 : 100 + size, 200 : 200 + size] / 127.5 - 1)[None, None].float()


def interpolate(low_res, kernel, sigma, uncertainty):
    return bicubic_upscale(low_res, 2)


def sharpen(low_res, kernel, sigma, uncertainty):
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
    return rehearse(textured(), kernel, 2, 0.01, 0.0, 0.0, solve, torch.Generator().manual_seed(0))


def test_interpolation_gains_nothing_in_the_rehearsal_and_passes():
    trial = rehearsed(interpolate)
    assert trial.rehearsal_gain == pytest.approx(0, abs=1e-6)
    assert trial.objection(GateSettings(), 2, 96**2, 1.0) is None


def test_ringing_is_objected_to():
    assert "rings" in rehearsed(sharpen).objection(GateSettings(), 2, 96**2, 1.0)


def test_a_solver_that_fails_the_rehearsal_is_objected_to():
    trial = rehearsed(lambda low_res, kernel, sigma, uncertainty: torch.zeros_like(bicubic_upscale(low_res, 2)))
    assert "worse than bicubic" in trial.objection(GateSettings(), 2, 96**2, 1.0)


def chosen(solve, estimated=True):
    kernel = gaussian_kernel(np.eye(2) * 1.5, 2)
    generator = torch.Generator().manual_seed(0)
    kernel = kernel.stamped(Provenance("estimated", "spectral")) if estimated else kernel
    return decide(textured(), kernel, 0.01, 0.3, 0.0, solve, GateSettings(), generator), kernel


def test_a_large_picture_may_ring_more():
    trial = Trial(overshoot=10.0, rehearsed=6.0, rehearsal_gain=1.0)
    cfg = GateSettings()
    small, large, huge = (trial.objection(cfg, 2, side**2, 1.0) for side in (256, 800, 8000))
    assert "rings" in small
    assert large is None
    assert huge is None
    assert "rings" in replace(trial, overshoot=15.0).objection(cfg, 2, 8000**2, 1.0)


def test_with_a_sure_kernel_a_picture_may_ring_more():
    trial = Trial(overshoot=10.0, rehearsed=6.0, rehearsal_gain=1.0)
    cfg = GateSettings()
    sure, unsure = (trial.objection(cfg, 2, 96**2, uncertainty) for uncertainty in (0.15, 0.6))
    assert sure is None
    assert "rings" in unsure
    assert "rings" in replace(trial, overshoot=15.0).objection(cfg, 2, 96**2, 0.0)


def test_what_passes_is_used_as_it_is():
    choice, kernel = chosen(interpolate)
    assert choice.verdict.verdict == TRUSTED
    assert choice.kernel is kernel
    assert (choice.sigma, choice.uncertainty) == (0.01, 0.3)


def test_what_never_passes_is_interpolated():
    choice, _ = chosen(sharpen)
    assert choice.verdict.verdict == BICUBIC
    assert "rings" in choice.verdict.reason
    assert "interpolated" in choice.verdict.reason


@pytest.mark.parametrize("estimated", [True, False])
def test_the_first_step_that_passes_is_taken(estimated):
    """A solver that fails its rehearsal until it is told twice the noise."""

    def eager(low_res, kernel, sigma, uncertainty):
        return bicubic_upscale(low_res, 2) if sigma > 0.015 else torch.zeros_like(bicubic_upscale(low_res, 2))

    choice, kernel = chosen(eager, estimated)
    step = GateSettings().steps[1]
    assert choice.verdict.verdict == CAUTIOUS
    assert choice.sigma == pytest.approx(0.01 * step.sigma)
    assert choice.uncertainty == step.uncertainty
    assert "trusted the data 2 times less" in choice.verdict.reason
    assert ("narrowed" in choice.verdict.reason) == estimated
    assert choice.kernel.trace / kernel.trace == pytest.approx(step.size if estimated else 1, rel=0.01)
