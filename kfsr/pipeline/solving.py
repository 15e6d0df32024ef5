"""The second stage: the picture, by a solver and the gate; and the kernel's refinement, which takes a solver too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from kfsr.analysis.noise import noise_variance
from kfsr.analysis.problem import Problem, Told, kernel_tensor, noise_to_expect
from kfsr.errors import NothingToLearn
from kfsr.estimators import refinement, softness
from kfsr.estimators.calibration import Calibration, calibrated
from kfsr.estimators.registry import METHODS, estimator
from kfsr.kernel import Kernel
from kfsr.kernel.lens import OWN_LENS
from kfsr.operator.spatial import bicubic_upscale
from kfsr.pipeline.fields import Placed
from kfsr.pipeline.finish import finish, with_choices
from kfsr.pipeline.gate import TRUSTED, Candidate, Decision, ShareNet, Verdict, decide
from kfsr.settings import GateSettings
from kfsr.solvers import unrolled
from kfsr.solvers.registry import solver
from kfsr.solvers.tiles import on_device_or_cpu
from kfsr.weights import network


def decided(
    problem: Problem, kernel: Kernel, tile: int, field: Placed | None = None
) -> tuple[Callable[[Tensor], Tensor], Decision]:
    """The way from the first low-resolution picture, or any part or plane of it, to the high-resolution one, and what
    the gate decided to go it with.

    tile: the solver's, side in low-resolution pixels. field: a lens's kernels, of which `kernel` is the mean, with the
    place of the picture that will be solved. Raises NothingToLearn where the solver, or the gate, has too
    little of a picture.
    """
    chosen = solver(problem.recipe.solver)
    prepared = chosen.prepare(problem, tile)
    if chosen.gate is None:
        decision = Decision(kernel, Told(0.0), Verdict(TRUSTED, ""))
    elif problem.scale == 1:
        # A rehearsal says little here: it took 40 % of what was right of shakes. `auto` has judged its kernel itself.
        told = _told(problem, kernel, None, chosen.gate(problem.settings))
        # Where little is to be sharpened, grain taken away is what the eye sees first.
        denoise = problem.settings.own_lens.denoise if kernel.method == OWN_LENS else 1.0
        decision = Decision(kernel, told, Verdict(TRUSTED, ""), denoise=denoise)
    else:
        gate = chosen.gate(problem.settings)
        known = known_dirt(problem)
        net = network(None, ("gate",))
        assert isinstance(net, ShareNet)
        with problem.timed("gate"):
            decision = decide(
                problem.low_res,
                Candidate(kernel, _gaussian(kernel, known) or kernel, _told(problem, kernel, known, gate)),
                known,
                problem.noise,
                prepared.trial,
                net,
                gate,
                problem.generator(5),
                progress=problem.progress,
            )
    decision = with_choices(decision, problem.recipe)

    def solve(part: Tensor) -> Tensor:
        if not decision.strength:
            return bicubic_upscale(part, problem.scale)

        def on(device: torch.device) -> Tensor:
            return prepared.final(part.to(device), kernel_tensor(decision.kernel, device), decision.told)

        if field is not None:
            return field.solved(problem, part, prepared.final, decision, tile)
        with problem.timed("solver"):
            high_res = on_device_or_cpu(problem.device, on)
        return finished(problem, high_res, part, decision)

    return solve, decision


def finished(problem: Problem, high_res: Tensor, part: Tensor, decision: Decision) -> Tensor:
    """What is left of `high_res`, which is used up, and of the grain of `part`, by the decision (`finish`)."""
    with problem.timed("finish"):
        k = kernel_tensor(decision.kernel, high_res.device)
        return finish(high_res, part.to(high_res.device), k, problem.scale, decision.strength, decision.denoise)


def known_dirt(problem: Problem) -> Calibration | None:
    """What the calibration knows of the pictures, None where they are too small or too flat for it."""
    if problem.scale == 1:  # calibration begins with spectra of two scales
        return None
    with suppress(NothingToLearn):
        return problem.once(calibrated)
    return None


def _gaussian(kernel: Kernel, known: Calibration | None) -> Kernel | None:
    """The Gaussian that the kernel is with the picture's sharpening, None for any other kernel."""
    own = kernel.estimated and known is not None and np.array_equal(kernel.array, known.whole.array)
    return known.kernel if own and known else None


def _told(problem: Problem, kernel: Kernel, known: Calibration | None, gate: GateSettings) -> Told:
    """What the solver is told of the picture and of this kernel."""
    if problem.scale == 1:
        doubt = _uncertainty(problem, kernel, gate)
        if kernel.estimated and kernel.method in ("soft", OWN_LENS):  # which has measured both on photographs
            return Told(max(gate.trusted_sigma, _soft_noise(problem)), doubt)
        noise = noise_to_expect(problem.seen)
        return Told(max(gate.deblurred_sigma, noise), max(gate.deblurred_uncertainty, doubt))
    least = gate.estimated_sigma if kernel.estimated else gate.trusted_sigma
    noise = known.noise if known else noise_to_expect(problem.seen)
    return Told(max(least, noise), _uncertainty(problem, kernel, gate), known.correlation if known else 0.0)


def _soft_noise(problem: Problem) -> float:
    """Standard deviation of what no kernel explains, [-1, 1] units, where the softness network can tell."""
    with suppress(NothingToLearn):
        return problem.once(softness.appraise).noise
    return noise_to_expect(problem.seen)


def _uncertainty(problem: Problem, kernel: Kernel, gate: GateSettings) -> float:
    """How wrong the kernel may be: what the recipe says, else the kernel, else its method, else what is usual."""
    if problem.recipe.uncertainty is not None:
        return problem.recipe.uncertainty
    if not kernel.estimated:
        return gate.given_uncertainty
    known = kernel.provenance.uncertainty
    if known is None and kernel.method in METHODS:  # from a file of an earlier version
        with suppress(NothingToLearn):
            known = estimator(kernel.method).uncertainty(problem, kernel)
    return max(gate.estimated_uncertainty, known or 0.0)


def refined(problem: Problem, kernel: Kernel, *, own: bool) -> Kernel:
    """`kernel` with the fine form that the bundled solver finds, whatever makes the picture later; as it is where the
    recipe does not ask for that, nor leaves it to the method that has found it. own: it was found for this problem."""
    wanted = problem.recipe.refine
    if wanted is None:
        wanted = own and kernel.estimated and estimator(kernel.method).refined
    if wanted and problem.scale == 1:
        return _polished(problem, kernel)
    known = known_dirt(problem) if wanted else None
    if not wanted or (known and (known.sharpening or known.noise > problem.settings.refine.most_noise)):
        return kernel
    cfg, sharp = problem.settings.refine, problem.settings.sharpened
    solve = unrolled.solver_of(None, problem.scale)
    any_form = kernel.method in METHODS and estimator(kernel.method).any_form

    def better(low_res: Tensor) -> Kernel:
        sigma = max(problem.settings.unrolled.gate.estimated_sigma, noise_to_expect(low_res))
        if any_form:
            return refinement.sharpened(low_res, kernel, sigma, solve, sharp, progress=problem.progress)
        noise = noise_variance(low_res) ** 0.5
        generator = problem.generator(6)
        return refinement.refine(low_res, kernel, sigma, noise, solve, cfg, generator, progress=problem.progress)

    with problem.timed("refine"):
        each = [better(low_res) for low_res in problem.tensors]
    if len(each) == 1:
        return each[0]
    return Kernel.from_array(np.mean([one.array for one in each], 0), problem.scale, kernel.provenance)


def _polished(problem: Problem, kernel: Kernel) -> Kernel:
    """`shake.polish` with the bundled solver, on the problem's device."""
    from kfsr.estimators import shake  # loads SciPy, which most runs do without

    bundled = unrolled.solver_of(None, 1)

    def solve(picture: Tensor, k: Tensor, told: Told) -> Tensor:
        return bundled(picture.to(problem.device), k.to(problem.device), told).to(picture.device)

    with problem.timed("refine"):
        return shake.polish(problem.luminances, kernel, solve, problem.settings.shake, progress=problem.progress)
