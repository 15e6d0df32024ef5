"""The ways to find a kernel. A new one is a file with a `METHOD`, and a line here. Importing this loads no method."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kfsr.errors import UsageError

if TYPE_CHECKING:
    from kfsr.estimators.method import Estimator

METHODS = {
    "auto": ("kfsr.pipeline.auto", "what suits the picture"),
    "spectral": ("kfsr.estimators.calibration", "a Gaussian, in a second"),
    "ikl": ("kfsr.estimators.ikl", "the same, refined"),
    "edges": ("kfsr.estimators.edges", "any form"),
    "kernelfusion": ("kfsr.estimators.kernelfusion", "any form, by diffusion, in minutes"),
    "kernelfusion-edges": ("kfsr.pipeline.combined", "the same polished by edges, or edges alone where that is better"),
    "kernel-diff": ("kfsr.pipeline.kernel_diffusion", "any form up to 63 px, by a learned posterior and the solver"),
    "bicubic": ("kfsr.estimators.bicubic", "assume a clean resize"),
}
"""Name of each method, the module that says all else of it, and half a line for the help."""


def names() -> tuple[str, ...]:
    """All methods, in the order of the help."""
    return tuple(METHODS)


def summaries() -> dict[str, str]:
    """Half a line about each."""
    return {name: summary for name, (_, summary) in METHODS.items()}


def estimator(name: str) -> Estimator:
    """What the method of that name says of itself; UsageError lists the names there are."""
    if name not in METHODS:
        raise UsageError(f"there is no kernel method {name!r}; use one of {', '.join(METHODS)}")
    found: Estimator = importlib.import_module(METHODS[name][0]).METHOD
    return found
