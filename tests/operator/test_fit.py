"""The kernel between two pictures, where one of them is the other's: exact but for the smooth weights at the border."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.errors import NothingToLearn
from kfsr.operator.fit import kernel_of_equations, laplacian, normal_equations
from kfsr.operator.spatial import degrade, windows

SHARP = torch.from_numpy(data.astronaut()[0:504, 0:480, 1] / 255.0).double()


def some_kernel(size):
    k = np.random.default_rng(size).random((size, size)) ** 3
    return torch.from_numpy(k / k.sum())


@pytest.mark.parametrize(("scale", "size"), [(2, 6), (3, 5), (4, 6)])
def test_the_true_picture_gives_the_true_kernel(scale, size):
    k = some_kernel(size)
    low_res = degrade(SHARP[None, None], k, scale)[0, 0] + 0.2  # brightness does not matter
    matrix, right = normal_equations(SHARP, low_res, size, scale, rim=6)
    found = torch.linalg.solve(matrix, right).reshape(size, size)
    assert (found - k).abs().max() < 0.006 * k.max()


def test_the_rim_is_left_out():
    k = some_kernel(6)
    low_res = degrade(SHARP[None, None], k, 2)[0, 0]
    low_res[:3] = 0
    spoilt, whole = (torch.linalg.solve(*normal_equations(SHARP, low_res, 6, 2, rim)).reshape(6, 6) for rim in (0, 6))
    assert (whole - k).abs().max() < 0.006 * k.max()
    assert (spoilt - k).abs().max() > 0.02 * k.max()


def test_without_a_rim_the_border_is_circular():
    k = some_kernel(6)
    low_res = degrade(SHARP[None, None], k, 2, "circular")[0, 0]
    found = torch.linalg.solve(*normal_equations(SHARP, low_res, 6, 2, rim=0)).reshape(6, 6)
    assert (found - k).abs().max() < 1e-6


@pytest.mark.parametrize("strongest", [1.0, 0.3])
@pytest.mark.parametrize(("scale", "size"), [(1, 5), (2, 6), (3, 7)])
def test_they_are_sums_over_all_equations(scale, size, strongest):
    """Against the matrix with a row for each low-resolution pixel and axis, circular."""
    rng = torch.Generator().manual_seed(0)
    low_res = torch.rand(10, 12, generator=rng, dtype=torch.float64)
    high_res = torch.rand(scale * 10, scale * 12, generator=rng, dtype=torch.float64)
    rows, wanted = [], []
    both = [torch.roll(high_res, -scale, axis) - high_res for axis in (0, 1)]
    strength = both[0] ** 2 + both[1] ** 2
    kept = strength >= strength.flatten().quantile(1 - strongest)
    assert kept.double().mean() == pytest.approx(strongest, abs=0.02)
    for axis in (0, 1):
        fine = both[axis] * kept
        rows.append(windows(fine[None, None], size, scale, "circular")[0, 0].flatten(1).T)
        wanted.append((torch.roll(low_res, -1, axis) - low_res).flatten())
    a, b = torch.cat(rows), torch.cat(wanted)
    matrix, right = normal_equations(high_res, low_res, size, scale, rim=0, strongest=strongest)
    torch.testing.assert_close(matrix, a.T @ a)
    torch.testing.assert_close(right, a.T @ b)


def test_the_kernel_is_exact_where_nothing_is_negative():
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(400, 16, generator=generator, dtype=torch.float64)
    k = torch.rand(16, generator=generator, dtype=torch.float64) + 0.5
    found = kernel_of_equations(a.T @ a, a.T @ a @ k, smallness=0.0, smoothness=0.0)
    assert torch.allclose(found.double(), (k / k.sum()).reshape(4, 4), atol=1e-6)
    assert (kernel_of_equations(a.T @ a, a.T @ a @ (k - 1), smallness=0.0, smoothness=0.0) == 0).any()


def test_without_edges_there_is_no_kernel():
    with pytest.raises(NothingToLearn, match="no edges"):
        kernel_of_equations(torch.zeros(9, 9, dtype=torch.float64), torch.zeros(9, dtype=torch.float64), 0.01, 0.01)


def test_the_laplacian_is_the_sum_of_squared_differences():
    k = some_kernel(5).double()
    expected = torch.diff(k, dim=0).square().sum() + torch.diff(k, dim=1).square().sum()
    assert k.flatten() @ laplacian(5) @ k.flatten() == pytest.approx(float(expected), rel=1e-9)
