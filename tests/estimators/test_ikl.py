"""IKL: the linear kernel net, and short runs of the whole, with one picture and with two kinds of pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data

from kfsr.checkpoint import Driver
from kfsr.errors import InputError
from kfsr.estimators.ikl import LinearKernelNet, match
from kfsr.kernel import gaussian_kernel
from kfsr.kernel.gaussian import own_blur_factor
from kfsr.operator.spatial import degrade
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import IklSettings, PatchSettings

TRUTH = 3.2
"""Variance, in square pixels of the sharp picture, of the blur that the picture below has."""

SETTINGS = IklSettings(iterations=30, warm_up=12, batch=6, crop=32, width=16, kernel_rate=9.6e-5)
FEW = replace(SETTINGS, iterations=4, warm_up=2, batch=2)


def net(size, width=5):
    """A net started at a random kernel, which no product of small layers can be by chance."""
    generator = torch.Generator().manual_seed(size)
    start = torch.rand(size, size, generator=generator)
    start = start / start.sum()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LinearKernelNet(start, np.array([[2.0, 0.5], [0.5, 1.0]]), width), start


@pytest.mark.parametrize("size", [9, 16, 17, 18, 25, 32])
def test_the_net_starts_exactly_where_it_is_told(size):
    one, start = net(size)
    assert one().shape == (size, size)
    torch.testing.assert_close(one(), start, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size", [9, 16, 17, 18, 25, 32])
def test_the_net_collapses_to_its_layers_one_after_the_other(size):
    one, _ = net(size)
    one.offset.zero_()
    generator = torch.Generator().manual_seed(1)
    for layer in one.layers:
        layer.data += 0.05 * torch.randn(layer.shape, generator=generator)
    x = torch.randn(1, 1, size + 8, size + 6, generator=generator)
    slowly, total = x, torch.ones(1, 1, 3 * size, 3 * size)
    for layer in one.layers:
        slowly, total = F.conv2d(slowly, layer), F.conv2d(total, layer)
    # The net keeps its sum at 1, the bare layers do not: theirs is what they make of ones.
    expected = slowly / total[0, 0, 0, 0]
    torch.testing.assert_close(F.conv2d(x, one()[None, None]), expected, rtol=1e-3, atol=1e-3)


def test_every_layer_learns():
    one, _ = net(16)
    (one() * torch.randn(16, 16, generator=torch.Generator().manual_seed(2))).sum().backward()
    assert all(layer.grad.abs().max() > 0 for layer in one.layers)


def tensor(pixels):
    """(1, 1, H, W) in [-1, 1] of uint8 (H, W, C)."""
    return torch.from_numpy(pixels.mean(2)).float()[None, None] / 127.5 - 1


class Photo:
    """A sharp photograph, blurred and halved, and its patch model; and another sharp one."""

    def __init__(self):
        blur = torch.from_numpy(gaussian_kernel(np.eye(2) * TRUTH, 2).array.copy()).float()
        picture = degrade(tensor(data.coffee()[60:316, 100:356]), blur, 2)
        self.crops = CropSampler([(picture * 127.5).round() / 127.5], focus=True)
        self.sharp = CropSampler([tensor(data.coffee()[60:316, 360:580])], focus=True)
        settings = PatchSettings(width=24, steps=100, batch=4, crop=32)
        self.model = train_patch_model(self.crops, settings, torch.Generator().manual_seed(0))

    def refined(self, variance, settings, seed=0, clean=None, **more):
        start, random = gaussian_kernel(np.eye(2) * variance, 2), torch.Generator().manual_seed(seed)
        own = own_blur_factor(2) if clean is None else 1.0
        args = (start, self.model, settings, random)
        return match(clean or self.crops, self.crops, *args, own_blur=own, **more)


@pytest.fixture(scope="module")
def photo():
    return Photo()


def test_the_seed_decides_and_the_model_is_left_alone(photo):
    before = {name: value.clone() for name, value in photo.model.network.state_dict().items()}
    state = torch.random.get_rng_state()
    first, second, other = (photo.refined(TRUTH, FEW, seed).array for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    after = photo.model.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_result_is_a_centred_kernel(photo):
    kernel = photo.refined(TRUTH, FEW)
    assert (kernel.scale, kernel.size, kernel.method) == (2, 16, "ikl")
    assert kernel.array.sum() == pytest.approx(1, abs=1e-9)
    assert np.abs(kernel.centre).max() < 0.1


def test_a_few_steps_do_not_go_far(photo):
    kernel = photo.refined(TRUTH, FEW)
    assert kernel.trace == pytest.approx(2 * TRUTH, rel=0.05)
    assert kernel.trace != pytest.approx(2 * TRUTH, rel=1e-6)


def test_only_a_share_of_what_was_learned_may_be_taken(photo):
    whole, quarter, none = (photo.refined(TRUTH, FEW, share=share).covariance for share in (1.0, 0.25, 0.0))
    np.testing.assert_allclose(quarter - none, 0.25 * (whole - none), atol=1e-6)
    assert np.abs(whole - none).max() > 1e-4


def test_progress_counts_every_step(photo):
    calls = []
    photo.refined(TRUTH, FEW, driver=Driver(lambda *call: calls.append(call)))
    assert calls == [("ikl", n, 6) for n in range(1, 7)]


@pytest.mark.parametrize("source", ["itself", "another, sharp"])
def test_it_moves_towards_the_truth(photo, source):
    """The sign of the whole: a kernel that is too narrow grows, one that is too wide shrinks."""
    clean = None if source == "itself" else photo.sharp
    narrow, wide = (photo.refined(TRUTH * factor, SETTINGS, clean=clean).trace for factor in (0.25, 2.2))
    assert narrow > 2 * TRUTH * 0.25 * 1.003
    assert wide < 2 * TRUTH * 2.2 * 0.995


@pytest.mark.parametrize(
    ("clean", "observed", "fits"), [(43, 44, False), (44, 44, True), (44, 14, False), (60, 15, True)]
)
def test_a_picture_that_is_too_small_for_a_crop_is_refused(photo, clean, observed, fits):
    start = gaussian_kernel(np.eye(2) * TRUTH, 2)
    crops = [CropSampler([photo.crops.pictures[0][..., :side, :60]], focus=True) for side in (clean, observed)]
    args = (*crops, start, photo.model, FEW, torch.Generator())
    if fits:
        assert match(*args).method == "ikl"
    else:
        with pytest.raises(InputError, match="too small for ikl"):
            match(*args)
