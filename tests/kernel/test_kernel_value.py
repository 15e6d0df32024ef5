"""What a Kernel promises, and what `from_array` repairs."""

import numpy as np
import pytest
import torch

from kfsr.errors import InputError, UsageError
from kfsr.kernel import (
    MAX_SIZE,
    Kernel,
    Provenance,
    bicubic_kernel,
    box_kernel,
    default_size,
    gaussian_kernel,
    resize_kernel,
)
from kfsr.operator.spatial import degrade

COVARIANCE = np.array([[3.0, 1.1], [1.1, 1.6]])


def skewed(rows: int, cols: int) -> np.ndarray:
    """A smooth blob away from the middle, with room around it."""
    r = np.arange(rows)[:, None] - (rows - 1) / 2 - 0.7
    c = np.arange(cols)[None, :] - (cols - 1) / 2 + 1.2
    k = np.exp(-(r**2) / 5 - (c**2) / 4 - r * c / 9)
    return np.asarray(k / k.sum())


@pytest.mark.parametrize(
    ("array", "scale", "message"),
    [
        (np.full((4, 4), 1 / 15), 2, "sums to 1.06667, not to 1"),
        (np.full((5, 5), 1 / 25), 2, "same parity"),
        (np.full((4, 4), 1 / 16), 3, "same parity"),
        (np.full((4, 6), 1 / 24), 2, "square"),
        (np.full((2, 2), np.nan), 2, "NaN"),
        (np.array([[np.inf, 0], [0, 1]]), 2, "infinite"),
        (np.full((130, 130), 1 / 130**2), 2, "at most 129"),
        (np.ones(4) / 4, 2, "2-D"),
        (np.ones((0, 0)), 2, "2-D"),
        (np.zeros((2, 2)), 2, "sums to zero"),
    ],
)
def test_cannot_exist_wrong(array: np.ndarray, scale: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Kernel(array, scale)


@pytest.mark.parametrize("scale", [0, 5, -2, 2.5, True])
def test_unknown_scale(scale: int) -> None:
    with pytest.raises(UsageError, match="not supported"):
        Kernel(np.ones((1, 1)), scale)


def test_read_only_and_its_own() -> None:
    mine = np.full((4, 4), 1 / 16)
    kernel = Kernel(mine, 2)
    mine[0, 0] = 9
    assert kernel.array[0, 0] == 1 / 16
    assert kernel.array.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        kernel.array[0, 0] = 9
    with pytest.raises(AttributeError):
        kernel.scale = 3


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_gaussian_has_the_moments_asked_for(scale: int) -> None:
    kernel = gaussian_kernel(COVARIANCE, scale, 30 + scale % 2)
    np.testing.assert_allclose(kernel.covariance, COVARIANCE, atol=1e-6)
    assert kernel.trace == pytest.approx(4.6, abs=1e-6)
    np.testing.assert_allclose(kernel.centre, (0, 0), atol=1e-12)
    assert gaussian_kernel(COVARIANCE, scale).size == default_size(scale)


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_a_resized_gaussian_is_a_gaussian(factor: float) -> None:
    resized = resize_kernel(gaussian_kernel(COVARIANCE, 3, 31), factor)
    np.testing.assert_allclose(resized.array, gaussian_kernel(factor * COVARIANCE, 3, 31).array, atol=1e-5)


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_any_form_is_resized_about_its_own_centre(factor: float) -> None:
    kernel = Kernel.from_array(
        skewed(30, 30) + np.roll(skewed(30, 30), (3, -6), (0, 1)), 2, Provenance("estimated", "ikl")
    )
    resized = resize_kernel(kernel, factor)
    assert (resized.method, resized.size) == ("ikl", kernel.size)
    np.testing.assert_allclose(resized.covariance, factor * kernel.covariance, rtol=0.05)
    np.testing.assert_allclose(resized.centre, kernel.centre, atol=0.1)
    assert resize_kernel(kernel, 1.0) is kernel


def test_covariance_orientation() -> None:
    # Long along the columns: a stroke from left to right.
    kernel = gaussian_kernel(np.diag([0.5, 4.0]), 2)
    assert kernel.array[7, 3] > 10 * kernel.array[3, 7]
    assert kernel.covariance[1, 1] > kernel.covariance[0, 0]
    # Positive covariance: down goes with right.
    kernel = gaussian_kernel(np.array([[3.0, 2.0], [2.0, 3.0]]), 2)
    assert kernel.array[10, 10] > 10 * kernel.array[10, 5]


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.diag([1.0, -1.0]), np.full((2, 2), np.nan), np.eye(3)])
def test_gaussian_refuses_what_is_no_covariance(bad: np.ndarray) -> None:
    with pytest.raises(UsageError, match="positive definite"):
        gaussian_kernel(bad, 2)


def test_centre_counts_rows_then_columns() -> None:
    k = np.zeros((6, 6))
    k[4, 1] = 1
    assert Kernel(k, 2).centre == (1.5, -1.5)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(20, 20), (21, 21), (20, 25), (25, 18), (19, 24)])
def test_from_array_keeps_the_picture_in_place(scale: int, shape: tuple[int, int]) -> None:
    array = skewed(*shape)
    kernel = Kernel.from_array(3 * array, scale)
    assert kernel.size - max(shape) in (0, 1)
    rows = np.arange(shape[0]) - (shape[0] - 1) / 2
    cols = np.arange(shape[1]) - (shape[1] - 1) / 2
    expected = (array.sum(1) @ rows, array.sum(0) @ cols)
    np.testing.assert_allclose(kernel.centre, expected, atol=2e-3)
    spread = array.sum(1) @ (rows - expected[0]) ** 2
    assert kernel.covariance[0, 0] == pytest.approx(spread, rel=5e-3)


def test_from_array_leaves_a_good_array_alone() -> None:
    array = skewed(16, 16)
    np.testing.assert_allclose(Kernel.from_array(array, 2).array, array, atol=1e-15)


@pytest.mark.parametrize("scale", [2, 4])
def test_from_array_at_the_largest_size(scale: int) -> None:
    kernel = Kernel.from_array(skewed(MAX_SIZE, MAX_SIZE), scale)
    assert kernel.size == MAX_SIZE - 1
    np.testing.assert_allclose(kernel.centre, (0.7, -1.2), atol=0.2)
    moments = Kernel.from_array(skewed(MAX_SIZE, MAX_SIZE), 3)
    np.testing.assert_allclose(kernel.centre, moments.centre, atol=2e-3)


def test_resized_keeps_the_middle() -> None:
    kernel = gaussian_kernel(COVARIANCE, 2, 16)
    assert kernel.resized(30).size == 30
    np.testing.assert_allclose(kernel.resized(30).covariance, kernel.covariance)
    np.testing.assert_allclose(kernel.resized(30).resized(16).array, kernel.array)
    assert kernel.resized(16).size == 16
    with pytest.raises(UsageError, match="parity"):
        kernel.resized(17)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_fixed_kernels(scale: int) -> None:
    assert box_kernel(scale).trace == pytest.approx((scale**2 - 1) / 6)
    kernel = bicubic_kernel(scale)
    np.testing.assert_allclose(kernel.centre, (0, 0), atol=1e-12)
    assert (kernel.array.min() < 0) == (scale > 1)
    x = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    blocks = x.reshape(1, 1, 12 // scale, scale, 12 // scale, scale).mean((3, 5))
    torch.testing.assert_close(degrade(x, torch.tensor(box_kernel(scale).array), scale), blocks)
