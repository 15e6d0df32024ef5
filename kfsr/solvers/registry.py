"""The ways from a kernel to the picture. A new one is a file with a `METHOD`, and a line here. Importing this loads
none."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kfsr.errors import UsageError

if TYPE_CHECKING:
    from kfsr.solvers.method import Solver

METHODS = {
    "unrolled": ("kfsr.solvers.unrolled", "exact data steps and a trained network in turns"),
    "unfolding": ("kfsr.solvers.unfolding", "data steps and the picture's own patch model in turns"),
    "zssr": ("kfsr.solvers.zssr", "a network trained on the picture's own father-son pairs"),
    "bicubic": ("kfsr.solvers.bicubic", "plain interpolation"),
}
"""Name of each solver, the module that says all else of it, and half a line for the help."""


def names() -> tuple[str, ...]:
    """All solvers, in the order of the help."""
    return tuple(METHODS)


def summaries() -> dict[str, str]:
    """Half a line about each."""
    return {name: summary for name, (_, summary) in METHODS.items()}


def solver(name: str) -> Solver:
    """What the solver of that name says of itself; UsageError lists the names there are."""
    if name not in METHODS:
        raise UsageError(f"there is no solver {name!r}; use one of {', '.join(METHODS)}")
    found: Solver = importlib.import_module(METHODS[name][0]).METHOD
    return found
