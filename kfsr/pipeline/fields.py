"""A lens's kernels in the second stage: checked against the picture, and solved with over the frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kfsr.analysis.problem import Problem, Told
from kfsr.errors import UsageError
from kfsr.image import Image
from kfsr.kernel import KernelField, Lens
from kfsr.kernel.shot import shot_of
from kfsr.pipeline.finish import finish
from kfsr.pipeline.gate import Decision
from kfsr.recipe import Recipe
from kfsr.solvers.frame import Frame, over_frame
from kfsr.solvers.tiles import on_device_or_cpu

SOLVER = "unrolled"
"""The solver that takes a kernel for each colour."""

LARGEST_TILE = 1024
"""Pixels a side; `over_frame` makes them smaller for fine grids."""


@dataclass(frozen=True)
class Placed:
    """A field of kernels, and where the picture that is solved lies in its frame."""

    field: KernelField
    frame: Frame

    def solved(
        self,
        problem: Problem,
        picture: Tensor,
        final: Callable[[Tensor, Tensor, Told], Tensor],
        decision: Decision,
        tile: int,
    ) -> Tensor:
        """`picture` (1, C, h, w) solved by `final` and finished, tile by tile."""

        def on(device: torch.device) -> Tensor:
            def solve(part: Tensor, kernel: Tensor) -> Tensor:
                high_res = final(part, kernel, decision.told)
                return finish(high_res, part, kernel, 1, decision.strength, decision.denoise)

            return over_frame(picture.to(device), self.field, self.frame, solve, min(tile, LARGEST_TILE))

        with problem.timed("solver"):
            return on_device_or_cpu(problem.device, on)


def field_for(lens: Lens, picture: Image, window: tuple[int, int, int, int], recipe: Recipe) -> Placed:
    """The lens's field for a `window` of a picture: first row and column, rows, columns.

    Raises InputError where the picture is not of the lens's frame, UsageError for a solver of one kernel only. Warns
    (UserWarning) where the picture's EXIF says that it was taken otherwise.
    """
    if recipe.solver != SOLVER:
        raise UsageError(f"a lens's kernels need the solver {SOLVER}, not {recipe.solver}; leave --solver out")
    row, col, *whole = lens.frame_of(picture.width, picture.height)
    if different := lens.shot.differences(shot_of(picture.exif)):
        warnings.warn(
            f"the lens was measured otherwise; this picture has {', '.join(different)}", UserWarning, stacklevel=2
        )
    return Placed(lens.field, (row + window[0], col + window[1], whole[0], whole[1]))
