"""The judge of mild blur, with the bundled net, on pictures whose blur is known."""

import math

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from skimage import data

from kfsr.analysis.problem import Problem
from kfsr.errors import InputError, NothingToLearn
from kfsr.estimators.softness import KINDS, METHOD, OUTPUTS, appraise, concluded, from_state, gaussian_of, logarithm
from kfsr.image import Image
from kfsr.kernel import Kernel, gaussian_kernel
from kfsr.kernel.disk import disk_kernel
from kfsr.kernel.random import camera_shake
from kfsr.recipe import Recipe
from kfsr.settings import SoftnessSettings
from kfsr.training.degradations import degraded_by

SHARP = {
    # At half their size, what a camera made is truly sharp.
    "astronaut": lambda: _half(data.astronaut()),
    "coffee": lambda: _half(data.coffee()),
    "chelsea": lambda: data.chelsea(),
    "rocket": lambda: _half(data.rocket()),
}


def _half(picture):
    small = Pillow.fromarray(picture)
    return np.asarray(small.resize((small.width // 2, small.height // 2), Pillow.Resampling.LANCZOS))


def blurred(picture, kernel, noise=0.0):
    """8-bit picture under the kernel, `noise` in grey levels."""
    x = degraded_by(picture / 255, kernel) * 255
    x = x + np.random.default_rng(0).normal(0, noise, x.shape)
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def problem_of(*pictures):
    return Problem([Image.from_array(one) for one in pictures], Recipe.make(scale=1, kernel_method="soft"))


def appraised(*pictures):
    return appraise(problem_of(*pictures))


def round_kernel(deviation):
    return gaussian_kernel(np.eye(2) * deviation**2, 1, 2 * math.ceil(3.2 * deviation) + 1)


@pytest.mark.parametrize("name", SHARP)
def test_a_sharp_picture_is_sharp_and_a_soft_one_is_not(name):
    sharp = appraised(SHARP[name]())
    assert sharp.kind == "sharp"
    assert sharp.kernel.array.tolist() == [[1.0]]
    soft = appraised(blurred(SHARP[name](), round_kernel(1.2)))
    assert soft.kind != "sharp"
    assert soft.odds["sharp"] < 0.2
    assert sum(soft.odds.values()) == pytest.approx(1)


@pytest.mark.parametrize("deviation", [1.0, 1.8, 3.0])
def test_the_gaussians_size_is_found(deviation):
    found = [appraised(blurred(SHARP[name](), round_kernel(deviation), noise=1.0)) for name in SHARP]
    assert sum(one.kind == "gaussian" for one in found) >= 3
    error = [math.log(one.kernel.trace / 2 / deviation**2) / 2 for one in found if one.kind == "gaussian"]
    assert abs(np.mean(error)) < 0.2
    assert np.abs(error).max() < 0.35


@pytest.mark.parametrize("radius", [3.0, 6.0])
def test_what_is_out_of_focus_has_a_disk(radius):
    found = [appraised(blurred(SHARP[name](), disk_kernel(radius, 1))) for name in SHARP]
    disks = [one for one in found if one.kind == "disk"]
    assert len(disks) >= 3
    for one in disks:
        assert one.kernel.trace == pytest.approx(disk_kernel(radius, 1).trace, rel=0.35)


def test_shake_is_called_shake():
    rng = np.random.default_rng(3)
    pictures = [blurred(SHARP[name](), camera_shake(25, rng).sample(1, 41)) for name in SHARP]
    odds = [appraised(picture).odds for picture in pictures]
    assert sum(one["shake"] > one["gaussian"] for one in odds) >= 3


def test_noise_is_told():
    quiet, loud = (appraised(blurred(SHARP["coffee"](), round_kernel(1.5), noise)).noise for noise in (0.0, 6.0))
    assert quiet < 0.015
    assert loud == pytest.approx(2 * 6 / 255, rel=0.4)


@pytest.mark.parametrize(
    "picture", [np.full((80, 80, 3), 90, np.uint8), data.astronaut()[:20, :90]], ids=["flat", "small"]
)
def test_what_says_nothing_is_refused(picture):
    with pytest.raises(NothingToLearn):
        appraised(picture)


def told(kind, *rest):
    """One row as the net says it, sure of a kind."""
    return [9.0 if name == kind else 0.0 for name in KINDS] + list(rest)


def test_the_smaller_sizes_count_and_the_rest_is_caution():
    settings = SoftnessSettings(quantile=0.25, bias=0.1, caution=0.5, handled_noise=9.0)
    sure, unsure = math.log(0.1), math.log(0.4)
    said = np.array(
        [
            told("gaussian", size, slant, 0.0, spread, spread, 0.0, 0.0, math.log(0.02), 0.0)
            for size, slant, spread in ((1.0, 0.2, sure), (2.0, -0.2, unsure), (3.0, 0.2, sure), (4.0, -0.2, unsure))
        ]
    )
    found = concluded(said, 0.0, settings)
    assert found.spread == pytest.approx(0.1)  # geometric mean of .1 and .4, halved: of the deviation
    assert found.noise == pytest.approx(0.02)
    # Form: sixteen times as much of the surer ones.
    wanted = gaussian_of(np.array([1.75 - 2 * (0.1 + 0.5 * 0.1), 0.2 * 15 / 17, 0.0]))
    assert found.kernel.array == pytest.approx(wanted.array)
    assert len(said[0]) == OUTPUTS


def test_a_short_path_is_a_gaussian_and_what_may_be_sharp_is_left():
    row = told("shake", math.log(0.8**2), 0.0, 0.0, -3.0, -3.0, 0.0, 0.0, -5.0, 0.0)
    assert concluded(np.array([row]), 0.0, SoftnessSettings()).kind == "shake"  # of which it is sure
    assert concluded(np.array([row]), 0.0, SoftnessSettings(surely_shake=1.0)).kind == "gaussian"
    row[len(KINDS)] = math.log(9.0)
    assert concluded(np.array([row]), 0.0, SoftnessSettings()).kind == "shake"
    row[: len(KINDS)] = [0.0, 1.0, -3.0, -3.0]
    assert concluded(np.array([row]), 0.0, SoftnessSettings()).kind == "sharp"


def test_noise_that_is_not_white_is_a_cameras_doing():
    """Then the kernel is taken smaller, and the solver told more noise."""
    row = told("gaussian", 1.0, 0.0, 0.0, math.log(0.1), math.log(0.1), 0.0, 0.0, math.log(0.05), 0.0)
    white, other = (concluded(np.array([row]), level, SoftnessSettings()) for level in (0.05, 0.0))
    assert white.handled < 0.01
    assert other.handled > 0.99
    assert other.kernel.trace < 0.8 * white.kernel.trace
    assert white.noise == pytest.approx(0.05)
    assert other.noise > 0.1


def test_a_disk_of_what_the_net_says():
    row = told("disk", 0.0, 0.0, 0.0, 0.0, 0.0, math.log(4.0), math.log(0.2), math.log(0.01), 0.0)
    found = concluded(np.array([row]), 0.0, SoftnessSettings(bias=0.0, caution=0.5, handled_noise=9.0))
    assert found.kind == "disk"
    assert found.kernel.array == pytest.approx(disk_kernel(4 * math.exp(-0.1), 1).array)


def test_the_logarithm_of_a_covariance_and_back():
    covariance = np.array([[3.0, 0.8], [0.8, 1.0]])
    assert gaussian_of(logarithm(covariance)).covariance == pytest.approx(covariance, rel=0.02)
    assert logarithm(np.eye(2) * 0.96) == pytest.approx([0, 0, 0], abs=1e-9)


def test_the_method_estimates_it_at_scale_one():
    picture = blurred(SHARP["coffee"](), round_kernel(1.5))
    assert METHOD.scales == (1,)
    problem = problem_of(picture)
    kernel = METHOD.estimate(problem)
    assert isinstance(kernel, Kernel)
    assert kernel.provenance.source == "estimated"
    seen, cfg = problem.once(appraise), problem.settings.softness
    doubt = cfg.least_doubt + cfg.doubt * seen.spread + cfg.doubt_of_handled * seen.handled
    assert METHOD.uncertainty(problem, kernel) == pytest.approx(doubt)


def test_other_weights_are_refused():
    with pytest.raises(InputError, match="softness network"):
        from_state({"x": torch.zeros(1)})
