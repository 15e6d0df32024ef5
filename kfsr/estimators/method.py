"""What a way to find a kernel says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from kfsr.analysis.problem import Problem
from kfsr.kernel import Kernel
from kfsr.recipe import MOST_UNCERTAIN, Recipe


def _nothing(pixels: int, recipe: Recipe) -> int:
    return 0


def _unknown(problem: Problem, kernel: Kernel) -> float | None:
    return None


def uncertainty_of_windows(problem: Problem, usual: float) -> float:
    """Of a kernel of any form that the edges' windows told, for the solver: `usual`, and more for a picture smaller
    than these."""
    cfg = problem.settings.edges
    seen = problem.pixels / (cfg.windows * cfg.window**2)
    return min(MOST_UNCERTAIN, usual * max(1.0, seen**-0.25))


@dataclass(frozen=True)
class Estimator:
    """estimate: finds the kernel that a problem's pictures share; raises NothingToLearn where they do not tell one.
    seconds, memory: of one thread, and bytes beside the picture, that it takes for so many low-resolution pixels with
    a recipe. scales: where it is defined. inits: kernels it can start from, by name, the first by default. estimated:
    False for a kernel that is assumed, whatever the picture. refined: whether the fine form that the solver finds
    helps its kernel. any_form: whether that is found as for paths and boxes, which are known less well than a Gaussian.
    joint: finds the whole high-resolution picture as well, for a method that can. uncertainty: of its kernel, for the
    solver; None where it cannot tell.
    """

    estimate: Callable[[Problem], Kernel]
    seconds: Callable[[int, Recipe], float]
    memory: Callable[[int, Recipe], int] = _nothing
    scales: tuple[int, ...] = (2, 3, 4)
    inits: tuple[str, ...] = ("spectral",)
    estimated: bool = True
    refined: bool = False
    any_form: bool = False
    joint: Callable[[Problem], tuple[Tensor, Kernel]] | None = None
    uncertainty: Callable[[Problem, Kernel], float | None] = _unknown
