"""The denoiser's network: what one output pixel sees, and what it is before training."""

import math

import pytest
import torch

from kfsr.priors.patch.network import SIGMA_DATA, PatchDenoiser


def network(channels=3, width=12, **settings):
    """A network none of whose weights is zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = PatchDenoiser(channels, width, **settings)
        for p in net.parameters():
            torch.nn.init.normal_(p, std=float(p.detach().std(correction=0)) or 0.1)
    return net


def test_one_pixel_sees_a_patch_of_fifteen():
    net = network()
    x = torch.randn(1, 3, 33, 35, generator=torch.Generator().manual_seed(1), requires_grad=True)
    out = net(x, torch.tensor([0.1]))
    assert net.margin == 7
    assert out.shape == (1, 3, 19, 21)
    out[0, 0, 8, 11].backward()
    seen = x.grad[0].abs().sum(0) > 0
    expected = torch.zeros(33, 35, dtype=torch.bool)
    expected[8:23, 11:26] = True
    assert torch.equal(seen, expected)


def test_untrained_it_is_the_best_estimate_without_a_picture():
    """EDM's c_skip x: the posterior mean for white pictures of standard deviation SIGMA_DATA."""
    x = torch.randn(2, 1, 20, 20, generator=torch.Generator().manual_seed(2))
    sigma = torch.tensor([0.1, 0.5])
    out = PatchDenoiser(1, 8)(x, sigma)
    for n, s in enumerate(sigma.tolist()):
        expected = x[n, :, 7:-7, 7:-7] * SIGMA_DATA**2 / (s**2 + SIGMA_DATA**2)
        torch.testing.assert_close(out[n], expected)


def test_every_picture_of_a_batch_has_its_own_sigma():
    net = network(channels=1)
    x = torch.randn(2, 1, 18, 18, generator=torch.Generator().manual_seed(3))
    both = net(x, torch.tensor([0.02, 0.4]))
    for n, s in enumerate((0.02, 0.4)):
        torch.testing.assert_close(both[n : n + 1], net(x[n : n + 1], torch.tensor([s])))
    assert (both[1] - net(x[1:], torch.tensor([0.02]))).abs().max() > 1e-3


@pytest.mark.parametrize("sigma", [0.004, 0.3])
def test_folded_layers_are_the_same_function(sigma):
    net = network()
    x = torch.randn(1, 3, 20, 22, generator=torch.Generator().manual_seed(4))
    norm = math.sqrt(sigma**2 + SIGMA_DATA**2)
    h = x / norm
    layers = net.folded(sigma, torch.float32)
    for weight, bias in layers[:-1]:
        h = torch.relu(torch.nn.functional.conv2d(h, weight, bias))
    h = torch.nn.functional.conv2d(h, *layers[-1])
    clean = SIGMA_DATA**2 / norm**2 * x[..., 7:-7, 7:-7] + sigma * SIGMA_DATA / norm * h
    torch.testing.assert_close(clean, net(x, torch.tensor([sigma])), rtol=1e-5, atol=1e-5)
