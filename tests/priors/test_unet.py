"""The U-Net of KernelFusion."""

import pytest
import torch

from kfsr.priors.unet import UNet


@pytest.mark.parametrize("channels", [1, 3])
def test_shape_range_and_gradient(channels):
    torch.manual_seed(0)
    net = UNet(channels, width=4, levels=3)
    x = torch.rand(2, channels, 16, 24, requires_grad=True)
    y = net(x)
    assert y.shape == x.shape
    assert float(y.detach().abs().max()) <= 1
    y.sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0


def test_the_statistics_are_the_batchs_own_also_when_not_training():
    torch.manual_seed(0)
    net = UNet(1, width=4, levels=2)
    x = torch.rand(1, 1, 16, 16)
    assert torch.equal(net(x), net.eval()(x))
    # Normalised by its own statistics, the first convolution forgets a gain of its input.
    assert torch.allclose(net(x), net(5 * x), atol=0.02)


def test_it_has_the_papers_sizes():
    net = UNet(3)
    assert [block[0].out_channels for block in net.down] == [32, 64, 128, 256, 512]
    assert net.factor == 16
