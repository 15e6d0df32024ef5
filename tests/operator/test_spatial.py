"""The forward operator: adjoint, geometry, border, and agreement with published data and other programs."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.ndimage as ndi
import torch
from PIL import Image as PilImage
from skimage import data

from kfsr.errors import UsageError
from kfsr.kernel import bicubic_kernel, from_div2krk, gaussian_kernel, shift_div2krk
from kfsr.operator.spatial import (
    LARGE,
    Border,
    adjoint,
    as_stored,
    bicubic_upscale,
    degrade,
    reflect_index,
    reflect_pad,
    windows,
)

BORDERS = ("reflect", "circular", "valid")
EACH = [(), (1, 1), (2, 1), (1, 3), (2, 3)]
DIV2KRK = Path(__file__).parents[2] / "shared" / "bench" / "div2krk"


def random_kernel(size: int, seed: int) -> torch.Tensor:
    k = torch.rand(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return k / k.sum()


def delta(size: int, row: int, col: int) -> torch.Tensor:
    k = torch.zeros(size, size, dtype=torch.float64)
    k[row, col] = 1
    return k


def photo(crop: int = 96) -> torch.Tensor:
    pixels = data.astronaut()[40 : 40 + crop, 170 : 170 + crop].astype(np.float64) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def some_kernels(side: int, each: tuple[int, ...], seed: int) -> torch.Tensor:
    """Random kernels of sum 1: (K, K), or (*each, K, K)."""
    k = torch.rand(*each, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return k / k.sum((-2, -1), keepdim=True)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def suitable(size: tuple[int, int], side: int, scale: int, border: Border) -> tuple[int, int]:
    """The size, where the border allows it; otherwise one near to it."""
    h, w = (n // scale * scale if border == "circular" else max(n, side) if border == "valid" else n for n in size)
    return h, w


@pytest.mark.parametrize("each", EACH, ids=str)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_adjoint_is_the_exact_transpose(scale: int, border: Border, each: tuple[int, ...]) -> None:
    for extra, size in itertools.product((-2, 0, 2, 12), [(24, 24), (25, 31), (7, 6), (5, 4), (4, 29)]):
        kernel = some_kernels(max(scale + extra, 2 - scale % 2), each, seed=scale * 100 + extra)
        side = kernel.shape[-1]
        size = suitable(size, side, scale, border)
        x = normal(2, 1 if extra == 0 and 3 not in each else 3, *size)
        low = degrade(x, kernel, scale, border)
        seen = tuple((n - side if border == "valid" else n - scale) // scale + 1 for n in size)
        assert low.shape == (*x.shape[:2], *seen)
        y = normal(*low.shape)
        back = adjoint(y, kernel, scale, size, border)
        assert back.shape == x.shape
        torch.testing.assert_close((low * y).sum(), (x * back).sum(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("each", EACH, ids=str)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_agrees_with_scipys_correlation(scale: int, border: Border, each: tuple[int, ...]) -> None:
    for side, size in itertools.product((scale, scale + 8), [(24, 36), (29, 22)]):
        size = suitable(size, side, scale, border)
        kernel = some_kernels(side, each, seed=side)
        x = normal(2, 3, *size)
        low = degrade(x, kernel, scale, border).numpy()
        # The kernel's first entry meets x[s*i - margin]; SciPy's origin is at side // 2.
        margin = 0 if border == "valid" else (side - scale) // 2
        mode = {"reflect": "mirror", "circular": "wrap", "valid": "constant"}[border]
        for b, c in np.ndindex(2, 3):
            weights = kernel.expand(2, 3, side, side)[b, c].numpy()
            # SciPy takes origins within its kernel only; zeros make room for this one.
            wide = np.pad(weights, ((0, side), (0, side)))
            blurred = ndi.correlate(x[b, c].numpy(), wide, mode=mode, origin=margin - side)
            expected = blurred[::scale, ::scale][: low.shape[2], : low.shape[3]]
            np.testing.assert_allclose(low[b, c], expected, atol=1e-12)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_windows_are_what_the_kernel_meets(scale: int, border: Border) -> None:
    kernel = some_kernels(scale + 4, (), seed=scale)
    x = normal(2, 3, *suitable((13, 17), scale + 4, scale, border))
    met = windows(x, scale + 4, scale, border)
    again = torch.einsum("k,bckhw->bchw", kernel.flatten(), met)
    torch.testing.assert_close(again, degrade(x, kernel, scale, border))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_sum_as_the_docstring_writes_it(scale: int) -> None:
    kernel = random_kernel(scale + 6, seed=scale)
    x = photo(30)[:, :1]
    low = degrade(x, kernel, scale)
    padded = np.pad(x[0, 0].numpy(), 20, mode="reflect")
    margin = (scale + 6 - scale) // 2
    for i, j in [(0, 0), (3, 5), (low.shape[-2] - 1, low.shape[-1] - 1)]:
        top, left = 20 + scale * i - margin, 20 + scale * j - margin
        window = padded[top : top + scale + 6, left : left + scale + 6]
        assert float(low[0, 0, i, j]) == pytest.approx(float((window * kernel.numpy()).sum()), abs=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_shifted_delta_moves_the_image(scale: int) -> None:
    x = photo(48)
    margin = 4
    size = scale + 2 * margin
    for row, col in [(margin, margin), (margin + 1, margin - 2)]:
        low = degrade(x, delta(size, row, col), scale)
        # k = delta at m makes y[i] = x[s*i + m - (K - s)/2].
        dy, dx = row - margin, col - margin
        for i, j in [(2, 3), (5, 4)]:
            assert torch.equal(low[..., i, j], x[..., scale * i + dy, scale * j + dx])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_low_res_pixels_sit_in_the_middle_of_their_block(scale: int) -> None:
    ramp = torch.arange(60, dtype=torch.float64)
    x = (ramp[:, None] + 100 * ramp[None, :])[None, None]
    kernel = gaussian_kernel(np.array([[1.2, 0.4], [0.4, 0.7]]) * scale, scale).array
    low = degrade(x, torch.tensor(kernel), scale)[0, 0]
    at = scale * torch.arange(60 // scale, dtype=torch.float64) + (scale - 1) / 2
    inner = slice(20 // scale, 40 // scale)
    torch.testing.assert_close(low[inner, inner], (at[:, None] + 100 * at[None, :])[inner, inner])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_upscale_shares_the_grid(scale: int) -> None:
    x = torch.arange(48, dtype=torch.float64).expand(1, 1, 48, 48)
    up = bicubic_upscale(degrade(x, torch.tensor(bicubic_kernel(scale).array), scale), scale)
    inner = slice(16, 32)
    # Bicubic with a = -0.75 bends a ramp by up to a tenth of a low-res pixel; a wrong grid is off by half.
    assert (up - x)[..., inner, inner].abs().max() < 0.1 * scale
    assert (up - x)[..., inner, inner].mean().abs() < 1e-6


def test_bicubic_upscale_at_scale_1_is_a_copy() -> None:
    x = photo(8)
    up = bicubic_upscale(x, 1)
    assert torch.equal(up, x)
    assert up.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_reflection_reaches_beyond_the_image(size: int) -> None:
    index = reflect_index(size, 23, 17)
    expected = np.pad(np.arange(size), (23, 17), mode="reflect")
    np.testing.assert_array_equal(index.numpy(), expected)
    x = torch.arange(size * 2, dtype=torch.float64).reshape(1, 1, size, 2)
    padded = reflect_pad(x, 23, 17, 5, 0)[0, 0].numpy()
    np.testing.assert_array_equal(padded, np.pad(x[0, 0].numpy(), ((23, 17), (5, 0)), mode="reflect"))


def test_negative_padding_crops() -> None:
    x = photo(12)
    assert torch.equal(reflect_pad(x, -1, -2, -3, -4), x[..., 1:-2, 3:-4])


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(5, 4), (4, 9)])
def test_image_smaller_than_the_kernel(scale: int, size: tuple[int, int]) -> None:
    kernel = gaussian_kernel(np.eye(2) * scale, scale, 8 * scale + scale % 2)
    flat = torch.full((1, 1, *size), 0.3, dtype=torch.float64)
    low = degrade(flat, torch.tensor(kernel.array), scale)
    torch.testing.assert_close(low, torch.full_like(low, 0.3))


def test_float_types_are_kept() -> None:
    kernel = torch.tensor(bicubic_kernel(2).array)
    exact = degrade(photo(), kernel, 2)
    assert exact.dtype == torch.float64
    single = degrade(photo().float(), kernel, 2)
    assert single.dtype == torch.float32
    assert adjoint(single, kernel, 2, (96, 96)).dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("each", EACH, ids=str)
@pytest.mark.parametrize("border", BORDERS)
def test_differentiable_in_image_and_kernel(border: Border, each: tuple[int, ...]) -> None:
    x = normal(2, 3, 8, 6).requires_grad_()
    kernel = some_kernels(4, each, seed=1).requires_grad_()
    low = degrade(x, kernel, 2, border)
    y = normal(*low.shape).requires_grad_()
    (low * y.detach()).sum().backward()
    # The gradient in the image is the adjoint: two roads to the same thing.
    torch.testing.assert_close(x.grad, adjoint(y, kernel, 2, (8, 6), border).detach())
    assert torch.autograd.gradcheck(lambda *a: degrade(*a, 2, border), (x, kernel), fast_mode=True)
    assert torch.autograd.gradcheck(lambda *a: adjoint(*a, 2, (8, 6), border), (y, kernel), fast_mode=True)


def test_wrong_calls_are_refused() -> None:
    x = photo(16)
    with pytest.raises(UsageError, match="parity"):
        degrade(x, random_kernel(7, 0), 2)
    with pytest.raises(UsageError, match="parity"):
        adjoint(x, random_kernel(8, 0), 3, (48, 48))
    for shape in [(4, 6), (6,), (3, 6, 6), (2, 1, 6, 6), (1, 2, 6, 6), (1, 1, 4, 6)]:
        with pytest.raises(UsageError, match="wrong form"):
            degrade(x, torch.ones(shape, dtype=torch.float64), 2)
    with pytest.raises(UsageError, match="too small"):
        degrade(x[..., :3, :], random_kernel(8, 0), 4)
    with pytest.raises(UsageError, match="too small"):
        degrade(x[..., :7, :], random_kernel(8, 0), 4, "valid")
    with pytest.raises(UsageError, match="multiples of 3"):
        degrade(x, random_kernel(7, 0), 3, "circular")
    with pytest.raises(UsageError, match="'wrap' is unknown"):
        degrade(x, random_kernel(8, 0), 4, "wrap")
    with pytest.raises(UsageError, match="low-resolution size"):
        adjoint(x, random_kernel(8, 0), 2, (36, 32))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_kernel_does_what_torch_antialiasing_does(scale: int) -> None:
    x = torch.from_numpy(data.chelsea()[:240, :240].astype(np.float64) / 255).permute(2, 0, 1)[None]
    low = degrade(x, torch.tensor(bicubic_kernel(scale).array), scale)
    expected = torch.nn.functional.interpolate(
        x, scale_factor=1 / scale, mode="bicubic", antialias=True, align_corners=False
    )
    torch.testing.assert_close(low[..., 3:-3, 3:-3], expected[..., 3:-3, 3:-3], rtol=0, atol=1e-6)


def as_array(path: Path) -> np.ndarray:
    return np.asarray(PilImage.open(path).convert("RGB"))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("number", [3, 24])
def test_reproduces_the_published_low_res_files(scale: int, number: int) -> None:
    if not DIV2KRK.is_dir():
        pytest.skip(f"the DIV2KRK files are not in {DIV2KRK}")
    # A corner of the picture, two borders included: the whole takes 20 times as long and says the same.
    side, rim = 1024, 16
    truth = as_array(DIV2KRK / "gt" / f"im_{number}.png")[:side, :side]
    published = as_array(DIV2KRK / f"lr_x{scale}" / f"im_{number}.png").astype(int)
    stored = scipy.io.loadmat(DIV2KRK / f"gt_k_x{scale}" / f"kernel_{number}.mat")["Kernel"]
    kernel = torch.tensor(from_div2krk(stored, scale).array)
    x = torch.from_numpy(truth.astype(np.float64)).permute(2, 0, 1)[None]
    # Their kernels lose a little of their sum; ours are normalised (see shift_div2krk).
    low = degrade(x, kernel, scale) * shift_div2krk(stored, scale).sum()
    ours = low.floor().clamp(0, 255)[0].permute(1, 2, 0).numpy().astype(int)
    published = published[: side // scale - rim, : side // scale - rim]
    ours = ours[: side // scale - rim, : side // scale - rim]
    assert (np.abs(ours - published) <= 1).mean() > 0.998


def test_as_stored_is_rounded_noisy_and_repeatable():
    x = torch.full((1, 1, 200, 200), 0.123)

    def stored(noise):
        return as_stored(x, noise, torch.Generator().manual_seed(4))

    levels = (stored(0.05) + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert float(stored(0.05).std()) == pytest.approx(0.05, rel=0.02)
    assert torch.equal(stored(0.05), stored(0.05))
    assert float((stored(0.0) - x).abs().max()) < 0.5 / 127.5 + 1e-6
    assert float(as_stored(10 * x, 0.0, torch.Generator()).max()) == 1


@pytest.mark.parametrize("each", EACH, ids=str)
@pytest.mark.parametrize("border", BORDERS)
def test_a_large_kernel_at_scale_1_by_fourier_transforms(border, each, monkeypatch):
    """The same values and gradients as by convolution, in both precisions."""
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 3e-6)):
        x = normal(2, 3, 41, 38).to(dtype).requires_grad_()
        kernel = some_kernels(LARGE + 6, each, 3).to(dtype).requires_grad_()
        found = []
        for least in (LARGE, 1000):
            monkeypatch.setattr("kfsr.operator.spatial.LARGE", least)
            y = degrade(x, kernel, 1, border)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, kernel))))
        for fast, plain in zip(*found, strict=True):
            assert fast.shape == plain.shape
            assert fast.dtype == dtype
            assert (fast - plain).abs().max() <= tolerance * (1 + plain.abs().max())
