"""The first stage: the kernel, estimated from the pictures by a method, and stamped with where it is from."""

from __future__ import annotations

from contextlib import suppress

from kfsr.analysis.problem import Problem
from kfsr.errors import NothingToLearn
from kfsr.estimators.registry import estimator
from kfsr.kernel import Kernel, Provenance


def estimated(problem: Problem, name: str) -> Kernel:
    """The kernel by the method of that name, not refined. It says which method it is of, also where one method left
    the choice to another, and how uncertain it is. Raises NothingToLearn where the pictures do not tell one."""
    method = estimator(name)
    kernel = method.estimate(problem)
    left_to_another = kernel.provenance.pictures
    return stamped(problem, name, kernel) if method.estimated and not left_to_another else kernel


def stamped(problem: Problem, name: str, kernel: Kernel) -> Kernel:
    """A kernel that the method of that name has estimated, with its provenance."""
    uncertainty = None
    with suppress(NothingToLearn):
        uncertainty = estimator(name).uncertainty(problem, kernel)
    return kernel.stamped(Provenance("estimated", name, len(problem.pictures), uncertainty))
