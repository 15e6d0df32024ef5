"""The unrolled solver: exact data steps alternate with a small network, trained to forgive an inexact kernel.

The scheme is that of USRNet (Zhang et al. 2020): a few iterations of half-quadratic splitting, the prior step a
network, all of it trained end to end. Here the network takes two numbers about the data, their noise and how
uncertain the kernel is, and was trained with kernels that were off by that much.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.analysis.problem import Problem, Solve, Told
from kfsr.errors import InputError
from kfsr.operator.fourier import DataStep, border, continued, padded
from kfsr.operator.spatial import bicubic_upscale
from kfsr.progress import Progress, silent
from kfsr.solvers.method import Prepared, Solver
from kfsr.solvers.tiles import solve_in_tiles
from kfsr.weights import network

WIDTHS = (48, 64, 64)
ITERATIONS = 5

SIGMA_FLOOR = 1.0 / 255
"""Noise level, [-1, 1] units, under which all is one: that of 8-bit rounding is .0023."""


def forward(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    net: nn.Module,
    told: Told,
    ensemble: int = 1,
    progress: Progress = silent,
) -> Tensor:
    """High-resolution picture (1, C, s*h, s*w) of `low_res` (1, C, h, w), both float32 in [-1, 1]; C is 1 or 3.

    kernel: (K, K) canonical; the result is differentiable in it and in `low_res`. net: an `UnrolledNet` or a `USRNet`.
    ensemble: over how many of the square's 8 symmetries the result is averaged (self-ensemble). The picture is extended
    so that the wrap-around of the data step stays outside; at scale 1 by what the kernel brings in (`continued`).
    """
    margin = border(kernel.shape[-1], scale)
    known = low_res.new_tensor([[told.sigma], [told.uncertainty], [told.correlation]])
    total = low_res.new_zeros(())
    for n in range(ensemble):
        turned = _turned(low_res, n)
        rows, cols = (slice(scale * margin, scale * (margin + size)) for size in turned.shape[-2:])
        k = _turned(kernel, n)
        around = continued(turned, k, margin, fast=True) if scale == 1 else padded(turned, margin, fast=True)
        y = around.expand(-1, 3, -1, -1)
        x = _turned_back(net(y, k, scale, *known)[..., rows, cols], n)
        total = total + (x if low_res.shape[1] == 3 else x.mean(1, keepdim=True))
        progress("solver", n + 1, ensemble)
    return total / ensemble if ensemble > 1 else total


def solve(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    net: nn.Module,
    told: Told,
    ensemble: int = 1,
    tile: int | None = None,
    progress: Progress = silent,
) -> Tensor:
    """`forward` without gradient, in tiles and in the working precision (`solve_in_tiles`)."""

    def on(piece: Tensor, progress: Progress) -> Tensor:
        return forward(piece, kernel, scale, net, told, ensemble, progress)

    return solve_in_tiles(low_res, kernel.shape[-1], scale, on, tile, progress)


def _turned(x: Tensor, symmetry: int) -> Tensor:
    x = torch.rot90(x, symmetry % 4, (-2, -1))
    return x.flip(-1) if symmetry > 3 else x


def _turned_back(x: Tensor, symmetry: int) -> Tensor:
    return torch.rot90(x.flip(-1) if symmetry > 3 else x, -symmetry % 4, (-2, -1))


class Block(nn.Module):
    """x + conv(relu(conv(x))), no bias: what the network does scales with its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to the same."""
        # In place where that spares a pass over memory; nothing else holds these tensors.
        return self.second(F.relu(self.first(x), inplace=True)).add_(x)


class Prior(nn.Module):
    """The prior step: a U-Net over 2 x 2 blocks of pixels (so that full resolution costs nothing), with additive skips.

    Takes a picture (B, 3, H, W) in [-1, 1] and three numbers per picture: the level of what is to be removed, the
    kernel's uncertainty, and how the noise of the data is correlated. Any H, W.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d(4 * 3 + 3, widths[0], 3, padding=1, bias=False)
        self.down = nn.ModuleList(_stage(a, blocks, nn.Conv2d(a, b, 2, 2, bias=False)) for a, b in pairwise(widths))
        self.body = _stage(widths[-1], blocks, nn.Identity())
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(b, a, 2, 2, bias=False), *(Block(a) for _ in range(blocks)))
            for a, b in reversed(list(pairwise(widths)))
        )
        self.tail = nn.Conv2d(widths[0], 4 * 3, 3, padding=1, bias=False)
        self.step = 2 ** len(widths)
        nn.init.zeros_(self.tail.weight)  # starts as the identity

    def forward(self, x: Tensor, level: Tensor, uncertainty: Tensor, correlation: Tensor) -> Tensor:
        """The picture (B, 3, H, W) cleaned; level, uncertainty, correlation: (B,)."""
        h, w = x.shape[-2:]
        y = F.pad(x, (0, -w % self.step, 0, -h % self.step), mode="replicate")
        y = F.pixel_unshuffle(y, 2)
        maps = torch.stack([level, uncertainty, correlation], 1)[:, :, None, None].expand(-1, -1, *y.shape[-2:])
        y = self.head(torch.cat([y, maps], 1).to(memory_format=torch.channels_last))
        skips = [y]
        for down in self.down:
            y = down(y)
            skips.append(y)
        y = self.body(y)
        for up, skip in zip(self.up, reversed(skips), strict=False):
            y = up(y.add_(skip))
        y = self.tail(y.add_(skips[0]))
        return x + F.pixel_shuffle(y, 2)[..., :h, :w]


class UnrolledNet(nn.Module):
    """All iterations: a small network sets the data steps' weights and the prior's levels from what is known.

    With y (B, 3, h, w), kernel (B, 1, K, K) or (K, K) canonical, x_0 = bicubic interpolation, for i = 1 .. n:

        z_i = argmin_z |y - A z|^2 + a_i |z - x_(i-1)|^2                  (data step, USRNet eq. 9)
        x_i = Prior_i(z_i, b_i, uncertainty, correlation)                 (prior step)

    One prior serves all iterations but the last, which has its own: it alone makes the picture that is seen.
    a_i / sigma^2 and b_i are exp of a small perceptron of log sigma, log scale, uncertainty and correlation. sigma:
    (B,) standard deviation of the noise in [-1, 1] units; uncertainty: (B,), 0 for the true kernel, 2 for the least
    exact ones in training (`kfsr.kernel.random`); correlation: (B,), of the noise between neighbouring pixels.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: int = 2, iterations: int = ITERATIONS) -> None:
        super().__init__()
        self.iterations = iterations
        self.prior, self.last_prior = Prior(widths, blocks), Prior(widths, blocks)
        last = nn.Linear(64, 2 * iterations)
        self.schedule = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), last)
        # The splitting as it is without training: levels from .2 down to .01, weights sigma^2 / level^2.
        levels = torch.linspace(math.log(0.2), math.log(0.01), iterations)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.copy_(torch.cat([math.log(0.23) - 2 * levels, levels]))

    def forward(
        self,
        low_res: Tensor,
        kernel: Tensor,
        scale: int,
        sigma: Tensor,
        uncertainty: Tensor,
        correlation: Tensor | None = None,
    ) -> Tensor:
        """High-resolution picture (B, 3, s*h, s*w) of `low_res` (B, 3, h, w), circular borders."""
        noise = sigma.clamp_min(SIGMA_FLOOR)
        rho = torch.zeros_like(noise) if correlation is None else correlation
        known = torch.stack([noise.log() / 4 + 1, torch.full_like(noise, math.log(scale)), uncertainty, rho], 1)
        with torch.autocast(known.device.type, enabled=False):
            weights, levels = self.schedule(known).unflatten(1, (2, self.iterations)).unbind(1)
        step = DataStep(low_res, kernel, scale)
        x = bicubic_upscale(low_res, scale)
        for i in range(self.iterations):
            a = noise**2 * weights[:, i].exp()
            prior = self.last_prior if i + 1 == self.iterations else self.prior
            x = prior(step(x, a[:, None, None, None]), levels[:, i].exp(), uncertainty, rho)
        return x


def from_state(state: dict[str, Tensor]) -> UnrolledNet:
    """The network with these parameters, its sizes read from them; InputError when they are of something else."""
    try:
        widths = [state["prior.head.weight"].shape[0]]
        blocks = sum(name.startswith("prior.body.") and name.endswith("first.weight") for name in state)
        while (name := f"prior.down.{len(widths) - 1}.{blocks}.weight") in state:
            widths.append(state[name].shape[0])
        net = UnrolledNet(tuple(widths), blocks, state["schedule.4.bias"].shape[0] // 2)
        state = {name: value.float() for name, value in state.items()}
        for name in list(state):
            # Earlier weights have one prior for all iterations,
            if name.startswith("prior."):
                state.setdefault(name.replace("prior.", "last_prior.", 1), state[name])
        for name in ("prior.head.weight", "last_prior.head.weight", "schedule.0.weight"):
            # and the first know no correlation.
            state[name] = _wider(state[name], net.get_parameter(name).shape[1])
        net.load_state_dict(state)
    except (KeyError, RuntimeError, IndexError) as error:
        raise InputError("these are not the weights of an unrolled solver") from error
    return net


def _wider(weight: Tensor, inputs: int) -> Tensor:
    """`weight` (outputs, inputs - 1 or more, ...) with zeros for a last input that it does not have."""
    missing = inputs - weight.shape[1]
    if missing != 1:
        return weight
    return torch.cat([weight, torch.zeros_like(weight[:, :1])], 1)


def _stage(width: int, blocks: int, last: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(blocks)), last)


NETWORKS = ("unrolled", "usrnet")


def bundled(scale: int, device: str = "cpu") -> nn.Module:
    """The network for a scale: one for scale 1, where kernels are wide, and one for the others."""
    return network(None, ("deblur",) if scale == 1 else NETWORKS, device)


def solver_of(
    weights: Path | None, scale: int, ensemble: int = 1, tile: int | None = None, progress: Progress = silent
) -> Solve:
    """`solve` with the weights of a file, or the bundled ones (None), on the device of what it is given."""

    def solve_with(low_res: Tensor, kernel: Tensor, told: Told) -> Tensor:
        device = str(low_res.device)
        net = bundled(scale, device) if weights is None else network(weights, NETWORKS, device)
        return solve(low_res, kernel, scale, net, told, ensemble, tile, progress)

    return solve_with


def _prepare(problem: Problem, tile: int) -> Prepared:
    weights, scale, ensemble = problem.recipe.weights, problem.scale, problem.settings.unrolled.ensemble
    final = solver_of(weights, scale, ensemble, tile, problem.progress)
    return Prepared(solver_of(weights, scale), final)


METHOD = Solver(
    prepare=_prepare,
    seconds=lambda pixels, recipe: 3e-6 * pixels * recipe.settings.unrolled.ensemble,
    tile_memory=300,
    gate=lambda settings: settings.unrolled.gate,
    networks=NETWORKS,
    uncertain=True,
)
