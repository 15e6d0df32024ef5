"""The second stage: the picture, by a solver and the gate; and the kernel's refinement, which takes a solver too."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.noise import noise_variance
from kfsr.errors import UsageError
from kfsr.estimators import refinement
from kfsr.estimators.refinement import Solve
from kfsr.kernel import Kernel, half_kernel
from kfsr.operator.spatial import bicubic_upscale
from kfsr.pipeline.gate import BICUBIC, Choice, choose
from kfsr.pipeline.work import Work, check_choice, kernel_tensor, told_sigma
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.progress import Progress, silent
from kfsr.settings import GateSettings
from kfsr.solvers import unfolding, unrolled, zssr
from kfsr.solvers.tiles import on_device_or_cpu
from kfsr.solvers.unrolled import WORST
from kfsr.weights import solver_network

SOLVERS = ("unrolled", "unfolding", "zssr", "bicubic")

SMALLEST_FATHER = 48
"""Low-resolution pixels a side under which a picture is not shrunk for the prior: too few patches would be left."""


def check_solver(solver: str, weights: Path | None, uncertainty: float | None, device: str) -> None:
    """Fail before any work: UsageError when the solver is none, or cannot use what it is given; InputError when
    `weights` are none."""
    check_choice("solver", solver, SOLVERS)
    if uncertainty is not None and not 0 <= uncertainty <= WORST:
        raise UsageError(f"uncertainty {uncertainty} is not between 0 and {WORST:g}")
    if solver != "unrolled":
        for name, value in (("weights", weights), ("uncertainty", uncertainty)):
            if value is not None:
                raise UsageError(f"the solver {solver} takes no {name}; leave --{name} out or use the solver unrolled")
    elif weights is not None and uncertainty is not None:
        if not isinstance(solver_network(weights, device), unrolled.UnrolledNet):
            raise UsageError(f"{weights}: USRNet's weights take no uncertainty; leave --uncertainty out")
    elif weights is not None:
        solver_network(weights, device)


def gate_settings(work: Work, solver: str) -> GateSettings:
    """What the gate goes by for that solver."""
    return work.preset.unrolled.gate if solver == "unrolled" else work.preset.unfolding.gate


class SolverStage:
    """Makes the picture of a `Work`, and refines its kernel. tile: the solver's, side in low-resolution pixels."""

    def __init__(self, work: Work, tile: int) -> None:
        self.work, self.tile = work, tile

    def solve(
        self, part: Tensor, kernel: Kernel, solver: str, uncertainty: float, weights: Path | None, *, estimated: bool
    ) -> tuple[Tensor, Choice]:
        """The high-resolution picture of `part`, and what the gate chose to make it with. estimated: whether the kernel
        is an estimate, which is trusted less than one that was given."""
        gate = gate_settings(self.work, solver)
        least = gate.estimated_sigma if estimated else gate.trusted_sigma
        sigma = max(least, told_sigma(self.work.low_res))
        trial, final = self._solver(solver, weights)
        with self.work.timed("gate"):
            choice = choose(
                self.work.low_res,
                kernel,
                sigma,
                uncertainty,
                self.work.noise,
                trial,
                gate,
                self.work.generator(5),
                estimated=estimated,
                progress=self.work.progress,
            )
        if choice.verdict.verdict == BICUBIC:
            return bicubic_upscale(part, self.work.scale), choice
        with self.work.timed("solver"):

            def on(device: torch.device) -> Tensor:
                k = kernel_tensor(choice.kernel, device)
                return final(part.to(device), k, choice.sigma, choice.uncertainty)

            return on_device_or_cpu(self.work.device, on), choice

    def _solver(self, name: str, weights: Path | None) -> tuple[Solve, Solve]:
        """The solver as the gate tries it on a window, quick and silent, and as it makes the picture."""
        scale, settings = self.work.scale, self.work.preset.unfolding
        tile = self.tile
        if name == "unrolled":

            def trained(low_res: Tensor, k: Tensor, sigma: float, uncertainty: float) -> Tensor:
                net = solver_network(weights, str(low_res.device))
                return unrolled.solve(low_res, k, scale, net, sigma, uncertainty)

            def averaged(low_res: Tensor, k: Tensor, sigma: float, uncertainty: float) -> Tensor:
                net, turns = solver_network(weights, str(low_res.device)), self.work.preset.unrolled.turns
                return unrolled.solve(low_res, k, scale, net, sigma, uncertainty, turns, tile)

            return trained, averaged
        fathers = CropSampler([_shrunk(self.work.low_res, f) for f in settings.father_factors], turn=True)
        with self.work.timed("prior"):
            prior = train_patch_model(
                fathers,
                settings.prior,
                self.work.generator(3),
                stage="prior",
                progress=self.work.progress,
                checkpoint=self.work.checkpoint,
            )

        def unfold(low_res: Tensor, k: Tensor, sigma: float, _: float, progress: Progress = silent) -> Tensor:
            here = prior.on(low_res.device)
            return unfolding.solve(low_res, k, scale, here, settings, sigma, tile, progress=progress)

        if name == "unfolding":
            return unfold, partial(unfold, progress=self.work.progress)

        def learn(low_res: Tensor, k: Tensor, sigma: float, _: float) -> Tensor:
            cfg, random, here = self.work.preset.zssr, self.work.generator(4), prior.on(low_res.device)
            crops = CropSampler([one.to(low_res.device) for one in fathers.pictures], turn=True)
            half = half_kernel(k.cpu().numpy()) if scale == 4 else None
            if half is not None:
                h = kernel_tensor(half, low_res.device)
                return zssr.solve_in_two(low_res, h, here, crops, cfg, sigma, random, tile, progress=self.work.progress)
            return zssr.solve(low_res, k, scale, here, crops, cfg, sigma, random, tile, progress=self.work.progress)

        return unfold, learn

    def refined(self, kernel: Kernel, refine: bool | None) -> Kernel:
        """`kernel` with the fine form that the bundled solver finds, whatever makes the picture later; as it is where
        that is not asked for, nor (None) known to help."""
        cfg = self.work.preset.refine
        if refine is False or (refine is None and kernel.method not in ("spectral", "ikl")):
            return kernel
        solve, _ = self._solver("unrolled", None)
        with self.work.timed("refine"):
            each = [
                refinement.refine(
                    low_res,
                    kernel,
                    max(self.work.preset.unrolled.gate.estimated_sigma, told_sigma(low_res)),
                    math.sqrt(noise_variance(low_res)),
                    solve,
                    cfg,
                    self.work.generator(6),
                    progress=self.work.progress,
                )
                for low_res in self.work.tensors
            ]
        if len(each) == 1:
            return each[0]
        return Kernel.from_array(np.mean([one.array for one in each], 0), self.work.scale, kernel.provenance)


def _shrunk(picture: Tensor, factor: float) -> Tensor:
    if factor == 1 or min(picture.shape[-2:]) < factor * SMALLEST_FATHER:
        return picture
    return F.interpolate(picture, scale_factor=1 / factor, mode="bicubic", antialias=True, align_corners=False)
