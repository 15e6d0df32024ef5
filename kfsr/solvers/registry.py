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


ENLARGING = frozenset({"bicubic"})
"""Those that are not defined at scale 1, as `Solver.scales` says, which the help has no time to load."""


def names(scale: int | None = None) -> tuple[str, ...]:
    """All solvers, or those that are defined at a scale, in the order of the help."""
    return tuple(name for name in METHODS if scale != 1 or name not in ENLARGING)


def summaries(scale: int | None = None) -> dict[str, str]:
    """Half a line about each."""
    return {name: METHODS[name][1] for name in names(scale)}


def solver(name: str) -> Solver:
    """What the solver of that name says of itself; UsageError lists the names there are."""
    if name not in METHODS:
        raise UsageError(f"there is no solver {name!r}; use one of {', '.join(METHODS)}")
    found: Solver = importlib.import_module(METHODS[name][0]).METHOD
    return found
