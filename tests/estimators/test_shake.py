"""The shake's estimator on real photographs under known paths, and its parts against independent solutions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls
from skimage import data

from kfsr.analysis.edge_steps import correlations, gradients, kernel_of_edges, sparsity
from kfsr.errors import NothingToLearn
from kfsr.estimators.shake import SATURATED, estimate, polish, pyramid
from kfsr.image import luma
from kfsr.kernel import Kernel, compare_kernels
from kfsr.kernel.random import camera_shake
from kfsr.operator.spatial import degrade
from kfsr.settings import ShakeSettings
from kfsr.solvers import unrolled

CFG = ShakeSettings()


def hook():
    """A path 31 px long: down, round a bend, and a short stay at the end."""
    t = np.linspace(0, 1, 400)
    path = np.stack([28 * t - 14, 9 * np.sin(2.6 * t) - 4], 1)
    weights = 1 + 3 * (t > 0.9)
    k = np.zeros((33, 33))
    np.add.at(k, tuple(np.rint(path + 16).astype(int).T), weights)
    return Kernel.from_array(k, 1)


def shaken(picture, kernel, noise=0.0):
    """Luminance of a photograph under the kernel, in 8 bits."""
    x = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), 1)[0].permute(1, 2, 0).numpy()
    y = y + noise * np.random.default_rng(0).standard_normal(y.shape)
    return luma(np.rint(y.clip(0, 1) * 255) / 255)


def test_a_shake_31_px_long_is_found_the_right_way_round():
    truth = hook()
    found = estimate(shaken(data.astronaut()[:320, 100:420], truth))
    assert (found.scale, found.method, found.estimated) == (1, "shake", True)
    assert found.array.min() >= 0
    assert max(map(abs, found.centre)) <= 0.5
    score = compare_kernels(found, truth)
    assert score.ncc_shift2 > 0.7
    assert score.ncc_flipped < score.ncc_shift2 - 0.1


def test_nothing_is_learned_of_a_small_or_flat_picture():
    with pytest.raises(NothingToLearn, match="47x60 px is too small"):
        estimate(np.zeros((60, 47)))
    with pytest.raises(NothingToLearn, match="flat"):
        estimate(np.full((64, 64), 0.5))


def test_least_squares_over_kernels_is_that_of_nnls():
    rng = np.random.default_rng(0)
    x = torch.zeros(1, 24, 22)  # nothing at the border, where lags would leave the picture
    x[:, 1:-1, 1:-1] = torch.from_numpy(rng.standard_normal((1, 22, 20))).float()
    k = torch.tensor([[0.0, 0.5, 0.0], [0.1, 0.3, 0.0], [0.0, 0.0, 0.1]])
    y = torch.nn.functional.conv2d(torch.nn.functional.pad(x[:, None], (1, 1, 1, 1)), k[None, None])[:, 0]
    y = y + 0.3 * torch.from_numpy(rng.standard_normal(y.shape)).float()
    gram, cross = correlations([x], [y], 3)
    found = kernel_of_edges(gram, cross, torch.full((3, 3), 1 / 9), 2.0, 0.0, 400)
    # Row by row: every pixel of y, as a sum over the kernel.
    wide = np.pad(x[0].numpy().astype(float), 1)
    rows = np.stack([wide[i : i + 24, j : j + 22].ravel() for i in range(3) for j in range(3)], 1)
    ridge = np.vstack([rows, np.sqrt(2.0) * np.eye(9)])
    expected, _ = nnls(ridge, np.concatenate([y[0].numpy().ravel(), np.zeros(9)]))
    assert np.allclose(found.numpy().ravel(), expected, atol=2e-3)
    assert (expected == 0).any()


def test_lights_are_left_out():
    picture = np.random.default_rng(0).random((80, 80)) * 0.8
    picture[30:34, 30:34] = 1.0
    level = pyramid([picture], CFG)[-1]
    assert level.lit[0, 32, 32] == 1
    assert level.lit[0, 29, 29] == 1  # beside it, too
    assert level.lit[0, 10, 10] == 0
    down, _ = gradients(level.observed, 1 - level.lit)
    assert down[0, 29:34, 29:35].abs().max() == 0
    assert down[0, 10].abs().max() > 0
    assert SATURATED < 1


def test_levels_grow_to_the_picture_and_kernels_with_them():
    levels = pyramid([np.random.default_rng(0).random((100, 140))], CFG)
    sides = [level.observed.shape[-2] for level in levels]
    assert sides == sorted(sides)
    assert sides[0] >= CFG.least_side
    assert sides[-1] == 100
    assert levels[-1].widest == CFG.support
    assert all(level.widest % 2 == 1 for level in levels)


def test_coarse_levels_see_the_whole_of_a_picture_and_fine_ones_its_busiest_windows():
    plane = np.zeros((600, 900))
    plane[:, ::20] = 1.0
    levels = pyramid([plane], replace(CFG, windows=2, window=200))
    whole = [level for level in levels if level.observed.shape[0] == 1]
    cut = [level for level in levels if level.observed.shape[0] == 2]
    assert levels == whole + cut
    assert len(whole) > 3
    assert whole[-1].observed[0].numel() <= 2 * 200**2
    assert cut[-1].observed.shape == (2, 200, 200)
    assert [level.edge_width > 0 for level in levels][-3:] == [False, True, True]


def test_edges_that_are_no_steps_leave_the_kernel_thin():
    """A path over a picture whose edges are .7 px wide: taken for steps, they widen the kernel."""
    k = np.zeros((15, 15))
    k[range(2, 13), range(2, 13)] = 1 / 11
    soft = gaussian_filter(data.astronaut()[:260, 100:360].astype(float), (0.7, 0.7, 0))
    y = shaken(soft, Kernel(k, 1))

    def diagonal(edge_width):
        found = estimate(y, replace(CFG, edge_width=edge_width)).array
        middle = (found.shape[0] - 1) // 2
        return sum(float(np.trace(found, n)) for n in (-1, 0, 1)) if middle else 1.0

    assert diagonal(0.6) > diagonal(0.0) + 0.02


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.95), (0.02, 0.85)])
def test_polishing_by_the_solver_brings_the_kernel_nearer(noise, least):
    truth = hook()
    y = shaken(data.astronaut()[:320, 100:420], truth, noise)
    rough = Kernel.from_array(gaussian_filter(truth.array, 0.8), 1)
    assert compare_kernels(rough, truth).ncc_shift2 < 0.82
    finer = polish(y, rough, unrolled.solver_of(None, 1))
    assert compare_kernels(finer, truth).ncc_shift2 > least
    assert finer.centre == pytest.approx(rough.centre, abs=1)


def test_the_true_kernel_gives_the_sparser_picture():
    rng = np.random.default_rng(3)
    x = data.astronaut()[:256, 100:356]
    wins = 0
    for _ in range(6):
        truth = camera_shake(20, rng).sample(1, 41)
        y = torch.from_numpy(shaken(x, truth)).float()[None]
        other = camera_shake(20, rng).sample(1, 41)
        true, wrong = (sparsity(y, torch.from_numpy(k.array.copy()).float(), CFG.flatness) for k in (truth, other))
        wins += true < wrong
    assert wins >= 5


@pytest.mark.parametrize("extent", [6.0, 31.0, 55.0])
def test_a_camera_shake_is_as_long_as_asked(extent):
    for seed in range(5):
        blur = camera_shake(extent, np.random.default_rng(seed))
        assert np.ptp(blur.points, axis=0).max() == pytest.approx(extent)
        assert blur.weights @ blur.points == pytest.approx([0, 0], abs=1e-9)
        wrong = blur.perturbed(1.0, np.random.default_rng(seed), 1)
        assert 0 < np.abs(wrong.points - blur.points).max() < 8
        assert wrong.weights.sum() == pytest.approx(1)
