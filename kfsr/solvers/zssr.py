"""ZSSR with an exact data step: a small network trained on the picture's own father-son pairs.

ZSSR (Shocher et al. 2018) degrades crops of the picture by the kernel and learns the way back from bicubic
interpolation. Here the way back starts from the regularised inverse of the kernel, so the network has only that
inverse's faults to learn, which takes a tenth of the steps.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from kfsr.analysis.problem import Problem, kernel_tensor
from kfsr.kernel import half_kernel
from kfsr.numerics import check_finite, in_working_precision
from kfsr.operator.fourier import DataStep, border, circular_degrade, padded
from kfsr.operator.spatial import bicubic_upscale, reflect_pad
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import PatchDenoiser
from kfsr.priors.patch.training import training_seconds
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import ZssrSettings
from kfsr.solvers.method import Prepared, Solver
from kfsr.solvers.prior import fathers, solver_prior
from kfsr.solvers.tiles import solve_in_tiles


def solve(
    low_res: Tensor,
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    fathers: CropSampler,
    settings: ZssrSettings,
    sigma: float,
    generator: torch.Generator,
    tile: int | None = None,
    *,
    progress: Progress = silent,
) -> Tensor:
    """High-resolution picture (1, C, s*h, s*w) of `low_res` (1, C, h, w), both float32 in [-1, 1].

    kernel: (K, K) canonical. prior: start of the network. fathers: crops to learn from. sigma: standard deviation,
    in [-1, 1] units, of the noise that sons get and the data step expects. tile: as in `unrolled.solve`; what is
    learned is one network for all tiles. Raises NumericalError.
    """

    def train(dtype: torch.dtype) -> tuple[PatchDenoiser, float]:
        return _train(kernel, scale, prior, fathers, settings, sigma, generator, dtype, progress)

    network, balance = in_working_precision(low_res.device, train, generator)
    model = PatchModel(network, settings.level, settings.level)
    margin = border(kernel.shape[-1], scale)

    @torch.no_grad()
    def solve_piece(piece: Tensor) -> Tensor:
        y = padded(piece, margin)
        x = DataStep(y, kernel, scale)(bicubic_upscale(y, scale), balance)
        x = model.denoise(x, settings.level)
        cut = margin * scale
        return x[..., cut : x.shape[-2] - cut, cut : x.shape[-1] - cut]

    return solve_in_tiles(low_res, scale, solve_piece, tile or max(low_res.shape[-2:]), margin)


def solve_in_two(
    low_res: Tensor,
    half: Tensor,
    prior: PatchModel,
    fathers: CropSampler,
    settings: ZssrSettings,
    sigma: float,
    generator: torch.Generator,
    tile: int | None = None,
    *,
    progress: Progress = silent,
) -> Tensor:
    """As `solve` for scale 4, in two steps of 2: `half` is the kernel of either (`kfsr.kernel.half_kernel`).

    The second step learns from the first one's result, whose sons still hold as many pixels as `low_res`.
    """
    middle = solve(low_res, half, 2, prior, fathers, settings, sigma, generator, tile, progress=progress)
    large = CropSampler([middle.clamp(-1, 1)], turn=True)
    double = None if tile is None else 2 * tile
    return solve(middle, half, 2, prior, large, settings, sigma, generator, double, progress=progress)


def _train(
    kernel: Tensor,
    scale: int,
    prior: PatchModel,
    fathers: CropSampler,
    cfg: ZssrSettings,
    sigma: float,
    generator: torch.Generator,
    dtype: torch.dtype,
    progress: Progress,
) -> tuple[PatchDenoiser, float]:
    """The network and the data step's weight, learned on father-son pairs."""
    network = copy.deepcopy(prior.network).train()
    device = fathers.device
    crop = min(cfg.crop, fathers.largest) // scale * scale
    log_balance = torch.tensor(math.log(cfg.balance), device=device, requires_grad=True)
    optimiser = torch.optim.Adam(
        [{"params": network.parameters(), "lr": cfg.rate}, {"params": [log_balance], "lr": 2e-2}]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, cfg.steps)
    level = torch.full((cfg.batch,), cfg.level, device=device)
    m = network.margin
    for step in range(cfg.steps):
        father = fathers.draw(cfg.batch, crop, generator)
        son = circular_degrade(father, kernel, scale)
        son = son + sigma * torch.randn(son.shape, generator=generator).to(device)
        x = DataStep(son, kernel, scale)(bicubic_upscale(son, scale), log_balance.exp())
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            guess = network(reflect_pad(x, m, m, m, m), level)
        loss = (guess - father).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimiser.step()
        schedule.step()
        progress("zssr", step + 1, cfg.steps)
    check_finite("training of zssr", [*network.parameters(), log_balance])
    return network, float(log_balance.detach().exp())


def _prepare(problem: Problem, tile: int) -> Prepared:
    prior, cfg, scale = problem.once(solver_prior), problem.settings.zssr, problem.scale

    def learn(low_res: Tensor, k: Tensor, sigma: float, _: float) -> Tensor:
        random, here = problem.generator(4), prior.on(low_res.device)
        half = half_kernel(k.cpu().numpy()) if scale == 4 else None
        if half is not None:
            h = kernel_tensor(half, low_res.device)
            return solve_in_two(low_res, h, here, fathers(problem), cfg, sigma, random, tile, progress=problem.progress)
        return solve(low_res, k, scale, here, fathers(problem), cfg, sigma, random, tile, progress=problem.progress)

    return Prepared(learn, learn)


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.zssr
    steps = cfg.steps * 0.42 * cfg.batch * cfg.crop**2 / (4 * 96**2)
    return training_seconds(recipe.settings.unfolding.prior) + steps + 3e-6 * pixels


METHOD = Solver(prepare=_prepare, seconds=_seconds, tile_memory=420, gate=lambda settings: settings.unfolding.gate)
