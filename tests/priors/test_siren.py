"""The kernel as a network of sines."""

import torch

from kfsr.priors.siren import SirenKernel


def seeded(size):
    torch.manual_seed(3)
    return SirenKernel(size, width=64)


def test_an_untrained_one_is_flat_and_sums_to_one():
    k = seeded(15)()
    assert k.shape == (15, 15)
    assert torch.allclose(k, torch.full((15, 15), 1 / 225))


def test_it_stays_normalised_and_not_negative_whatever_the_weights():
    net = seeded(12)
    torch.manual_seed(4)
    torch.nn.init.normal_(net.out.weight, std=3.0)
    k = net().detach()
    assert abs(float(k.sum()) - 1) < 1e-5
    assert float(k.min()) > -1e-3 * float(k.max())
    assert float(k.std()) > 0.1 / 144
