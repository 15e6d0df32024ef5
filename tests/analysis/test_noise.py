"""The noise level: what was added is found, and detail is not taken for it."""

import io

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

from kfsr.analysis.noise import compression_level, noise_level
from kfsr.kernel import bicubic_kernel
from kfsr.operator.spatial import degrade


def photo(name):
    """A photograph halved, (1, C, h, w) in [-1, 1]: as sharp as a picture can be, and rid of its own noise."""
    picture = torch.from_numpy(np.atleast_3d(getattr(data, name)()).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    kernel = torch.from_numpy(bicubic_kernel(2).array.copy()).float()
    return degrade(picture[..., :300, :450].float(), kernel, 2)


def noisy(picture, sigma):
    return picture + sigma * torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [0.01, 0.04, 0.1])
def test_noise_on_a_smooth_picture_is_measured(sigma):
    rows, cols = np.mgrid[:128, :160] / 40
    smooth = torch.from_numpy(0.5 * np.sin(rows) * np.cos(cols)).float().expand(1, 3, -1, -1)
    assert noise_level(smooth) < 0.001
    assert noise_level(noisy(smooth, sigma)) == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "camera"])
@pytest.mark.parametrize("sigma", [0.02, 0.06])
def test_noise_on_a_photograph_is_measured(name, sigma):
    picture = photo(name)
    assert noise_level(picture) < 0.011
    assert noise_level(noisy(picture, sigma)) == pytest.approx(sigma, rel=0.25)


@pytest.mark.parametrize("size", [(1, 20), (5, 50), (6, 6), (7, 30), (17, 16)], ids=str)
def test_small_pictures_have_a_noise_level_too(size):
    assert 0 <= noise_level(torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(2))) < 0.5


def test_a_flat_picture_has_none():
    assert noise_level(torch.full((1, 3, 40, 40), 0.3)) == pytest.approx(0, abs=1e-6)


def compressed(picture, quality):
    """What JPEG makes of it, and the root mean square of its errors."""
    pixels = ((picture[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels.squeeze()).save(buffer, "JPEG", quality=quality)
    again = np.atleast_3d(np.asarray(PIL.Image.open(buffer))).astype(np.float32) / 127.5 - 1
    errors = again - (pixels.astype(np.float32) / 127.5 - 1)
    return torch.from_numpy(again).permute(2, 0, 1)[None], float(np.sqrt((errors**2).mean()))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "camera"])
def test_compression_is_seen_and_measured(name):
    picture = photo(name)
    assert compression_level(picture) == 0
    for quality in (60, 80):
        file, errors = compressed(picture, quality)
        assert compression_level(file) == pytest.approx(errors, rel=0.6)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "camera"])
@pytest.mark.parametrize(("row", "col"), [(3, 4), (0, 7), (1, 0)])
def test_in_a_picture_that_was_cut_blocks_are_seen_where_they_start(name, row, col):
    file, errors = compressed(photo(name), 60)
    assert compression_level(file[..., row:, col:]) == pytest.approx(errors, rel=0.6)
    assert compression_level(photo(name)[..., row:, col:]) == 0


def test_noise_is_no_compression():
    assert compression_level(noisy(photo("astronaut"), 0.06)) == 0


@pytest.mark.parametrize("size", [(1, 1), (7, 60), (23, 24)], ids=str)
def test_small_pictures_show_no_blocks(size):
    assert compression_level(torch.zeros(1, 3, *size)) == 0
