"""The data step in the Fourier domain: the same operator as everybody's, and the exact minimum."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from skimage import data

from kfsr.operator.fourier import DataStep, border, circular_degrade, fold, padded, transfer_function
from kfsr.operator.spatial import degrade


def random_kernel(size, seed=0):
    k = torch.rand(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return k / k.sum()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("low", [(8, 8), (7, 9)], ids=str)
def test_transfer_function_and_fold_are_scipys_correlation_with_wrapping(scale, low):
    kernel = random_kernel(scale + 6, seed=scale)
    x = normal(2, 3, low[0] * scale, low[1] * scale)
    # SciPy's origin is at K // 2; the canonical one at (K - s) / 2.
    shift = (scale + 6) // 2 - 3
    weights = kernel.numpy()[None, None]
    blurred = ndi.correlate(x.numpy(), weights, mode="wrap")
    expected = np.roll(blurred, (-shift, -shift), (2, 3))[..., ::scale, ::scale]
    spectrum = fold(transfer_function(kernel, scale, tuple(x.shape[-2:])) * torch.fft.fft2(x), scale)
    np.testing.assert_allclose(torch.fft.ifft2(spectrum).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(circular_degrade(x, kernel, scale).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_kernel_for_each_picture(scale):
    kernels = torch.stack([random_kernel(scale + 4, seed) for seed in (1, 2)])
    x = normal(2, 3, 6 * scale, 7 * scale)
    y = circular_degrade(x, kernels[:, None], scale)
    both = DataStep(y, kernels[:, None], scale)(torch.zeros_like(x), 0.02)
    for n in range(2):
        one = slice(n, n + 1)
        torch.testing.assert_close(y[one], circular_degrade(x[one], kernels[n], scale))
        torch.testing.assert_close(both[one], DataStep(y[one], kernels[n], scale)(torch.zeros_like(x[one]), 0.02))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_away_from_the_border_it_is_degrade(scale):
    kernel = random_kernel(scale + 4, seed=scale)
    x = normal(1, 1, 12 * scale, 14 * scale)
    inside = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(circular_degrade(x, kernel, scale)[inside], degrade(x, kernel, scale)[inside])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("low", [(6, 8), (7, 5)], ids=str)
def test_data_step_is_the_minimum(scale, low):
    """The gradient of |y - A x|^2 + a |x - z|^2 vanishes, for one weight and for one a picture."""
    kernel = random_kernel(scale + 2, seed=scale)
    y = normal(2, 3, *low, seed=1)
    z = normal(2, 3, low[0] * scale, low[1] * scale, seed=2)
    step = DataStep(y, kernel, scale)
    for a in (0.03, torch.tensor([0.3, 0.002], dtype=torch.float64).reshape(2, 1, 1, 1)):
        x = step(z, a).requires_grad_()
        assert x.shape == z.shape
        cost = (y - circular_degrade(x, kernel, scale)).square().sum() + (a * (x - z).square()).sum()
        (gradient,) = torch.autograd.grad(cost, x)
        assert gradient.abs().max() < 1e-12
        assert (x - z).abs().max() > 0.1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_border_keeps_the_wrapping_out(scale):
    """A bright stripe at the far end of the picture does not shine through to the near end."""
    size = 8 * scale + scale % 2
    i = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = torch.exp(-0.5 * (i / (0.6 * scale)) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    pixels = torch.from_numpy(data.camera()[200:232, 200:232] / 255.0)[None, None]
    bright = pixels.clone()
    bright[..., -1] = 1
    margin = border(size, scale)
    near = []
    for y in (pixels, bright):
        y = padded(y, margin)
        z = torch.nn.functional.interpolate(y, scale_factor=float(scale), mode="nearest")
        x = DataStep(y, kernel, scale)(z, 1e-3)
        near.append(x[..., scale * margin : -scale * margin, scale * margin : scale * (margin + 4)])
    assert near[0].shape == (1, 1, 32 * scale, 4 * scale)
    assert (near[0] - near[1]).abs().max() < 0.5 / 255


@pytest.mark.parametrize("size", [(9, 14), (3, 5), (1, 1)], ids=str)
def test_an_extended_picture_keeps_its_middle(size):
    y = normal(1, 2, *size)
    wide = padded(y, 6)
    assert wide.shape == (1, 2, size[0] + 12, size[1] + 12)
    assert torch.equal(wide[..., 6:-6, 6:-6], y)


def test_an_extended_picture_goes_on_smoothly_where_it_wraps():
    """A ramp from dark to bright: by reflection alone the borders would meet with nearly its whole height."""
    ramp = torch.linspace(0, 1, 40, dtype=torch.float64).expand(1, 1, 30, 40)
    for y in (ramp, ramp.transpose(-1, -2)):
        wide = padded(y, 10)
        around = torch.cat([wide, wide[..., :1]], -1).diff(dim=-1).abs().max()
        down = torch.cat([wide, wide[..., :1, :]], -2).diff(dim=-2).abs().max()
        assert max(around, down) < 0.1
