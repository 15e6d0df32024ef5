"""What `deblur` makes of whole photographs: sharp ones as they are, blurred ones sharper."""

import numpy as np
import pytest
import torch
from skimage import data

import kfsr
from kfsr.kernel import gaussian_kernel
from kfsr.kernel.random import camera_shake
from kfsr.operator.fourier import continued, padded
from kfsr.operator.spatial import degrade
from kfsr.pipeline.appearance import keep_means


def blurred(picture, kernel):
    x = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), 1)[0].permute(1, 2, 0).numpy()
    return np.rint(y * 255).astype(np.uint8)


def psnr(a, b, rim=16):
    inside = (slice(rim, -rim), slice(rim, -rim))
    return -10 * np.log10(np.mean((np.asarray(a, float)[inside] - np.asarray(b, float)[inside]) ** 2))


def test_a_sharp_picture_comes_back_exactly():
    picture = np.asarray(data.chelsea())[:256, :256]
    sharp = picture[::2, ::2].copy()  # every other pixel: sharper than any lens
    result = kfsr.deblur(sharp)
    assert result.kernel.is_point
    assert result.report.gate.verdict == "unchanged"
    assert np.array_equal(np.rint(result.image.pixels * 255).astype(np.uint8), sharp)


@pytest.mark.parametrize("method", ["auto", "soft"])
def test_a_soft_picture_becomes_sharper(method):
    picture = np.asarray(data.astronaut())[:256, 100:356]
    soft = blurred(picture, gaussian_kernel(np.diag([2.2, 2.2]), 1))
    result = kfsr.deblur(soft, kernel_method=method)
    assert psnr(result.image.pixels, picture / 255) > psnr(soft / 255, picture / 255) + 2


def test_a_shaken_picture_becomes_sharper():
    picture = np.asarray(data.astronaut())[:288, 100:388]
    shaken = blurred(picture, camera_shake(17, np.random.default_rng(4)).sample(1, 33))
    result = kfsr.deblur(shaken)
    assert result.kernel.method == "shake"
    moved = max(
        psnr(np.roll(result.image.pixels, (i, j), (0, 1)), picture / 255) for i in (-1, 0, 1) for j in (-1, 0, 1)
    )
    assert moved > psnr(shaken / 255, picture / 255) + 2


def test_the_border_is_explained_by_what_lies_outside():
    """Against the blurred picture itself, beyond the border of the part that is seen."""
    picture = np.asarray(data.astronaut())[:200, 100:300]
    kernel = camera_shake(25, np.random.default_rng(1)).sample(1, 41)
    k = torch.from_numpy(kernel.array.copy()).float()
    whole = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None].float()
    y = degrade(whole, k, 1)
    part, margin = y[..., 40:-40, 40:-40], 24
    near = y[..., 36:-36, 36:-36]

    def error(extended):
        return float((extended[..., margin - 4 : 4 - margin, margin - 4 : 4 - margin] - near).square().mean())

    ours = continued(part, k, margin)
    assert torch.equal(ours[..., margin:-margin, margin:-margin], part)
    assert error(ours) < 0.7 * error(padded(part, margin))


def test_means_are_compared_through_the_kernel():
    """A light that a wide kernel has drawn out stays a light: its surroundings are not brightened."""
    sharp = torch.full((1, 1, 96, 96), -0.5)
    sharp[..., 44:52, 44:52] = 0.9
    k = torch.full((65, 65), 1 / 65**2)
    y = degrade(sharp, k, 1)
    kept = sharp.clone()
    keep_means(kept, y, None, 1, k)
    assert (kept - sharp).abs().max() < 0.02
    keep_means(kept, y, None, 1)
    assert (kept - sharp).abs().max() > 0.05
