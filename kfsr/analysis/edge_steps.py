"""The two steps of blind deconvolution by edges at scale 1, in closed form, and what tells a good kernel.

k * x is the forward operator at scale 1, a correlation; y is the observed picture, g a narrow Gaussian. As in Xu, Zheng
and Jia (2013):

(1) x = argmin |k * g * x - y|^2 + lambda |grad x|_0, by half-quadratic splitting; g * x is the latent picture;
(2) k = argmin |k * grad(g * x) - grad y|^2 + smallness |k|^2 + smoothness |grad k|^2, k >= 0.

Both live in the Fourier domain: of the normal equations of (2) only two correlations are needed, since their matrix is
Toeplitz. A photograph's edges are not steps. Without g the kernel takes up their width: kernels of real shakes came out
as the true ones blurred by a Gaussian of .7 px.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import irfft2, rfft2
from torch import Tensor

from kfsr.errors import NothingToLearn
from kfsr.numerics import check_finite, nonnegative_minimum
from kfsr.operator.fourier import difference_transfer, fast_size, padded, transfer_function


def few_edges(observed: Tensor, kernel: Tensor, sharpness: float, edge_width: float, last_coupling: float) -> Tensor:
    """(1): latent pictures (B, h, w) of `observed` (B, h, w) and a kernel (K, K), K odd, of sum 1.

    sharpness: lambda; edge_width: deviation of g, pixels; last_coupling: ends the splitting, whose coupling doubles
    from 2 sharpness on.
    """
    margin = kernel.shape[0] // 2 + 4
    y = padded(observed[:, None], margin, fast=True)[:, 0]
    shape = (y.shape[-2], y.shape[-1])
    soft = gaussian_transfer(shape, edge_width)
    blur = transfer_function(kernel, 1, shape)[:, : shape[1] // 2 + 1] * soft
    rows, cols = (difference_transfer(shape, axis)[:, : shape[1] // 2 + 1].contiguous() for axis in (0, 1))
    power, roughness = blur.abs().square(), rows.abs().square() + cols.abs().square()
    data = blur.conj() * torch.fft.rfft2(y)
    x, coupling = y, 2 * sharpness
    while coupling < last_coupling:
        wanted = strong_gradients(x, rows, cols, sharpness / coupling)
        x = torch.fft.irfft2((data + coupling * wanted) / (power + coupling * roughness), s=shape)
        coupling *= 2
    x = torch.fft.irfft2(soft * torch.fft.rfft2(x), s=shape)
    return x[:, margin : margin + observed.shape[-2], margin : margin + observed.shape[-1]]


def strong_gradients(x: Tensor, rows: Tensor, cols: Tensor, least: float) -> Tensor:
    """Half spectrum of the adjoint difference of the gradients of x (..., h, w) whose square is `least` or more, which
    the splitting draws x towards. rows, cols: half spectra of the differences along both axes."""
    down, right = torch.roll(x, -1, -2) - x, torch.roll(x, -1, -1) - x
    kept = (down.square() + right.square() >= least).float()
    return rows.conj() * torch.fft.rfft2(kept * down) + cols.conj() * torch.fft.rfft2(kept * right)


def sparsity(observed: Tensor, kernel: Tensor, flatness: float) -> float:
    """Of the gradients of `observed` (B, h, w) deconvolved by `kernel`, their mean over their root mean square: of two
    kernels the better gives the sparser picture (Krishnan et al. 2011), the lower value. Blur alone lowers the
    objective of (1), but not this. flatness: weight of the squared gradients in that deconvolution."""
    margin = kernel.shape[0] // 2 + 4
    y = padded(observed[:, None], margin, fast=True)[:, 0]
    shape = (y.shape[-2], y.shape[-1])
    half = slice(shape[1] // 2 + 1)
    blur = transfer_function(kernel, 1, shape)[:, half]
    each = [difference_transfer(shape, axis)[:, half] for axis in (0, 1)]
    roughness = each[0].abs().square() + each[1].abs().square()
    sharp = blur.conj() * torch.fft.rfft2(y) / (blur.abs().square() + flatness * roughness)
    inside = (..., slice(margin, margin + observed.shape[-2]), slice(margin, margin + observed.shape[-1]))
    steps = torch.stack([torch.fft.irfft2(one * sharp, s=shape)[inside] for one in each])
    return float(steps.abs().mean() / steps.square().mean().sqrt().clamp_min(1e-9))


def gradients(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences of (B, h, w) along rows and columns, 0 where the mask is, and across the border."""
    down, right = torch.roll(x, -1, -2) - x, torch.roll(x, -1, -1) - x
    inside = mask.clone()
    inside[:, -1] = 0
    inside[:, :, -1] = 0
    return down * inside, right * inside


def correlations(edges: Sequence[Tensor], observed: Sequence[Tensor], size: int) -> tuple[Tensor, Tensor]:
    """What the normal equations of (2) consist of, summed over fields (B, h, w).

    gram (2 size - 1, 2 size - 1): of the edges with themselves, by lag; cross (size, size): with the observed ones.
    """
    gram, cross = torch.zeros(()), torch.zeros(())
    lags, reach = torch.arange(1 - size, size), torch.arange(size) - size // 2
    for x, y in zip(edges, observed, strict=True):
        shape = (fast_size(x.shape[-2] + size), fast_size(x.shape[-1] + size))
        fx, fy = torch.fft.rfft2(x, shape), torch.fft.rfft2(y, shape)
        own = torch.fft.irfft2(fx.abs().square().sum(0), shape)
        other = torch.fft.irfft2((fy.conj() * fx).sum(0), shape)
        gram = gram + own[lags % shape[0]][:, lags % shape[1]]
        cross = cross + other[reach % shape[0]][:, reach % shape[1]]
    check_finite("shake estimate", (gram, cross))
    return gram, cross


def kernel_of_edges(
    gram: Tensor, cross: Tensor, start: Tensor, smallness: float, smoothness: float, iterations: int
) -> Tensor:
    """argmin k' G k / 2 - k' c + smallness |k|^2 / 2 + smoothness |grad k|^2 / 2 over k >= 0; (K, K).

    G, the matrix of all lags of `gram`, is applied by Fourier transforms. smoothness is against its diagonal.
    """
    size = cross.shape[0]
    around = fast_size(3 * size)
    lags = torch.arange(1 - size, size) % around
    circular = torch.zeros(around, around)
    circular[lags[:, None], lags[None]] = gram
    spectrum = torch.fft.rfft2(circular).real
    half = slice(around // 2 + 1)
    rough = sum(difference_transfer((around, around), axis)[:, half].abs().square() for axis in (0, 1))
    spectrum = spectrum + smoothness * float(gram.max()) * rough
    largest = float(spectrum.max()) + smallness
    if float(gram.max()) <= 1e-9:
        raise NothingToLearn("the picture has no edges to learn a kernel from")
    # With SciPy, since PyTorch's threads cost more than they bring in transforms as small as these.
    target, power = cross.numpy(), spectrum.numpy()

    def slope(at: np.ndarray) -> np.ndarray:
        again: np.ndarray = irfft2(power * rfft2(at, (around, around)), (around, around))
        return again[:size, :size] + smallness * at - target

    k = nonnegative_minimum(start.numpy(), slope, largest, iterations)
    if float(k.sum()) <= 0:
        raise NothingToLearn("no kernel can be learned from the picture's edges")
    return torch.from_numpy(k)


def gaussian_transfer(shape: tuple[int, int], deviation: float) -> Tensor:
    """Half a spectrum (H, W // 2 + 1): transfer function of a Gaussian."""
    squared = torch.fft.fftfreq(shape[0])[:, None] ** 2 + torch.fft.rfftfreq(shape[1])[None] ** 2
    return torch.exp(-2 * (math.pi * deviation) ** 2 * squared)
