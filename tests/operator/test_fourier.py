"""The Fourier domain: the same operator as the spatial one, and the exact minimum of the data step."""

import math

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from skimage import data

from kfsr.errors import UsageError
from kfsr.operator.fourier import DataStep, border, circular_degrade, fast_size, fold, padded, transfer_function
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


@pytest.mark.parametrize("each", [(), (1, 1), (2, 1), (1, 3), (2, 3)], ids=str)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_both_forms_are_one_operator(scale, each):
    """Also where the kernel is larger than the picture."""
    for side in (scale, scale + 6, 9 * scale):
        kernel = torch.stack([random_kernel(side, seed) for seed in range(math.prod(each))]).reshape(*each, side, side)
        for low in ((8, 8), (7, 5)):
            x = normal(2, 3, low[0] * scale, low[1] * scale)
            expected = degrade(x, kernel, scale, "circular")
            torch.testing.assert_close(circular_degrade(x, kernel, scale), expected)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_kernel_for_each_picture_and_channel(scale):
    kernels = torch.stack([random_kernel(scale + 4, seed) for seed in range(6)]).unflatten(0, (2, 3))
    y = normal(2, 3, 6, 7)
    z = normal(2, 3, 6 * scale, 7 * scale, seed=1)
    a = torch.tensor([0.2, 0.02, 0.002], dtype=torch.float64).reshape(1, 3, 1, 1)
    every = DataStep(y, kernels, scale)(z, a)
    for b, c in np.ndindex(2, 3):
        plane = (slice(b, b + 1), slice(c, c + 1))
        one = DataStep(y[plane], kernels[b, c], scale)(z[plane], float(a[0, c]))
        torch.testing.assert_close(every[plane], one)


def test_wrong_calls_are_refused():
    with pytest.raises(UsageError, match="parity"):
        transfer_function(random_kernel(7), 2, (16, 16))
    with pytest.raises(UsageError, match="multiples of 3"):
        circular_degrade(normal(1, 1, 15, 16), random_kernel(7), 3)


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


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_folding_is_the_spectrum_of_every_scale_th_sample(scale):
    """For a periodic signal with one component in each class of aliases, so that none interferes."""
    random = np.random.default_rng(scale)
    size = 6
    spectrum = np.zeros((scale * size, scale * size), complex)
    for i in range(size):
        for j in range(size):
            row, col = random.integers(scale, size=2)
            spectrum[i + row * size, j + col * size] = random.normal() + 1j * random.normal()
    signal = np.fft.ifft2(spectrum)
    sampled = signal[::scale, ::scale]
    full, low = (np.abs(np.fft.fft2(x)) ** 2 / x.size for x in (signal, sampled))
    assert np.allclose(fold(full, scale), low, rtol=1e-9, atol=1e-15)


def test_fast_sizes():
    assert [fast_size(n) for n in (1, 13, 17, 121, 526, 1009)] == [1, 13, 18, 121, 528, 1014]


@pytest.mark.parametrize("size", [(17, 23), (29, 16)])
def test_fast_padding_only_adds_below_and_on_the_right(size):
    y = torch.rand(1, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wide = padded(y, 4, fast=True)
    assert all(fast_size(side) == side >= n + 8 for side, n in zip(wide.shape[-2:], size, strict=True))
    assert torch.equal(wide[..., 4 : 4 + size[0], 4 : 4 + size[1]], y)
