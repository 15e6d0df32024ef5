"""Kernel-Diff: its steps by hand, and the whole with the bundled weights on shaken photographs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.analysis.few_edges import centred, middle
from kfsr.analysis.problem import Problem
from kfsr.errors import NothingToLearn
from kfsr.estimators.kernel_diffusion import (
    Guide,
    Samples,
    aligned,
    correlation,
    deviation,
    guided,
    kernel_diffusion,
    seen_part,
    through_solver,
)
from kfsr.estimators.registry import estimator
from kfsr.image import Image
from kfsr.kernel import Kernel
from kfsr.kernel.random import camera_shake
from kfsr.operator.fourier import circular_degrade
from kfsr.operator.spatial import degrade
from kfsr.pipeline.kernel_diffusion import samples
from kfsr.pipeline.kernels import estimated
from kfsr.priors.kernel_diffusion import KernelDiffusionNet, decoded, encoded
from kfsr.recipe import Recipe
from kfsr.settings import KernelDiffusionSettings, Settings

QUICK = KernelDiffusionSettings(samples=3, steps=4, first_guided=2, guided=1, refinement=(1, 1), window=64)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def as_it_is(low_res, kernel, scale, noise):
    """A solver that thinks that nothing is blurred."""
    return low_res + 0 * kernel.sum()


def three_taps(row):
    k = torch.zeros(64, 64)
    k[31, 30:33] = torch.tensor(row)
    return k


def test_a_guiding_step_on_three_taps_by_hand():
    """z = 3.7 everywhere: roots s = 1, k = 1/3. For |k - (1, 0, 0)|^2 the gradient by k is 2 (k - target), so
    (-4, 2, 2) / 3. Times dk/ds = 2 (delta - 1/3) / 3 and ds/dz = 1/4 it is (-2, 1, 1) / 9 by z, of the direction
    (-2, 1, 1) / sqrt 6."""
    target = torch.tensor([[1.0, 0.0, 0.0]])
    moved = guided(torch.full((2, 1, 3), 3.7), lambda k: (k - target).square().sum((1, 2)), math.sqrt(6) / 10)
    torch.testing.assert_close(moved, torch.tensor([[[3.9, 3.6, 3.6]]]).expand(2, 1, 3))


def test_the_data_term_of_three_taps_by_hand():
    """A point of light, and a solver that changes nothing: k * y - y = (1, -2, 1) / 3 in three of the 5 x 5 pixels that
    are left of 9 x 9 without the border of 2, mean square (1 + 4 + 1) / 9 / 25."""
    y = torch.zeros(1, 1, 9, 9)
    y[0, 0, 4, 4] = 1
    guide = Guide(y, 0.01, 1, as_it_is, KernelDiffusionSettings())
    assert float(guide.misfit(three_taps([1 / 3] * 3))) == pytest.approx(6 / 9 / 25)


def test_the_kernel_between_two_pictures_is_found_by_least_squares():
    """The solver knows the sharp picture; the kernel that it is asked with is wrong."""
    true = three_taps([0.25, 0.5, 0.25])
    sharp = torch.rand(1, 1, 160, 160, generator=generator(1))
    y = degrade(sharp, true[:63, :63], 1)
    cfg = KernelDiffusionSettings(hold=1e-4, rounds=30, window=160)
    wrong = three_taps([0.5, 0.0, 0.5])
    better = Guide(y, 0.01, 1, lambda y, k, scale, noise: sharp, cfg).improved(wrong)
    torch.testing.assert_close(better, true, atol=0.02, rtol=0)
    held = Guide(y, 0.01, 1, lambda y, k, scale, noise: sharp, replace(cfg, hold=1e4)).improved(wrong)
    torch.testing.assert_close(held, centred(wrong[None], 31.0)[0], atol=3e-3, rtol=0)


def test_the_papers_step_lowers_the_data_term():
    y = torch.from_numpy(data.camera()[100:196, 150:246] / 127.5 - 1).float()[None, None]
    guide = Guide(y, 0.01, 1, as_it_is, KernelDiffusionSettings())
    k = three_taps([0.3, 0.4, 0.3])
    z = encoded(k)
    moved = through_solver(z, guide, replace(QUICK, guidance=0.3))
    assert float((moved - z).norm()) == pytest.approx(0.3, abs=1e-3)
    assert float(guide.misfit(decoded(moved))) < float(guide.misfit(k))


def test_a_wide_kernel_is_judged_at_half_the_resolution():
    sizes = []

    def solver(low_res, kernel, scale, noise):
        sizes.append((low_res.shape[-1], kernel.shape[-1], noise))
        return low_res.repeat_interleave(scale, 2).repeat_interleave(scale, 3)

    wide = torch.zeros(64, 64)
    wide[31, 11:52] = 1 / 41
    for k, scale in ((three_taps([0.2, 0.6, 0.2]), 1), (wide, 1), (wide, 2)):
        Guide(torch.rand(1, 1, 256, 256), 0.02, scale, solver, KernelDiffusionSettings()).misfit(k)
    assert sizes == [(128, 63, 0.02), (128, 31, 0.01), (64, 64, 0.02)]


def test_deviation_and_correlation_of_kernels():
    k = three_taps([0.5, 0.0, 0.5])
    assert deviation(k) == pytest.approx(1)
    moved = k.roll((5, -9), (0, 1))
    assert float(correlation(k[None], moved[None])) == pytest.approx(1)
    assert float(correlation(k[None], k.mT[None])) == pytest.approx(0.5)
    assert torch.equal(aligned(torch.stack([moved, k]), k), torch.stack([k, k]))


def test_the_spread_is_nothing_where_all_samples_agree():
    k = three_taps([0.5, 0.0, 0.5])
    assert Samples(torch.stack([k, k, k.roll(3, 0)]), torch.zeros(3)).spread == pytest.approx(0, abs=1e-6)
    assert Samples(torch.stack([k, k.mT]), torch.zeros(2)).spread == pytest.approx(0.5)
    assert Samples(k[None], torch.zeros(1)).spread == 0


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_samples_are_kernels_about_the_middle_and_the_best_comes_first(scale):
    low_res = torch.from_numpy(data.camera()[100:164, 150:222] / 255.0).float()[None, None]
    net = KernelDiffusionNet(11, (8, 8, 16), 4)
    guide = Guide(
        2 * low_res - 1, 0.01, scale, lambda y, k, s, n: y.repeat_interleave(s, 2).repeat_interleave(s, 3), QUICK
    )
    with torch.no_grad():
        picture = seen_part(low_res, scale)
        found = kernel_diffusion(net, guide, picture, scale, QUICK, generator(0))
        alone = kernel_diffusion(net, None, picture, scale, QUICK, generator(0))
    for one in (found, alone):
        assert one.kernels.shape == (3, 64, 64)
        torch.testing.assert_close(one.kernels.sum((1, 2)), torch.ones(len(one.kernels)))
        assert one.scores.diff().min() >= 0
        at = torch.arange(64.0) - middle(scale)
        assert float((one.kernels.sum(2) @ at).abs().max()) < 2


def shaken(scale, extent=16.0, seed=2):
    """(a shaken photograph, stored in 8 bits, its kernel)."""
    kernel = camera_shake(extent, np.random.default_rng(seed)).sample(scale, 64 - scale % 2)
    x = torch.from_numpy(data.coffee()[:384, 100:484] / 255.0).permute(2, 0, 1)[None]
    y = circular_degrade(x, torch.from_numpy(kernel.array.copy()), scale)[0].permute(1, 2, 0).numpy()
    return Image.from_array(np.rint(y[32:-32, 32:-32].clip(0, 1) * 255) / 255), kernel


def problem_of(picture, scale, settings=QUICK, seed=0):
    recipe = Recipe.make(
        scale=scale, kernel_method="kernel-diff", settings=Settings(kernel_diffusion=settings), seed=seed
    )
    return Problem([picture], recipe)


def like(a, b):
    return float(correlation(*(torch.from_numpy(k.array.copy())[None] for k in (a, b))))


@pytest.mark.parametrize("scale", [1, 2])
def test_it_finds_a_shakes_path(scale):
    """Closer to it than any round Gaussian is."""
    picture, true = shaken(scale)
    problem = problem_of(picture, scale, replace(QUICK, samples=6, steps=8, first_guided=6, refinement=(10, 2)))
    found = estimated(problem, "kernel-diff")
    assert (found.scale, found.size, found.method) == (scale, 64 - scale % 2, "kernel-diff")
    i = np.arange(found.size) - (found.size - 1) / 2
    spots = [np.exp(-(i[:, None] ** 2 + i**2) / (2 * width**2)) for width in (1, 2, 3, 4, 6)]
    assert like(found, true) > max(like(Kernel(k / k.sum(), scale), true) for k in spots)
    assert np.abs(found.centre).max() < 0.5
    assert 0 < found.provenance.uncertainty <= 2


def test_the_same_seed_gives_the_same_kernel():
    picture, _ = shaken(1)
    first, again, other = (estimated(problem_of(picture, 1, seed=seed), "kernel-diff").array for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_can_be_too_small_or_flat():
    with pytest.raises(NothingToLearn, match="too small"):
        samples(problem_of(Image.from_array(np.random.default_rng(0).random((20, 300))), 1))
    with pytest.raises(NothingToLearn, match="flat"):
        samples(problem_of(Image.from_array(np.full((64, 64), 0.5)), 1))


def test_it_says_what_it_costs():
    recipe = Recipe.make(scale=2, kernel_method="kernel-diff")
    assert 1 < estimator("kernel-diff").seconds(10**6, recipe) < 60
    assert estimator("kernel-diff").scales == (1, 2, 3, 4)
