"""ZSSR with an exact data step: a small network trained on the picture's own father-son pairs.

ZSSR (Shocher et al. 2018) degrades crops of the picture by the kernel and learns the way back from bicubic
interpolation. Here the way back starts from the regularised inverse of the kernel, so the network has only that
inverse's faults to learn, which takes a tenth of the steps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from kfsr.analysis.problem import Problem, Told, kernel_tensor
from kfsr.checkpoint import PLAIN, Driver, State
from kfsr.kernel import half_kernel
from kfsr.numerics import autocast
from kfsr.operator.fourier import DataStep, border, circular_degrade, padded
from kfsr.operator.spatial import bicubic_upscale, reflect_pad
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import PatchDenoiser
from kfsr.priors.patch.training import training_bytes, training_seconds
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import ZssrSettings
from kfsr.solvers.method import Prepared, Solver
from kfsr.solvers.prior import fathers, solver_prior
from kfsr.solvers.tiles import cropped, solve_in_tiles


def forward(low_res: Tensor, kernel: Tensor, scale: int, model: PatchModel, balance: float) -> Tensor:
    """High-resolution picture (1, C, s*h, s*w) of `low_res` (1, C, h, w), both float32 in [-1, 1].

    kernel: (K, K) canonical; the result is differentiable in it and in `low_res`. balance: the data step's weight.
    model: cleans what the data step makes of the bicubic interpolation. Raises NumericalError.
    """
    margin = border(kernel.shape[-1], scale)
    y = padded(low_res, margin)
    x = DataStep(y, kernel, scale)(bicubic_upscale(y, scale), balance)
    return cropped(model.denoise(x, model.sigma_max), margin * scale)


@dataclass(frozen=True)
class Step:
    """A network for one kernel, and the data step's weight, learned with it."""

    kernel: Tensor
    scale: int
    model: PatchModel
    balance: float

    def forward(self, low_res: Tensor) -> Tensor:
        """(1, C, h, w) to (1, C, s*h, s*w), on any device; see `forward`."""
        here = low_res.device
        return forward(low_res, self.kernel.to(here), self.scale, self.model.on(here), self.balance)


@dataclass(frozen=True)
class Fitted:
    """What was learned for one picture and kernel: a single step, or two steps of 2."""

    steps: tuple[Step, ...]

    def forward(self, low_res: Tensor) -> Tensor:
        """High-resolution picture of `low_res`, differentiable in it."""
        for step in self.steps:
            low_res = step.forward(low_res)
        return low_res

    def solve(self, low_res: Tensor, tile: int | None = None, progress: Progress = silent) -> Tensor:
        """`forward` without gradient, in tiles of so many low-resolution pixels a side (`solve_in_tiles`)."""
        for step in self.steps:

            def on(piece: Tensor, progress: Progress, step: Step = step) -> Tensor:
                x = step.forward(piece)
                progress("solver", 1, 1)
                return x

            low_res = solve_in_tiles(low_res, step.kernel.shape[-1], step.scale, on, tile, progress)
            tile = tile and tile * step.scale
        return low_res


def fit(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    fathers: CropSampler,
    settings: ZssrSettings,
    sigma: float,
    generator: torch.Generator,
    driver: Driver = PLAIN,
    tile: int | None = None,
) -> Fitted:
    """The networks for a picture (1, C, h, w) in [-1, 1] and a kernel (K, K), canonical.

    prior: start of the network, not changed. fathers: crops to learn from. sigma: standard deviation, in [-1, 1] units,
    of the noise that sons get. At scale 4, where the kernel is near one of 2 applied twice (`half_kernel`), there are
    two steps of 2: the second learns from what the first makes of `low_res` (in tiles of `tile`), whose sons still hold
    as many pixels as `low_res`. Raises NumericalError.
    """
    cfg = settings

    def step(k: Tensor, scale: int, fathers: CropSampler) -> Step:
        begin, steps = partial(_begin, prior, cfg, generator), partial(fitting, k, scale, fathers, cfg, sigma)
        state = driver.run("zssr", cfg.steps, begin, steps, fathers.device, generator)
        balance = float(state.log_balance.detach().exp())
        return Step(k, scale, PatchModel(state.network, cfg.level, cfg.level), balance)

    half = half_kernel(kernel.cpu().numpy()) if scale == 4 else None
    if half is None:
        return Fitted((step(kernel, scale, fathers),))
    k = kernel_tensor(half, kernel.device)
    first = step(k, 2, fathers)
    middle = Fitted((first,)).solve(low_res, tile).clamp(-1, 1)
    return Fitted((first, step(k, 2, CropSampler([middle], turn=True))))


@dataclass(kw_only=True)
class Fitting(State):
    """A network and the logarithm of the data step's weight, which are learned together."""

    network: PatchDenoiser
    log_balance: Tensor
    optimiser: torch.optim.Adam
    schedule: torch.optim.lr_scheduler.CosineAnnealingLR

    def results(self) -> Iterable[Tensor]:
        """All that was learned."""
        return [*self.network.parameters(), self.log_balance]


def fitting(
    kernel: Tensor,
    scale: int,
    fathers: CropSampler,
    cfg: ZssrSettings,
    sigma: float,
    state: Fitting,
    dtype: torch.dtype,
) -> Iterator[None]:
    """Learn the way from sons, degraded by the kernel, to fathers (ZSSR), from the data step on."""
    crop = min(cfg.crop, fathers.largest) // scale * scale
    level = torch.full((cfg.batch,), cfg.level, device=fathers.device)
    m = state.network.margin
    for _ in range(state.step, cfg.steps):
        father = fathers.draw(cfg.batch, crop, state.generator)
        son = circular_degrade(father, kernel, scale)
        son = son + sigma * torch.randn(son.shape, generator=state.generator).to(son.device)
        x = DataStep(son, kernel, scale)(bicubic_upscale(son, scale), state.log_balance.exp())
        with autocast(x.device, dtype):
            estimate = state.network(reflect_pad(x, m, m, m, m), level)
        loss = (estimate - father).abs().mean()
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), 0.5)
        state.optimiser.step()
        state.schedule.step()
        yield


def _begin(prior: PatchModel, cfg: ZssrSettings, generator: torch.Generator) -> Fitting:
    network = copy.deepcopy(prior.network).train()
    balance = torch.tensor(math.log(cfg.balance), device=next(network.parameters()).device, requires_grad=True)
    learned = [{"params": network.parameters(), "lr": cfg.rate}, {"params": [balance], "lr": 2e-2}]
    adam = torch.optim.Adam(learned)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, cfg.steps)
    return Fitting(generator=generator, network=network, log_balance=balance, optimiser=adam, schedule=schedule)


def _prepare(problem: Problem, tile: int) -> Prepared:
    """The networks are fitted once for each kernel and sigma, so the gate tries the very ones that make the picture."""
    prior, cfg = problem.once(solver_prior), problem.settings.zssr
    known: dict[tuple[bytes, float], Fitted] = {}

    def fitted(kernel: Tensor, sigma: float) -> Fitted:
        key = (kernel.cpu().numpy().tobytes(), sigma)
        if key not in known:
            random, crops, here = problem.generator(4), fathers(problem), kernel.to(problem.device)
            known[key] = fit(
                problem.low_res, here, problem.scale, prior, crops, cfg, sigma, random, problem.driver, tile
            )
        return known[key]

    def solve(low_res: Tensor, kernel: Tensor, told: Told, progress: Progress = silent) -> Tensor:
        return fitted(kernel, told.sigma).solve(low_res, tile, progress)

    return Prepared(solve, partial(solve, progress=problem.progress))


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.zssr
    steps = cfg.steps * 0.42 * cfg.batch * cfg.crop**2 / (4 * 96**2)
    return training_seconds(recipe.settings.unfolding.prior) + steps + 3e-6 * pixels


def _learning(recipe: Recipe) -> int:
    cfg, prior = recipe.settings.zssr, recipe.settings.unfolding.prior
    return max(training_bytes(prior), 120 * cfg.batch * cfg.crop**2 * prior.width)


METHOD = Solver(
    prepare=_prepare,
    seconds=_seconds,
    tile_memory=420,
    learning=_learning,
    gate=lambda settings: settings.unfolding.gate,
)
