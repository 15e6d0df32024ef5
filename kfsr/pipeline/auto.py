"""The method that suits the picture: bicubic's kernel where a program resized it, a Gaussian's where the kernel looks
like one, else the edges'."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np

from kfsr.analysis.problem import Problem
from kfsr.errors import NothingToLearn
from kfsr.estimators import edges, shake, softness
from kfsr.estimators.calibration import Calibration, calibrated
from kfsr.estimators.method import Estimator
from kfsr.estimators.registry import estimator
from kfsr.kernel import Kernel, Provenance, bicubic_kernel
from kfsr.pipeline.kernels import estimated, stamped
from kfsr.recipe import Recipe
from kfsr.settings import BicubicSettings


def _of_problem(problem: Problem) -> Kernel:
    """The choice and its reason go to `problem.choice`."""
    if problem.scale == 1:
        return _at_own_size(problem)
    cfg = problem.settings.auto
    known = problem.once(calibrated)
    # Spectra that are not a Gaussian's are fitted by one that is far too small.
    odds = known.odds + cfg.odds_of_size * max(0.0, known.size_error)

    def gaussian(reason: str) -> Kernel:
        problem.choice = f"{cfg.gaussian_method}: {reason}"
        return estimated(problem, cfg.gaussian_method)

    if _is_bicubic(known, problem.scale, cfg.bicubic):
        problem.choice = "bicubic: a clean picture under a small round kernel, as programs resize"
        origin = Provenance("estimated", "bicubic", len(problem.pictures), cfg.bicubic.uncertainty)
        return bicubic_kernel(problem.scale).stamped(origin)
    if odds < cfg.least_odds:
        return gaussian(f"the kernel looks like a Gaussian (log odds {-odds:.1f})")
    if known.noise > cfg.most_noise:
        return gaussian(f"the picture is too noisy to tell a kernel from its edges ({known.noise * 127.5:.0f} levels)")
    if known.sharpening is not None:
        return gaussian("the picture was sharpened, which edges cannot tell from a kernel")
    try:
        free = edges.of_problem(problem)
    except NothingToLearn as reason:
        return gaussian(str(reason))
    blur = free.trace / problem.scale**2
    pixels = sum(plane.size for plane in problem.luminances)
    if blur < cfg.smallest_blur * min(1.0, (cfg.pixels / pixels) ** 0.5):
        return gaussian(f"the edges' kernel is small ({blur:.2f} px^2), so a Gaussian will do")
    problem.choice = f"edges: the kernel does not look like a Gaussian (log odds {odds:.1f})"
    return stamped(problem, "edges", free)


def _at_own_size(problem: Problem) -> Kernel:
    """At scale 1: a point for a sharp picture, a Gaussian or disk for a soft one, a path for a shaken one.

    A path is only taken where the picture that it gives is sparser than the picture as it is, and clearly sparser than
    the one that the Gaussian or disk gives, unless a shake is the likeliest; wrong paths make it less sparse. So do
    right ones in grain and under compression: where a shake is sure, only a clearly less sparse picture tells against
    its path. In a Gaussian's picture the path is a blob of its size, so one that reaches much further need not be
    sparser.
    """
    seen, cfg = problem.once(softness.appraise), problem.settings.auto
    odds = ", ".join(f"{name} {share:.2f}" for name, share in seen.odds.items())
    problem.choice = f"soft: {seen.kind} ({odds})"
    if seen.odds["shake"] <= (cfg.least_shake_if_sharp if seen.kind == "sharp" else cfg.least_shake):
        return stamped(problem, "soft", seen.kernel)
    with suppress(NothingToLearn):
        path = shake.of_problem(problem)
        spread, as_it_is, as_soft = shake.spreads(problem, (path, softness.DELTA, seen.kernel))
        far = path.trace > cfg.far**2 * seen.kernel.trace
        beside_soft = cfg.most_beside_soft_if_far if far else cfg.most_beside_soft
        most = {"sharp": 1.0, "shake": math.inf}.get(seen.kind, beside_soft)
        surely = seen.odds["shake"] > cfg.surely_shaken
        if spread < min((cfg.most_spread_if_shaken if surely else cfg.most_spread) * as_it_is, most * as_soft):
            problem.choice = f"shake: its picture is {spread / as_it_is:.2f} times as spread as it was ({odds})"
            return stamped(problem, "shake", path)
        if seen.kind == "shake" and as_soft >= as_it_is:
            problem.choice = f"soft: no kernel makes the picture sparser ({odds})"
            return stamped(problem, "soft", softness.DELTA)
    return stamped(problem, "soft", seen.kernel)


def _is_bicubic(known: Calibration, scale: int, cfg: BicubicSettings) -> bool:
    """Whether the estimate, noise and sharpening are those of a photograph that a program shrank. A Gaussian of that
    size inverts it badly: what bicubic keeps of high frequencies is amplified as if it had been lost."""
    small, large = np.linalg.eigvalsh(known.kernel.covariance)
    if small <= 0 or known.sharpening is not None or known.noise > cfg.noise or known.odds > cfg.odds:
        return False
    size = float((small * large) ** 0.25) / scale
    return cfg.least <= size <= cfg.most and float((large / small) ** 0.5) <= cfg.ratio


def _seconds(pixels: int, recipe: Recipe) -> float:
    """Those of the Gaussian method: which one a picture will need is not known before."""
    return estimator(recipe.settings.auto.gaussian_method).seconds(pixels, recipe)


def _memory(pixels: int, recipe: Recipe) -> int:
    return estimator(recipe.settings.auto.gaussian_method).memory(pixels, recipe)


METHOD = Estimator(estimate=_of_problem, seconds=_seconds, memory=_memory, refined=True, scales=(1, 2, 3, 4))
