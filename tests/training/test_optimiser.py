"""The optimiser of convolutions and the rest: it learns, in place, and goes on where it was."""

import copy

import pytest
import torch
from torch import nn

from kfsr.training.optimiser import MuonAndAdam


def some_net(memory_format):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.ConvTranspose2d(8, 3, 3, bias=False), nn.Flatten(), nn.Linear(192, 2)
        return nn.Sequential(*layers).to(memory_format=memory_format)


def learn(net, optimiser, steps, first=0):
    losses = []
    for step in range(first, first + steps):
        x = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        wanted = torch.stack([x.mean((1, 2, 3)), x[:, 0, 3, 3]], 1)
        loss = (net(x) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(3e-3)
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_learns(memory_format):
    net = some_net(memory_format)
    before = copy.deepcopy(net)
    losses = learn(net, MuonAndAdam(net.parameters(), 3e-3), 60)
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])
    for old, new in zip(before.parameters(), net.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_the_step_of_a_convolution_is_orthogonal():
    """And as long as the rate says: .2 a root mean square, as Adam's."""
    net = some_net(torch.channels_last)
    before = net[0].weight.detach().clone()
    learn(net, MuonAndAdam(net.parameters(), 3e-3), 1)
    step = (net[0].weight.detach() - before).flatten(1)
    values = torch.linalg.svdvals(step)
    assert values.max() < 2 * values.min()
    assert 0.1 < float(step.square().mean().sqrt()) / 3e-3 < 0.3


def test_it_goes_on_where_it_was():
    nets = [some_net(torch.channels_last) for _ in range(2)]
    first, whole = (MuonAndAdam(net.parameters(), 3e-3) for net in nets)
    learn(nets[0], first, 3)
    learn(nets[1], whole, 6)
    second = MuonAndAdam(nets[0].parameters(), 3e-3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    learn(nets[0], second, 3, first=3)
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)
