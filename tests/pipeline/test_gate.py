"""What the gate measures: overshoot by hand, noise against noise that was added."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.analysis.problem import Problem, Told, kernel_tensor
from kfsr.analysis.windows import busiest_window
from kfsr.errors import NothingToLearn
from kfsr.estimators.calibration import calibrated
from kfsr.image import Image
from kfsr.kernel import Provenance, gaussian_kernel
from kfsr.operator.spatial import as_stored, bicubic_upscale, degrade
from kfsr.pipeline.gate import TRUSTED, Candidate, decide, overshoot, rehearse, share_of
from kfsr.recipe import Recipe
from kfsr.settings import GateSettings
from kfsr.solvers.unrolled import solver_of
from kfsr.weights import network


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


def test_the_window_is_where_the_detail_is():
    picture = torch.zeros(1, 3, 120, 160)
    picture[..., 70:110, 100:150] = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(3))
    row, col, rows, cols = busiest_window(picture, 40)
    assert (rows, cols) == (40, 40)
    assert 60 <= row <= 80
    assert 90 <= col <= 120


def test_a_window_larger_than_the_picture_is_the_picture():
    assert busiest_window(torch.rand(1, 3, 20, 30), 112) == (0, 0, 20, 30)


SCENE = np.s_[30:286, 100:356]


def low_resolution(kernel, noise=0.0):
    """A part of the astronaut, shrunk by a kernel, with noise in grey levels, (1, 3, h, w) in [-1, 1]."""
    x = torch.from_numpy(data.astronaut()[SCENE] / 127.5 - 1).permute(2, 0, 1)[None].float()
    return as_stored(degrade(x, kernel_tensor(kernel), 2), noise / 127.5, torch.Generator().manual_seed(1))


def gaussian(variance, estimated=True):
    kernel = gaussian_kernel(np.eye(2) * variance, 2)
    return kernel.stamped(Provenance("estimated", "spectral")) if estimated else kernel


def known_of(low_res):
    """What the pipeline knows of the picture."""
    return calibrated(Problem([Image.from_array(((low_res[0] + 1) / 2).permute(1, 2, 0).numpy())], Recipe()))


def decided(low_res, kernel, solve=None):
    """Of a kernel, told that the data are clean."""
    one = Candidate(kernel, kernel, Told(0.003, 0.15))
    random, net = torch.Generator().manual_seed(0), network(None, ("gate",))
    return decide(low_res, one, known_of(low_res), 0.0, solve or solver_of(None, 2), net, GateSettings(), random)


def test_the_right_kernel_is_trusted():
    choice = decided(low_resolution(gaussian(1.5)), gaussian(1.5))
    assert choice.verdict.verdict == TRUSTED
    assert choice.strength > 0.7
    assert choice.told.sigma == 0.003


def test_of_a_kernel_that_is_too_wide_less_is_taken():
    low_res = low_resolution(gaussian(0.8))
    right, wide = (decided(low_res, gaussian(v)).verdict.trial for v in (0.8, 4.0))
    assert wide.overshoot > right.overshoot
    assert wide.share < right.share - 0.2


def test_what_the_solver_makes_up_is_left_out():
    """Noise that it adds is no part of the picture, and a rehearsal shows it."""

    def invent(low_res, kernel, told):
        x = bicubic_upscale(low_res, 2)
        return x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(5))

    choice = decided(low_resolution(gaussian(1.5)), gaussian(1.5), solve=invent)
    assert choice.strength < 0.3


def test_the_share_by_hand():
    change, wanted = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])
    assert share_of(change, wanted) == pytest.approx(0.2)
    assert share_of(change, change / 2) == pytest.approx(0.5)


def test_a_rehearsal_knows_the_truth():
    """Interpolation changes nothing, and a solver that gives the father back is right in all."""
    low_res = low_resolution(gaussian(1.5))
    candidate = Candidate(gaussian(1.5), gaussian(1.5), Told(0.003))

    def interpolate(low_res, kernel, told):
        return bicubic_upscale(low_res, 2)

    def perfect(y, kernel, told):
        return low_res if y.shape[-1] * 2 == low_res.shape[-1] else bicubic_upscale(y, 2)

    plain, right = (rehearse(low_res, candidate, 0.0, how, torch.Generator()) for how in (interpolate, perfect))
    assert plain.change == 0
    assert right.rehearsed_share == pytest.approx(1, abs=1e-4)
    assert plain.residual > 0


def test_a_picture_under_a_pixel_is_refused():
    with pytest.raises(NothingToLearn, match="too small for a rehearsal"):
        one = Candidate(gaussian(1.5), gaussian(1.5), Told(0.003))
        net = network(None, ("gate",))
        decide(torch.zeros(1, 3, 1, 40), one, None, 0.0, solver_of(None, 2), net, GateSettings(), torch.Generator())
