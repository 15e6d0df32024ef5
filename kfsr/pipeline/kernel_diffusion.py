"""Kernel-Diff as a method: the diffusion of kernels, guided by the bundled solver."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kfsr.analysis.few_edges import SIDE, WINDOW
from kfsr.analysis.noise import noise_level
from kfsr.analysis.problem import Problem, Told
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import NothingToLearn
from kfsr.estimators.kernel_diffusion import Guide, Restore, Samples, kernel_diffusion, seen_part
from kfsr.estimators.method import Estimator
from kfsr.kernel import Kernel, Provenance
from kfsr.priors.kernel_diffusion import KernelDiffusionNet
from kfsr.recipe import MOST_UNCERTAIN, Recipe
from kfsr.solvers import unrolled
from kfsr.weights import network

SMALLEST = 32
"""Low-resolution pixels a side of a picture that a kernel can be learned from."""

LEAST_NOISE = 0.003
"""Standard deviation, [-1, 1] units, that the solver is told at least: rounding to 8 bits, and a little."""

SOLVER_SECONDS = 1.2e-5
"""Of one thread, per pixel of the solver's window and per guiding step."""

SAMPLE_SECONDS = 0.015
"""Per sample and step of the model."""


def samples(problem: Problem) -> Samples:
    """The posterior's samples of a problem's kernel, from the busiest window of its pictures. On the CPU, where the
    kernel's small grid is done soonest. Raises NothingToLearn for pictures that are too small, or flat."""
    cfg, scale = problem.settings.kernel_diffusion, problem.scale
    with problem.timed("kernel-diff"), torch.no_grad():
        low_res = _busiest(problem)
        net = network(None, ("kernel diffusion",))
        assert isinstance(net, KernelDiffusionNet)
        noise = max(noise_level(low_res), LEAST_NOISE)
        guide = Guide(low_res, noise, scale, _solver(cfg.uncertainty, scale), cfg) if cfg.guided else None
        picture = seen_part((low_res + 1) / 2, scale)
        return kernel_diffusion(net, guide, picture, scale, cfg, problem.generator(9), problem.progress)


def _solver(uncertainty: float, scale: int) -> Restore:
    net = unrolled.bundled(scale)

    def restore(low_res: Tensor, kernel: Tensor, scale: int, noise: float) -> Tensor:
        return unrolled.forward(low_res, kernel, scale, net, Told(noise, uncertainty))

    return restore


def _busiest(problem: Problem) -> Tensor:
    """(1, 1, h, w) luminance, [-1, 1], of the window with the most contrast in the pictures' busiest ones."""
    side = -(-WINDOW // problem.scale)
    found = []
    for plane in problem.luminances:
        if min(plane.shape) >= SMALLEST:
            found += [plane[window] for window in busiest_windows(plane, side, 1)]
    if not found:
        raise NothingToLearn(f"a picture under {SMALLEST} px on a side is too small for kernel-diff")
    best = max(found, key=lambda one: float(one.std()) * one.size)
    if best.std() < 1e-3:
        raise NothingToLearn("the picture is flat: it has nothing to learn a kernel from")
    return torch.from_numpy(np.ascontiguousarray(best, dtype=np.float32))[None, None] * 2 - 1


def _estimate(problem: Problem) -> Kernel:
    size = SIDE - problem.scale % 2
    mean = problem.once(samples).mean(problem.settings.kernel_diffusion.averaged, problem.scale)
    best = mean[:size, :size].double().numpy()
    return Kernel.from_array(best, problem.scale, Provenance("estimated", "kernel-diff"))


def _uncertainty(problem: Problem, kernel: Kernel) -> float:
    cfg = problem.settings.kernel_diffusion
    return min(MOST_UNCERTAIN, cfg.least_uncertainty + cfg.doubt * problem.once(samples).spread)


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.kernel_diffusion
    guiding = cfg.guided * (cfg.steps - cfg.first_guided)
    return 0.5 + cfg.samples * cfg.steps * SAMPLE_SECONDS + guiding * cfg.window**2 * SOLVER_SECONDS


METHOD = Estimator(
    estimate=_estimate,
    seconds=_seconds,
    memory=lambda pixels, recipe: 2**20 * (100 + 10 * recipe.settings.kernel_diffusion.samples),
    scales=(1, 2, 3, 4),
    uncertainty=_uncertainty,
)
