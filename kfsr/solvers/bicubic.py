"""Plain interpolation: no kernel is inverted."""

from __future__ import annotations

from torch import Tensor

from kfsr.analysis.problem import Problem, Told
from kfsr.operator.spatial import bicubic_upscale
from kfsr.solvers.method import Prepared, Solver


def _prepare(problem: Problem, tile: int) -> Prepared:
    def interpolate(low_res: Tensor, kernel: Tensor, told: Told) -> Tensor:
        return bicubic_upscale(low_res, problem.scale)

    return Prepared(interpolate, interpolate)


METHOD = Solver(
    prepare=_prepare, seconds=lambda pixels, recipe: 0.2e-6 * pixels, tile_memory=0, gate=None, scales=(2, 3, 4)
)
