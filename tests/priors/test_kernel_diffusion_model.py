"""The diffusion model of kernels: its form of a kernel, its steps, its network."""

import pytest
import torch

from kfsr.errors import InputError
from kfsr.priors.diffusion import posterior
from kfsr.priors.kernel_diffusion import KernelDiffusionNet, clean_estimate, decoded, encoded, from_state

WIDTHS = (8, 8, 16)


def tiny():
    return KernelDiffusionNet(11, WIDTHS, 4)


def told(net, scale=1, count=2):
    random = torch.Generator().manual_seed(0)
    maps, picture = (torch.randn(count, *shape, generator=random) for shape in ((11, 64, 64), (256, 256)))
    return net.condition(maps, picture, torch.full((count,), scale))


def test_a_kernel_of_three_taps_and_back():
    """k = (1, 4, 4) / 9: over the peak (1/4, 1, 1), roots (1/2, 1, 1), times 4, less .3."""
    k = torch.tensor([[1.0, 4.0, 4.0]]) / 9
    torch.testing.assert_close(encoded(k), torch.tensor([[1.7, 3.7, 3.7]]))
    torch.testing.assert_close(decoded(encoded(k)), k)


def test_what_is_under_zero_is_no_kernel():
    k = decoded(torch.tensor([[-5.0, 3.7, 3.7]]))
    torch.testing.assert_close(k, torch.tensor([[0.0, 0.5, 0.5]]), atol=1e-6, rtol=0)


def test_a_step_back_of_three_taps_by_hand():
    """abar .64: z_0 = .8 z_t - .6 v. To abar .8, alpha = .8, beta = .2: both weights of the posterior's mean are
    sqrt(.8) .2 / .36 = .496904, and its variance is .2 .2 / .36 = 1/9."""
    z_t, v = torch.tensor([1.0, 0.0, -1.0]), torch.tensor([0.5, 0.0, 0.5])
    z_0 = clean_estimate(z_t, v, 0.64)
    torch.testing.assert_close(z_0, torch.tensor([0.5, 0.0, -1.1]))
    mean, deviation = posterior(z_0, z_t, 0.64, 0.8)
    torch.testing.assert_close(mean, torch.tensor([1.5, 0.0, -2.1]) * 0.496904, atol=1e-5, rtol=0)
    assert deviation == pytest.approx(1 / 3)


def test_the_network_takes_kernels_on_a_grid_of_64():
    net = tiny()
    v = net(torch.randn(2, 64, 64), torch.tensor([0.9, 0.1]), told(net))
    assert v.shape == (2, 64, 64)
    assert v.dtype == torch.float32


def test_it_is_told_the_time_the_scale_and_the_maps():
    net = tiny().eval()
    with torch.no_grad():
        z = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(1))
        for parameter in net.parameters():  # those that are zero before training
            if not parameter.any():
                parameter.add_(0.05)
        early, late = (net(z, torch.full((2,), abar), told(net)) for abar in (0.1, 0.9))
        other = net(z, torch.full((2,), 0.1), told(net, scale=2))
        assert not torch.allclose(early, late, atol=1e-3)
        assert not torch.allclose(early, other, atol=1e-4)
        assert not torch.allclose(early[0], net(z[:1], torch.tensor([0.1]), told(net).repeated(1))[0] + 1)


def test_samples_of_one_picture_share_what_it_says():
    net = tiny()
    one = told(net, count=1)
    three = one.repeated(3)
    assert three.maps.shape[0] == three.facts.shape[0] == 3
    assert torch.equal(three.maps[2], one.maps[0])


def test_its_sizes_are_read_from_the_parameters():
    net = tiny()
    again = from_state({name: value.half() for name, value in net.state_dict().items()})
    assert [p.shape for p in again.parameters()] == [p.shape for p in net.parameters()]
    assert all(p.dtype == torch.float32 for p in again.parameters())
    with pytest.raises(InputError, match="not the weights of a diffusion of kernels"):
        from_state({"kernel_in.weight": torch.zeros(8, 4, 3, 3)})
