"""What all solvers have in common: a differentiable `forward`, and a `solve` that is the same without gradient."""

import numpy as np
import pytest
import torch
from scenes import kernel_of, untrained

from kfsr.analysis.problem import Told
from kfsr.kernel import gaussian_kernel
from kfsr.numerics import weights_from
from kfsr.priors.patch.crops import CropSampler
from kfsr.settings import UnfoldingSettings, ZssrSettings
from kfsr.solvers import unfolding, unrolled, zssr
from kfsr.solvers.unrolled import UnrolledNet
from kfsr.solvers.usrnet import USRNet

KERNEL = kernel_of([[1.5, 0.4], [0.4, 0.8]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def with_weights(kind, *sizes):
    """A network whose prior does something, the same every time."""
    with weights_from(generator(3)):
        net = kind(*sizes)
        for p in net.parameters():
            if p.ndim > 1:
                torch.nn.init.normal_(p, std=0.1)
    return net.eval()


def unfold(how, y, kernel, **more):
    few = UnfoldingSettings(iterations=2)
    return getattr(unfolding, how)(y, kernel, 2, untrained(3), few, 0.01, **more)


def unroll(net, how, y, kernel, **more):
    return getattr(unrolled, how)(y, kernel, 2, net, Told(0.01, 0.2), **more)


def fitted(how, y, kernel, **more):
    """Fitted for the tests' kernel; the forward takes any."""
    crops = CropSampler([torch.rand(1, 3, 24, 24, generator=generator(2)) - 0.5])
    few = ZssrSettings(steps=1, batch=1, crop=16)
    known = zssr.fit(y.detach(), KERNEL, 2, untrained(3), crops, few, 0.01, generator())
    if how == "solve":
        return known.solve(y, **more)
    return zssr.forward(y, kernel, 2, known.steps[0].model, known.steps[0].balance)


SOLVERS = {
    "unrolled": lambda *args, **more: unroll(with_weights(UnrolledNet, (4, 6), 1, 2), *args, **more),
    "usrnet": lambda *args, **more: unroll(with_weights(USRNet, (4, 4, 4, 4), 1, 8, 2), *args, **more),
    "unfolding": unfold,
    "zssr": fitted,
}


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_gradient_is_that_of_small_differences(name):
    """In the kernel and in the picture, through data steps and prior."""
    solver, kernel = SOLVERS[name], KERNEL
    y = torch.rand(1, 3, 9, 7, generator=generator(1)) - 0.5
    into = torch.randn(1, 3, 18, 14, generator=generator(4)).double()
    for which, at in enumerate((y, kernel)):
        direction = torch.randn(at.shape, generator=generator(5)) * at.abs().mean()

        def value(step, which=which, at=at, direction=direction):
            moved = at + step * direction
            return (solver("forward", *((moved, kernel) if which == 0 else (y, moved))).double() * into).sum()

        step = torch.zeros((), requires_grad=True)
        (slope,) = torch.autograd.grad(value(step), step)
        h = 1e-2
        expected = (value(h) - value(-h)).detach() / (2 * h)
        assert abs(slope - expected) < 0.02 * abs(expected) + 1e-3
        assert abs(expected) > 1e-2


@pytest.mark.parametrize("name", SOLVERS)
def test_solving_is_the_same_without_gradient(name):
    y = (torch.rand(1, 3, 9, 7, generator=generator(1)) - 0.5).requires_grad_()
    forward, solved = (SOLVERS[name](how, y, KERNEL) for how in ("forward", "solve"))
    assert forward.requires_grad
    assert not solved.requires_grad
    assert torch.equal(forward.detach(), solved)


def test_two_steps_are_differentiable_too():
    k4 = torch.from_numpy(gaussian_kernel(np.eye(2) * 6, 4).array.copy()).float()
    y = (torch.rand(1, 3, 12, 10, generator=generator(1)) - 0.5).requires_grad_()
    crops = CropSampler([torch.rand(1, 3, 24, 24, generator=generator(2)) - 0.5])
    few = ZssrSettings(steps=1, batch=1, crop=16)
    known = zssr.fit(y.detach(), k4, 4, untrained(3), crops, few, 0.01, generator())
    assert len(known.steps) == 2
    (gradient,) = torch.autograd.grad(known.forward(y).sum(), y)
    assert gradient.abs().min() > 0
