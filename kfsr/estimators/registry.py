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
    "shake": ("kfsr.estimators.shake", "a shaken camera's path, at scale 1"),
    "kernelfusion": ("kfsr.estimators.kernelfusion", "any form, by diffusion, in minutes"),
    "kernelfusion-edges": ("kfsr.pipeline.combined", "the same polished by edges, or edges alone where that is better"),
    "soft": ("kfsr.estimators.softness", "mild blur and defocus, at scale 1"),
    "kernel-diff": ("kfsr.pipeline.kernel_diffusion", "any form up to 63 px, by a learned posterior and the solver"),
    "bicubic": ("kfsr.estimators.bicubic", "assume a clean resize"),
}
"""Name of each method, the module that says all else of it, and half a line for the help."""


ACROSS_SCALES = frozenset({"spectral", "ikl", "edges", "kernelfusion", "kernelfusion-edges", "bicubic"})
"""Those that are not defined at scale 1, as `Estimator.scales` says, which the help has no time to load."""


AT_OWN_SIZE = frozenset({"shake", "soft"})
"""Those that are defined at scale 1 alone."""


def names(scale: int | None = None) -> tuple[str, ...]:
    """All methods, or those that are defined at a scale, in the order of the help."""
    if scale is None:
        return tuple(METHODS)
    undefined = ACROSS_SCALES if scale == 1 else AT_OWN_SIZE
    return tuple(name for name in METHODS if name not in undefined)


def summaries(scale: int | None = None) -> dict[str, str]:
    """Half a line about each."""
    return {name: METHODS[name][1] for name in names(scale)}


def estimator(name: str) -> Estimator:
    """What the method of that name says of itself; UsageError lists the names there are."""
    if name not in METHODS:
        raise UsageError(f"there is no kernel method {name!r}; use one of {', '.join(METHODS)}")
    found: Estimator = importlib.import_module(METHODS[name][0]).METHOD
    return found
