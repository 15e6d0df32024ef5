"""A patch model in use: tiles and borders, the noise levels it knows."""

import numpy as np
import pytest
import torch

from kfsr.numerics import working_dtype
from kfsr.priors.patch.model import TILE, PatchModel
from kfsr.priors.patch.network import PatchDenoiser


@pytest.fixture
def float32(monkeypatch):
    """A processor without bfloat16."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)


def model(channels=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = PatchDenoiser(channels, 8)
        for p in network.parameters():
            torch.nn.init.normal_(p, std=float(p.detach().std(correction=0)) or 0.1)
    return PatchModel(network, 0.01, 0.5)


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 0.5


SIZES = [(TILE, TILE), (TILE + 1, 40), (20, 2 * TILE + 3), (33, 17), (9, 5), (1, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tiles_are_the_network_on_the_reflected_picture(float32, size):
    assert working_dtype(torch.device("cpu")) is torch.float32
    one = model()
    x = noise(2, 3, *size)
    reflected = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), (7, 7), (7, 7)], mode="reflect"))
    with torch.no_grad():
        expected = one.network(reflected, torch.full((2,), 0.1))
    torch.testing.assert_close(one.denoise(x, 0.1), expected, rtol=1e-5, atol=1e-5)


def test_the_working_type_stays_inside():
    """Whatever this processor computes in, float32 comes out, and close to what float32 gives."""
    one = model(channels=1)
    x = noise(1, 1, 40, 30)
    out = one.denoise(x, 0.1)
    assert out.dtype is torch.float32
    reflected = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), (7, 7), (7, 7)], mode="reflect"))
    with torch.no_grad():
        expected = one.network(reflected, torch.tensor([0.1]))
    assert (out - expected).abs().mean() < 0.02 * (x - expected).abs().mean()


def test_noise_levels_beyond_the_training_use_the_nearest():
    one = model(channels=1)
    x = noise(1, 1, 20, 20)
    assert torch.equal(one.denoise(x, 0.001), one.denoise(x, 0.01))
    assert torch.equal(one.denoise(x, 3.0), one.denoise(x, 0.5))
    assert not torch.equal(one.denoise(x, 0.01), one.denoise(x, 0.02))


def test_the_gradient_reaches_the_picture_and_not_the_network():
    one = model(channels=1)
    frozen = next(one.network.parameters())
    frozen.requires_grad_(False)
    wanted = [p.requires_grad for p in one.network.parameters()]
    x = noise(1, 1, 20, 20).requires_grad_()
    for denoise in (one.differentiable, one.denoise):
        (gradient,) = torch.autograd.grad(denoise(x, 0.1).square().sum(), x)
        assert gradient.abs().min() > 0
        assert [p.requires_grad for p in one.network.parameters()] == wanted
        assert all(p.grad is None for p in one.network.parameters())


def test_in_one_piece_it_is_the_same_function(float32):
    one, x = model(), noise(2, 3, 33, 17)
    torch.testing.assert_close(one.differentiable(x, 0.1).detach(), one.denoise(x, 0.1), rtol=1e-5, atol=1e-5)
