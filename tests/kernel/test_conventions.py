"""Every conversion against the program, or the plain formula, whose convention it speaks."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.ndimage as ndi
import scipy.signal
import torch
from skimage import data

from kfsr.kernel import (
    Kernel,
    from_div2krk,
    from_kernelgan,
    from_true_convolution,
    from_usrnet,
    shift_div2krk,
    to_kernelgan,
    to_true_convolution,
    to_usrnet,
)
from kfsr.operator.spatial import degrade

SCALES = (1, 2, 3, 4)
KERNELS = Path(__file__).parents[3] / "shared" / "bench" / "div2krk" / "gt_k_x2"


def some_kernel(scale: int, extra: int = 10) -> Kernel:
    """Rough, lopsided: any flip, transposition or shift changes the result."""
    k = np.random.default_rng(scale).random((scale + extra, scale + extra)) ** 3
    return Kernel(k / k.sum(), scale)


def coffee() -> np.ndarray:
    return np.asarray(data.coffee()[100:196, 200:296, 1] / 255.0)


def reference(kernel: Kernel) -> np.ndarray:
    x = torch.from_numpy(coffee())[None, None]
    return degrade(x, torch.tensor(kernel.array), kernel.scale)[0, 0].numpy()


def inside(low: np.ndarray, scale: int) -> np.ndarray:
    """Away from the border, where programs differ on purpose."""
    cut = 24 // scale
    return low[cut:-cut, cut:-cut]


@pytest.mark.parametrize("scale", SCALES)
def test_true_convolution(scale: int) -> None:
    kernel = some_kernel(scale)
    flipped = to_true_convolution(kernel)
    valid = scipy.signal.convolve2d(coffee(), flipped, mode="valid")[::scale, ::scale]
    # The first valid sample is the canonical one whose window starts at pixel 0: s*i = (K - s)/2.
    margin = (kernel.size - scale) // 2
    padded = np.pad(coffee(), margin, mode="reflect")
    whole = scipy.signal.convolve2d(padded, flipped, mode="valid")[::scale, ::scale]
    np.testing.assert_allclose(whole, reference(kernel), atol=1e-12)
    if margin % scale == 0:
        first = margin // scale
        low = reference(kernel)[first : first + valid.shape[0], first : first + valid.shape[1]]
        np.testing.assert_allclose(valid, low, atol=1e-12)
    np.testing.assert_allclose(from_true_convolution(flipped, scale).array, kernel.array, atol=1e-15)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("extra", [0, 8, 10])
def test_usrnet_fft(scale: int, extra: int) -> None:
    kernel = some_kernel(scale, extra)
    p = to_usrnet(kernel)
    assert p.shape == (kernel.size + scale - 2 + scale % 2,) * 2
    x = coffee()
    full = np.zeros_like(x)
    full[: p.shape[0], : p.shape[1]] = p
    full = np.roll(full, (-(p.shape[0] // 2), -(p.shape[1] // 2)), (0, 1))
    low = np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(full)).real[::scale, ::scale]
    np.testing.assert_allclose(inside(low, scale), inside(reference(kernel), scale), atol=1e-12)
    back = from_usrnet(p, scale)
    assert back.size == kernel.size
    np.testing.assert_allclose(back.array, kernel.array, atol=1e-15)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [9, 10, 11, 12])
def test_usrnet_of_any_size_is_read_as_usrnet_applies_it(scale: int, size: int) -> None:
    p = np.random.default_rng(9).random((size, size))
    p /= p.sum()
    x = coffee()
    full = np.zeros_like(x)
    full[:size, :size] = p
    full = np.roll(full, (-(size // 2), -(size // 2)), (0, 1))
    low = np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(full)).real[::scale, ::scale]
    kernel = from_usrnet(p, scale)
    np.testing.assert_allclose(inside(reference(kernel), scale), inside(low, scale), atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("extra", [0, 8, 10])
def test_kernelgan_correlate(scale: int, extra: int) -> None:
    kernel = some_kernel(scale, extra)
    k = to_kernelgan(kernel)
    assert k.shape == (kernel.size + scale - 1,) * 2
    low = ndi.correlate(coffee(), k)[::scale, ::scale]
    np.testing.assert_allclose(inside(low, scale), inside(reference(kernel), scale), atol=1e-12)
    # The centre that ZSSR and KernelGAN ask for.
    want = k.shape[0] // 2 + 0.5 * (scale - k.shape[0] % 2)
    np.testing.assert_allclose(np.array(ndi.center_of_mass(k)) - kernel.centre, (want, want))
    back = from_kernelgan(k, scale)
    assert back.size == kernel.size
    np.testing.assert_allclose(back.array, kernel.array, atol=1e-15)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", [(9, 9), (10, 10), (11, 14), (1, 1), (2, 3)])
def test_kernelgan_of_any_size_is_read_as_correlate_applies_it(scale: int, shape: tuple[int, int]) -> None:
    k = np.random.default_rng(7).random(shape)
    k /= k.sum()
    low = ndi.correlate(coffee(), k)[::scale, ::scale]
    kernel = from_kernelgan(k, scale)
    np.testing.assert_allclose(inside(reference(kernel), scale), inside(low, scale), atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [12, 13, 31])
def test_div2krk_is_centred(scale: int, size: int) -> None:
    i = np.arange(size) - (size - 1) / 2
    stored = np.exp(-((i[:, None] - 0.6) ** 2) / 3 - (i[None, :] + 0.9) ** 2 / 2)
    stored /= stored.sum()
    kernel = from_div2krk(stored, scale)
    np.testing.assert_allclose(kernel.centre, (0, 0), atol=0.02)
    assert kernel.method == "div2krk"
    low = ndi.correlate(coffee(), shift_div2krk(stored, scale))[::scale, ::scale]
    total = shift_div2krk(stored, scale).sum()
    np.testing.assert_allclose(inside(reference(kernel) * total, scale), inside(low, scale), atol=1e-12)


def test_div2krk_files_lose_little_of_their_sum() -> None:
    if not KERNELS.is_dir():
        pytest.skip(f"the DIV2KRK kernels are not in {KERNELS}")
    files = sorted(KERNELS.glob("*.mat"))
    assert files
    for path in files:
        stored = scipy.io.loadmat(path)["Kernel"]
        assert 0.99 < shift_div2krk(stored, 2).sum() < 1.001
        kernel = from_div2krk(stored, 2)
        np.testing.assert_allclose(kernel.centre, (0, 0), atol=0.05)
        assert kernel.trace > 0.3
