"""The kernel as a network of sines."""

import torch

from kfsr.estimators.siren import SirenKernel
from kfsr.kernel import gaussian_kernel


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


def test_it_can_start_at_a_kernel():
    truth = torch.from_numpy(gaussian_kernel([[6.0, 2.0], [2.0, 4.0]], 2, 16).array.copy()).float()
    net = seeded(16)
    net.fit(truth, steps=400)
    k = net().detach()
    assert float((k * truth).sum() / (k.norm() * truth.norm())) > 0.99
