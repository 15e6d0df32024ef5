"""A kernel that changes over the frame: interpolation, adjoint, and the single kernel as a special case."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from kfsr.errors import UsageError
from kfsr.kernel import KernelField, gaussian_kernel
from kfsr.operator import spatial
from kfsr.operator.varying import adjoint, degrade, place_weights

BORDERS = ("reflect", "circular", "valid")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def field(rows, cols, channels, side):
    k = np.random.default_rng(rows * 10 + cols).random((rows, cols, channels, side, side)) ** 2
    return torch.tensor(KernelField(k / k.sum((3, 4), keepdims=True), 2 - side % 2).array)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_field_of_equal_kernels_is_the_single_kernel(scale, border):
    kernel = gaussian_kernel(np.array([[1.3, 0.5], [0.5, 0.8]]) * scale, scale, scale + 6)
    array = torch.tensor(KernelField.of(kernel).array)
    x = normal(2, 3, 12 * scale, 10 * scale)
    expected = spatial.degrade(x, array[0, 0, 0], scale, border)
    for places in ((1, 1, 1), (4, 3, 1), (2, 1, 3)):
        torch.testing.assert_close(degrade(x, array.expand(*places, -1, -1), scale, border), expected)


def test_two_places_by_hand():
    """Four low-resolution columns, two cells: the centres lie at 0.5 and 2.5, so that the second place has 0, 1/4, 3/4
    and all of the columns; one kernel takes the upper left pixel of each 2 x 2 block, the other the lower right."""
    kernels = torch.zeros(1, 2, 1, 2, 2, dtype=torch.float64)
    kernels[0, 0, 0, 0, 0] = kernels[0, 1, 0, 1, 1] = 1
    x = normal(1, 1, 6, 8)
    y = degrade(x, kernels, 2)
    for column, share in enumerate((0, 0.25, 0.75, 1)):
        expected = (1 - share) * x[0, 0, ::2, 2 * column] + share * x[0, 0, 1::2, 2 * column + 1]
        torch.testing.assert_close(y[0, 0, :, column], expected)
    turned = degrade(x.mT, kernels.transpose(0, 1).mT, 2)
    torch.testing.assert_close(turned, y.mT)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_every_pixel_sees_the_kernel_that_scipy_interpolates_for_it(scale, border):
    """Linear between the places, constant outside, for each channel by itself."""
    kernels = field(3, 4, 3, scale + 4)
    size = (13 * scale + (border == "reflect") * (scale - 1), 11 * scale)
    x = normal(2, 3, *size)
    y = degrade(x, kernels, scale, border)
    h, w = y.shape[-2:]
    at = np.meshgrid((np.arange(h) + 0.5) * 3 / h - 0.5, (np.arange(w) + 0.5) * 4 / w - 0.5, indexing="ij")
    met = spatial.windows(x, scale + 4, scale, border)
    for channel in range(3):
        entries = kernels[:, :, channel].flatten(2).numpy()
        own = [ndi.map_coordinates(entries[..., m], at, order=1, mode="nearest") for m in range(entries.shape[-1])]
        expected = (torch.tensor(np.array(own)) * met[:, channel]).sum(1)
        torch.testing.assert_close(y[:, channel], expected)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_adjoint_is_the_exact_transpose(scale, border):
    places = [(1, 1, 1), (2, 3, 1), (3, 2, 3), (9, 1, 3)]  # the last has more rows than the picture has pixels
    for side in (2 - scale % 2, scale + 6):
        for low in ((7, 8), (8, 5)):
            size = tuple(n * scale + (scale - 1 if border == "reflect" else 0) for n in low)
            size = tuple(max(n, side) for n in size) if border == "valid" else size
            for grid in places:
                kernels = field(*grid, side)
                x = normal(2, 3, *size, seed=1)
                low_res = degrade(x, kernels, scale, border)
                y = normal(*low_res.shape, seed=2)
                back = adjoint(y, kernels, scale, size, border)
                assert back.shape == x.shape
                torch.testing.assert_close((low_res * y).sum(), (x * back).sum(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("border", BORDERS)
def test_differentiable_in_image_and_kernels(border):
    x = normal(1, 3, 8, 10).requires_grad_()
    kernels = field(2, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: degrade(*a, 2, border), (x, kernels), fast_mode=True)
    y = degrade(x, kernels, 2, border).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: adjoint(*a, 2, (8, 10), border), (y, kernels), fast_mode=True)


def test_single_precision_is_kept():
    x = normal(1, 3, 12, 10)
    kernels = field(2, 3, 1, 6)
    y = degrade(x.float(), kernels, 2)
    assert y.dtype == torch.float32
    assert adjoint(y, kernels, 2, (12, 10)).dtype == torch.float32
    torch.testing.assert_close(y.double(), degrade(x, kernels, 2), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("places", "pixels"), [(1, 5), (3, 2), (4, 4), (4, 8), (5, 13)])
def test_every_pixel_has_one_kernel_in_all(places, pixels):
    weights = place_weights(places, pixels)
    torch.testing.assert_close(weights.sum(0), torch.ones(pixels, dtype=torch.float64))
    assert (weights >= 0).all()
    assert ((weights > 0).sum(0) <= 2).all()
    torch.testing.assert_close(weights.flip(0, 1), weights)


def test_wrong_calls_are_refused():
    x = normal(1, 3, 12, 12)
    with pytest.raises(UsageError, match="kernels of a field"):
        degrade(x, torch.ones(1, 1, 4, 4), 2)
    with pytest.raises(UsageError, match="parity"):
        degrade(x, field(2, 2, 1, 5), 2)
    with pytest.raises(UsageError, match="wrong form"):
        degrade(x[:, :1], field(2, 2, 3, 4), 2)
    with pytest.raises(UsageError, match="low-resolution size"):
        adjoint(x, field(2, 2, 1, 4), 2, (20, 24))
