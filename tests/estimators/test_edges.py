"""The edges' estimator against kernels that no Gaussian explains."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.errors import InputError
from kfsr.estimators.edges import (
    _few_edges,
    _on_finer_grid,
    estimate,
    objective,
)
from kfsr.image import luma
from kfsr.kernel import Kernel, Provenance, compare_kernels, gaussian_kernel
from kfsr.operator.spatial import degrade
from kfsr.settings import EdgesSettings


def corner(scale):
    """An L, four low-resolution pixels high and three wide, two high-resolution pixels thick, centred."""
    k = np.zeros((6 * scale, 6 * scale))
    top, left = scale, 2 * scale
    k[top : top + 4 * scale, left : left + 2] = 1
    k[top + 4 * scale - 2 : top + 4 * scale, left : left + 3 * scale] = 1
    rows, cols = np.indices(k.shape)
    shift = [round((k.shape[0] - 1) / 2 - float((k * at).sum() / k.sum())) for at in (rows, cols)]
    return Kernel.from_array(np.roll(k, shift, (0, 1)), scale)


def low_resolution(picture, kernel):
    """Luminance of a photograph downscaled by `kernel` and rounded to 8 bits."""
    x = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), kernel.scale)
    return luma(np.rint(y[0].permute(1, 2, 0).numpy() * 255) / 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_l_shape_is_found_the_right_way_round(scale):
    truth = corner(scale)
    kernel = estimate(low_resolution(data.astronaut(), truth), scale)
    assert (kernel.scale, kernel.size, kernel.method) == (scale, 7 * scale, "edges")
    assert kernel.array.min() >= 0
    assert max(map(abs, kernel.centre)) < 0.5
    score = compare_kernels(kernel, truth)
    assert score.ncc_shift2 > 0.7
    # The L turned by 180 degrees, and its mirror image.
    assert score.ncc_flipped < score.ncc_shift2 - 0.15
    mirrored = Kernel(truth.array[:, ::-1], scale)
    assert compare_kernels(kernel, mirrored).ncc_shift2 < score.ncc_shift2 - 0.15


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_start_is_kept_where_few_steps_follow(scale):
    truth = corner(scale).stamped(Provenance("estimated", "kernelfusion"))
    low = low_resolution(data.astronaut(), truth)
    few = EdgesSettings(windows=1, iterations=1, sharpness_start=5e-4, polish_iterations=1, polish_sharpness=5e-4)
    kernel = estimate(low, scale, few, start=truth)
    assert (kernel.size, kernel.method) == (7 * scale, "kernelfusion")
    assert compare_kernels(kernel, truth).ncc > max(0.7, compare_kernels(estimate(low, scale, few), truth).ncc + 0.05)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_finer_grid_keeps_place_and_form(scale):
    kernel = gaussian_kernel(np.array([[1.3, 0.5], [0.5, 0.8]]) * scale**2, scale, 6 * scale + scale % 2)
    finer = Kernel(_on_finer_grid(kernel, 7).double().numpy(), 2)
    assert finer.size == 14
    assert max(map(abs, finer.centre)) < 1e-6
    # A pixel's own extent is what is added.
    np.testing.assert_allclose(finer.covariance, kernel.covariance * (2 / scale) ** 2, atol=0.2)


def head_and_tail(scale):
    """A bright spot, and a weaker one three low-resolution pixels off to the lower left; the first, and both."""
    i = (np.arange(8 * scale) - (8 * scale - 1) / 2) / scale

    def spot(row, col):
        k = np.exp(-((i[:, None] - row) ** 2 + (i[None] - col) ** 2) / (2 * 0.4**2))
        return k / k.sum()

    head = spot(-0.7, 0.7)
    return Kernel.from_array(spot(0, 0), scale), Kernel.from_array(0.65 * head + 0.35 * spot(1.3, -1.3), scale)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_part_that_lies_apart_is_found_too(scale):
    head, truth = head_and_tail(scale)
    low = low_resolution(data.astronaut(), truth)
    kernel = estimate(low, scale)
    assert compare_kernels(head, truth).ncc_shift2 < 0.9 < compare_kernels(kernel, truth).ncc_shift2
    assert max(objective(low, truth), objective(low, kernel)) < objective(low, head)
    # Were it noise, it would be left out.
    assert compare_kernels(estimate(low, scale, EdgesSettings(island=0.45)), truth).ncc_shift2 < 0.9


def test_the_same_picture_gives_the_same_kernel():
    low = low_resolution(data.coffee()[:200, :240], corner(2))
    few = EdgesSettings(windows=2, iterations=2, window=64)
    assert np.array_equal(estimate(low, 2, few).array, estimate(low, 2, few).array)


def test_every_iteration_is_reported():
    low = low_resolution(data.coffee()[:200, :240], corner(2))
    calls = []
    estimate(low, 2, EdgesSettings(windows=1, iterations=2, window=64), progress=lambda *call: calls.append(call))
    assert calls == [("edges", 1, 2), ("edges", 2, 2)]


@pytest.mark.parametrize("shape", [(31, 200), (200, 31), (1, 1)], ids=str)
def test_a_picture_that_is_too_small_is_refused(shape):
    with pytest.raises(InputError, match="needs 32 px"):
        estimate(np.zeros(shape), 2)


def test_pictures_of_32_px_and_of_odd_sizes_will_do():
    texture = np.random.default_rng(0).uniform(0, 1, (32, 45))
    assert estimate(texture, 3, EdgesSettings(iterations=1)).size == 21


def test_a_flat_picture_is_refused():
    with pytest.raises(InputError, match="no edges"):
        estimate(np.full((60, 60), 0.5), 2)


def test_the_latent_picture_explains_the_data_and_has_fewer_edges():
    truth = torch.zeros(64, 64)
    truth[20:44, 14:50] = 1.0
    kernel = torch.from_numpy(gaussian_kernel(np.diag([3.0, 1.0]), 2, 14).array.copy()).float()
    low = degrade(truth[None, None], kernel, 2)[0, 0]
    latent = _few_edges(low, kernel, 1e-3, EdgesSettings(edge_width=0))
    assert (degrade(latent[None, None], kernel, 2)[0, 0] - low).abs().mean() < 0.01
    assert (latent - truth).abs().mean() < 0.02
    assert (torch.diff(latent, dim=1).abs() > 0.02).sum() < 3 * (torch.diff(truth, dim=1).abs() > 0).sum()
    softer = _few_edges(low, kernel, 1e-3, EdgesSettings(edge_width=0.8))
    assert 0.4 < torch.diff(softer, dim=1).abs().max() < 0.6 < torch.diff(latent, dim=1).abs().max()
