"""KernelFusion on small pictures."""

import math

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from kfsr.checkpoint import Driver
from kfsr.errors import InputError
from kfsr.estimators.kernelfusion import estimate, reverse_diffusion, start
from kfsr.kernel import Kernel, compare_kernels
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import KernelFusionSettings, PatchSettings

SHORT = KernelFusionSettings(
    patch=PatchSettings(width=8, steps=20, sigma_max=4.0), width=4, steps=2, first_rounds=2, rounds=1
)


def corner(scale):
    """An L, four low-resolution pixels high and three wide, a low-resolution pixel thick, centred."""
    k = np.zeros((6 * scale, 6 * scale))
    top, left = scale, 2 * scale
    k[top : top + 4 * scale, left : left + scale] = 1
    k[top + 3 * scale : top + 4 * scale, left : left + 3 * scale] = 1
    rows, cols = np.indices(k.shape)
    shift = [round((k.shape[0] - 1) / 2 - float((k * at).sum() / k.sum())) for at in (rows, cols)]
    return Kernel.from_array(np.roll(k, shift, (0, 1)), scale)


def low_resolution(picture, kernel):
    """(1, 1, h, w) in [-1, 1] of a gray photograph of 0 to 255, downscaled and rounded to 8 bits."""
    x = torch.from_numpy(picture / 127.5 - 1)[None, None].float()
    y = degrade(x, torch.from_numpy(kernel.array.copy()).float(), kernel.scale)
    return ((y + 1) * 127.5).round() / 127.5 - 1


def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def camera():
    low = low_resolution(data.camera()[80:272, 150:342], corner(2))
    return low, train_patch_model(CropSampler([low]), SHORT.patch, generator(1))


def test_the_same_seed_gives_the_same_picture_and_kernel(camera):
    low, model = camera
    a, b, other = (estimate(low[..., :48, :48], 2, model, SHORT, generator(seed)) for seed in (5, 5, 6))
    assert a.high_res.shape == (1, 1, 96, 96)
    assert torch.equal(a.high_res, b.high_res)
    assert np.array_equal(a.kernel.array, b.kernel.array)
    assert not torch.equal(a.high_res, other.high_res)
    assert (a.kernel.method, a.kernel.scale, a.kernel.size) == ("kernelfusion", 2, 12)


def test_every_time_is_reported(camera):
    low, model = camera
    calls = []
    estimate(low[..., :32, :32], 2, model, SHORT, generator(5), Driver(lambda *call: calls.append(call)))
    assert calls == [("kernelfusion", 1, 2), ("kernelfusion", 2, 2)]


def test_a_window_that_is_nothing_but_rim_is_refused(camera):
    low, model = camera
    with pytest.raises(InputError, match="24 px"):
        estimate(low[..., :16, :32], 2, model, SHORT, generator(5))


class Still(nn.Module):
    """Returns what it gets, with one weight that does nothing, for the optimiser."""

    def __init__(self, value=None):
        super().__init__()
        self.value = value
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x=None):
        return (self.value if x is None else x) + self.weight


def test_nothing_to_refine_gives_the_patch_models_own_way_back(camera):
    """With networks that return what they get and rates of nothing, algorithm 1 is DDPM's way back from the bicubic
    picture, written out here by hand for two times."""
    low, model = camera
    low = low[..., :32, :32]
    cfg = KernelFusionSettings(steps=2, first_rounds=1, rounds=1, picture_rate=0.0, kernel_rate=0.0)
    k = torch.from_numpy(corner(2).array.copy()).float()
    state = start(low, 2, Still(), Still(k), cfg, generator(9))
    steps = list(reverse_diffusion(low, 2, model, cfg, state, torch.float32))
    assert len(steps) == 2
    assert torch.equal(state.kernel, k)

    betas = np.linspace(1e-4, 0.02, 1000)
    kept = np.concatenate([[1.0], np.cumprod(1 - betas)])
    random = generator(9)
    x0 = bicubic_upscale(low, 2)
    xt = math.sqrt(kept[400]) * x0 + math.sqrt(1 - kept[400]) * torch.randn(x0.shape, generator=random)
    for t, s in ((400, 200), (200, 0)):
        noise = torch.randn(x0.shape, generator=random)
        alpha = kept[t] / kept[s]
        mean = math.sqrt(kept[s]) * (1 - alpha) * x0 + math.sqrt(alpha) * (1 - kept[s]) * xt
        variance = (1 - alpha) * (1 - kept[s]) / (1 - kept[t])
        xt = (mean / (1 - kept[t]) + math.sqrt(variance) * noise).float()
        x0 = model.differentiable(xt / math.sqrt(kept[s]), math.sqrt((1 - kept[s]) / kept[s]))
    assert torch.allclose(state.x_0, x0, atol=2e-3)


@pytest.mark.slow
def test_an_l_shape_is_found_from_a_flat_start():
    truth = corner(2)
    low = low_resolution(data.camera()[60:316, 130:386], truth)
    patches = PatchSettings(width=16, steps=200, batch=4, crop=32, sigma_max=4.0)
    cfg = KernelFusionSettings(patch=patches, width=8, levels=4, steps=12, first_rounds=40, rounds=14, kernel_rate=3e-4)
    model = train_patch_model(CropSampler([low]), cfg.patch, generator(1))
    kernel = estimate(low[..., 32:80, 32:80], 2, model, cfg, generator(2)).kernel
    score = compare_kernels(kernel, truth)
    assert score.ncc_shift2 > 0.7
    assert score.ncc_flipped < score.ncc_shift2
