"""KernelFusion's kernel polished by the edges, beside a kernel of the edges alone: the better of the two."""

from __future__ import annotations

from kfsr.analysis.problem import Problem
from kfsr.estimators import edges
from kfsr.estimators.method import Estimator, uncertainty_of_windows
from kfsr.estimators.registry import estimator
from kfsr.kernel import Kernel
from kfsr.recipe import Recipe


def _of_problem(problem: Problem) -> Kernel:
    """What the edges' objective says of the two goes to `problem.choice`."""
    both = {
        "kernelfusion, polished by the edges": edges.of_problem(problem, estimator("kernelfusion").estimate(problem)),
        "edges": edges.of_problem(problem),
    }
    with problem.timed("edges"):
        cfg = problem.settings.edges
        values = {name: edges.objective(problem.luminances, kernel, cfg) for name, kernel in both.items()}
    best = min(values, key=lambda name: values[name])
    problem.choice = f"{best}: the lower objective ({', '.join(f'{name} {v:.4g}' for name, v in values.items())})"
    return both[best]


def _seconds(pixels: int, recipe: Recipe) -> float:
    return estimator("kernelfusion").seconds(pixels, recipe) + edges.POLISH_SECONDS + edges.SECONDS


METHOD = Estimator(
    estimate=_of_problem,
    seconds=_seconds,
    memory=lambda pixels, recipe: estimator("kernelfusion").memory(pixels, recipe),
    refined=True,
    any_form=True,
    uncertainty=lambda problem, kernel: uncertainty_of_windows(problem, problem.settings.edges.uncertainty),
)
