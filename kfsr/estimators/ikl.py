"""IKL: the kernel that makes clean pictures' patches look like observed ones when it downscales them (ddm4ip).

Two patch models that both go on learning, one of the observed pictures and one of the degraded clean ones (auxiliary),
give the gradient of KL(Y_k || Y) with respect to the kernel of a linear convolution net. One picture passes for both:
across scales its patches recur.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import fftconvolve
from torch import Tensor, nn

from kfsr.analysis.problem import Problem
from kfsr.checkpoint import PLAIN, Driver, State
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator
from kfsr.estimators.registry import estimator
from kfsr.kernel.gaussian import MIN_VARIANCE, fit_gaussian, gaussian_kernel, own_blur_factor
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, default_size
from kfsr.numerics import autocast, weights_from
from kfsr.operator.spatial import degrade
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import PatchDenoiser
from kfsr.priors.patch.training import (
    denoising_loss,
    draw_sigma,
    loss_weight,
    train_patch_model,
    training_bytes,
    training_seconds,
)
from kfsr.recipe import Recipe
from kfsr.settings import IklSettings


class LinearKernelNet(nn.Module):
    """Three convolutions without bias or activation, kept collapsed: one (K, K) kernel with the same gradients.

    Started at `start` (K, K), sum 1. One path through the layers carries a Gaussian of a third of `covariance`
    each, all others small random weights; what the layers collapse to at first is replaced by `start`, exactly.
    """

    offset: Tensor

    def __init__(self, start: Tensor, covariance: np.ndarray, width: int) -> None:
        super().__init__()
        third = (start.shape[0] + 2) // 3
        sides = [start.shape[0] + 2 - 2 * third, third, third]
        shapes = [(1, width), (width, width), (width, 1)]
        self.layers = nn.ParameterList()
        for side, (inputs, outputs) in zip(sides, shapes, strict=True):
            factor = gaussian_kernel(covariance / 3, 2 - side % 2, side).array
            weight = torch.randn(outputs, inputs, side, side) * 1e-3 / width**0.5
            weight[0, 0] = torch.from_numpy(factor.copy()).float()
            self.layers.append(nn.Parameter(weight))
        self.register_buffer("offset", start - self._collapsed().detach())

    def forward(self) -> Tensor:
        """The collapsed kernel (K, K), sum 1, canonical (correlation) convention."""
        k = self._collapsed() + self.offset
        return k / k.sum()

    def _collapsed(self) -> Tensor:
        k = self.layers[0]
        for weight in list(self.layers)[1:]:
            # Correlating one after the other is convolving the filters.
            side = weight.shape[-1] - 1
            k = F.conv2d(F.pad(k.transpose(0, 1), (side,) * 4), weight.flip(2, 3)).transpose(0, 1)
        return k[0, 0]


def match(
    clean: CropSampler,
    observed: CropSampler,
    start: Kernel,
    model: PatchModel,
    settings: IklSettings,
    generator: torch.Generator,
    driver: Driver = PLAIN,
    *,
    share: float = 1.0,
    own_blur: float = 1.0,
) -> Kernel:
    """The kernel with which the patches of `clean` pictures become those of `observed` ones, both in [-1, 1].

    start: what it is refined from; its scale is what is between the two. model: the patch model of `observed`, where
    crops are drawn without turning them. share: how much of the learned change is taken, less than all where the start
    has other errors than this method. own_blur: factor on the kernel's covariance that gives what `clean` still lacks:
    1 for sharp pictures. One picture, or several that share a kernel, are both `clean` and `observed`: they are matched
    with themselves downscaled, have the kernel's blur already, and lack `own_blur_factor` of it.

    Raises NothingToLearn when a picture is too small for one crop, NumericalError when the result is not finite.
    """
    cfg, scale = settings, start.scale
    covariance = start.covariance * own_blur
    first = gaussian_kernel(covariance, scale, start.size)
    # A crop of `side` degraded pixels needs scale * side + size - scale clean ones.
    side = min(cfg.crop, observed.largest, (clean.largest - start.size + scale) // scale)
    if side <= 2 * model.network.margin:
        raise NothingToLearn(f"the picture is too small for ikl at scale {scale}; use --kernel-method spectral")

    def begin() -> Matching:
        with weights_from(generator):
            kernel = LinearKernelNet(torch.from_numpy(first.array.copy()).float(), covariance, cfg.width)
        kernel = kernel.to(clean.device)
        return Matching(
            generator=generator,
            kernel=kernel,
            optimiser=torch.optim.Adam(kernel.parameters(), cfg.kernel_rate / scale**2, betas=(0.9, 0.99)),
            auxiliary=Learner.of(model, cfg.auxiliary_rate),
            real=Learner.of(model, cfg.auxiliary_rate),
            iterates=torch.zeros(max(1, cfg.iterations // 2), start.size, start.size, device=clean.device),
        )

    steps = partial(matching, clean, observed, scale, side, cfg)
    state = driver.run("ikl", cfg.warm_up + cfg.iterations, begin, steps, clean.device, generator)
    refined = state.iterates.mean(0).cpu().double().numpy()
    return _finished(refined, first, start, own_blur, share, cfg.gaussian_enough)


@dataclass
class Learner:
    """A copy of the patch model that goes on learning."""

    network: PatchDenoiser
    optimiser: torch.optim.Adam

    @classmethod
    def of(cls, model: PatchModel, rate: float) -> Learner:
        """The model as it is, to be trained with Adam."""
        network = copy.deepcopy(model.network).train()
        return cls(network, torch.optim.Adam(network.parameters(), rate, betas=(0.9, 0.99)))

    def learn(
        self, clean: Tensor, sigma: Tensor, generator: torch.Generator, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """One denoising step on `clean`; returns the noisy crops and what was made of their middle."""
        loss, noisy, denoised = denoising_loss(self.network, clean, sigma, generator, dtype)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return noisy, denoised.detach()


@dataclass(kw_only=True)
class Matching(State):
    """kernel: what is learned, with its optimiser. auxiliary, real: the patch models of degraded and of observed
    pictures. iterates: the kernel after each of the steps that the result is the mean of, (n, K, K)."""

    kernel: LinearKernelNet
    optimiser: torch.optim.Adam
    auxiliary: Learner
    real: Learner
    iterates: Tensor

    def results(self) -> Iterable[Tensor]:
        """The kernels."""
        return [self.iterates]


def matching(
    clean: CropSampler,
    observed: CropSampler,
    scale: int,
    side: int,
    cfg: IklSettings,
    state: Matching,
    dtype: torch.dtype,
) -> Iterator[None]:
    """IKL (ddm4ip): gradient descent on KL(A_k X || Y), the two distributions known by their denoisers.

    side: of the crops, observed pixels. The rate decays to zero, and the last half of the iterates is kept.
    """
    generator, rate = state.generator, cfg.kernel_rate / scale**2
    margin = state.real.network.margin
    inner = (..., slice(margin, side - margin), slice(margin, side - margin))
    for step in range(state.step, cfg.warm_up + cfg.iterations):
        # y' = A_k(x), sigma ~ log-uniform
        k = state.kernel()
        x = clean.draw(cfg.batch, scale * side + k.shape[-1] - scale, generator)
        y = degrade(x, k, scale, "valid")
        sigma = draw_sigma(cfg.batch, cfg.sigma_min, cfg.sigma_max, generator).to(x.device)
        # (i) One denoising step of D_aux on y', and one of D on Y: a model that stood still would fall behind in plain
        # skill, and the kernel would follow that difference.
        z, denoised = state.auxiliary.learn(y.detach(), sigma, generator, dtype)
        state.real.learn(observed.draw(cfg.batch, side, generator), sigma, generator, dtype)
        update = step - cfg.warm_up
        if update >= 0:
            # (ii) One step of k along mean(w(sigma) (D_aux(z) - D(z)) y'), z = y' + sigma n, the denoisers held fixed
            # (eq. 5, with the sign of the published code, which descends).
            with torch.no_grad(), autocast(z.device, dtype):
                real = state.real.network(z, sigma)
            direction = loss_weight(sigma) * (denoised - real)
            loss = (direction * y[inner]).mean() + _regulariser(k)
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            for group in state.optimiser.param_groups:
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * update / cfg.iterations))
            state.optimiser.step()
            kept = update - (cfg.iterations - len(state.iterates))
            if kept >= 0:
                state.iterates[kept] = state.kernel().detach()
        yield


def _regulariser(k: Tensor) -> Tensor:
    """0.1 mean|k| + 0.01 |centre of mass|^2 (ddm4ip's code; its third term, |sum - 1|, is zero here)."""
    i = torch.arange(k.shape[0], device=k.device) - (k.shape[0] - 1) / 2
    return 0.1 * k.abs().mean() + 0.01 * ((k.sum(0) @ i) ** 2 + (k.sum(1) @ i) ** 2)


def _finished(
    refined: np.ndarray, first: Kernel, start: Kernel, own_blur: float, share: float, gaussian_enough: float
) -> Kernel:
    """The kernel from what was learned, k_hat: noise in the tails removed, and the blur of `clean` put back.

    Frequencies that only alias are not determined by the data, so k_hat carries a low noise out to its corners that
    would swamp its second moment. Where one Gaussian explains it (correlation >= `gaussian_enough`), that Gaussian
    is the kernel; the change of its covariance from `first` is what was learned. Otherwise k_hat is kept free, cut at a
    hundredth of its peak, and blurred by what remains of its own covariance.
    """
    origin = Provenance("estimated", "ikl")
    fit, likeness = fit_gaussian(refined, start.scale)
    if likeness >= gaussian_enough:
        change = (fit.covariance - fit_gaussian(first.array, start.scale)[0].covariance) / own_blur
        learned = start.covariance + share * change
        if np.linalg.eigvalsh(learned)[0] < MIN_VARIANCE:
            return start.stamped(origin)
        return gaussian_kernel(learned, start.scale, start.size).stamped(origin)
    free = Kernel.from_array(np.where(refined > 0.01 * refined.max(), refined, 0.0), start.scale)
    if own_blur < 1:
        rest = gaussian_kernel(free.covariance * (1 / own_blur - 1), 1, start.size - 1 + start.size % 2).array
        free = Kernel.from_array(fftconvolve(free.array, rest, mode="same"), start.scale)
    return free.stamped(origin)


STEP_SECONDS = 0.19
"""Of one thread, for an iteration on 8 crops."""


def _of_problem(problem: Problem) -> Kernel:
    cfg = problem.settings.ikl
    if problem.recipe.kernel_init == "spectral":
        start = estimator("spectral").estimate(problem)
    else:
        start = gaussian_kernel(np.eye(2) * 0.3 * problem.scale**2, problem.scale, default_size(problem.scale))
    crops = CropSampler(problem.tensors, focus=True)
    with problem.timed("patch model"):
        model = train_patch_model(crops, cfg.patch, problem.generator(1), problem.driver)
    with problem.timed("ikl"):
        share = cfg.confidence if problem.recipe.kernel_init == "spectral" else 1.0
        own = own_blur_factor(problem.scale)
        random = problem.generator(2)
        return match(crops, crops, start, model, cfg, random, problem.driver, share=share, own_blur=own)


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.ikl
    steps = (cfg.iterations + cfg.warm_up) * STEP_SECONDS * cfg.batch / 8
    return estimator("spectral").seconds(pixels, recipe) + training_seconds(cfg.patch) + steps


METHOD = Estimator(
    estimate=_of_problem,
    seconds=_seconds,
    memory=lambda pixels, recipe: training_bytes(recipe.settings.ikl.patch) * 4 // 3,  # two models go on learning
    inits=("spectral", "gaussian"),
    refined=True,
    uncertainty=lambda problem, kernel: estimator("spectral").uncertainty(problem, kernel),
)
