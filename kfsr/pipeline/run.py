"""From picture to picture: the stages in their order, and what is reported of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from kfsr.analysis.problem import Problem, Told, kernel_tensor
from kfsr.cost.memory import largest_tile
from kfsr.errors import NothingToLearn, UsageError
from kfsr.estimators.registry import estimator
from kfsr.image import Image, luma, shrunk
from kfsr.kernel import Kernel, Lens, bicubic_kernel, load_kernel_or_lens
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.pipeline.appearance import as_gray, keep_means, solved_alpha, to_image
from kfsr.pipeline.check import check, check_method
from kfsr.pipeline.fields import field_for
from kfsr.pipeline.findings import Findings, findings
from kfsr.pipeline.finish import with_choices
from kfsr.pipeline.gate import BICUBIC, SHARP, TRUSTED, UNCHANGED, Decision, Verdict
from kfsr.pipeline.kernels import estimated, stamped
from kfsr.pipeline.solving import decided, finished, known_dirt, refined
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe

BAND = 256
"""Low-resolution rows that the result is re-degraded in at once."""

Window = tuple[int, int, int, int]
"""Part of the low-resolution picture: first row, first column, rows, columns."""


@dataclass(frozen=True)
class Report:
    """What was done to one picture and what was measured on the way.

    resumed: whether a stage went on from a checkpoint; the timings are then of the rest. choice: why a method that
    chooses among others took the kernel it did, else empty. found: what the picture went through, None where it does
    not tell. kernel: what is told of it, its provenance included. residual: root mean square of (re-degraded result -
    low-resolution picture), in grey levels of 255, 4 pixels from the border on. sigma: noise level the solver was
    given, in grey levels. strength, denoise: what was used, as in `Recipe`; strength is 0 where the picture was
    interpolated. timings: seconds by stage. resized: where the picture was enlarged by a whole `scale` and then shrunk:
    that size, the final one, and the filter; else None.
    """

    scale: int
    preset: str
    seed: int
    device: str
    resumed: bool
    kernel_method: str
    choice: str
    found: Findings | None
    solver: str
    kernel: dict[str, Any]
    gate: Verdict
    sigma: float
    strength: float
    denoise: float
    residual: float
    timings: dict[str, float]
    resized: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The report as plain numbers, strings, lists and dicts."""
        return asdict(self)


@dataclass(frozen=True)
class Result:
    """image: the picture, exactly `scale` times the input (or its window), or of the size asked for; kernel: what it
    was inverted with."""

    image: Image
    kernel: Kernel
    report: Report


def upscale(
    image: Image | np.ndarray,
    recipe: Recipe | None = None,
    *,
    kernel: Kernel | Lens | None = None,
    window: Window | None = None,
    device: str = "cpu",
    max_memory: int | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Result:
    """Upscale one picture as the recipe says, with a kernel learned from it, or with the `kernel` given.

    image: an `Image`, or an array as `Image.from_array` takes it. choices: fields of `Recipe`, which change the
    `recipe` (None: the defaults). kernel: a `Lens` has one for every place and colour; the report tells their mean, and
    the residual is against that. window: upscale only this part; everything is still learned from the whole picture.
    max_memory: bytes that the tiles are made smaller for (`cost.memory`); on a GPU its own. Where a GPU's memory is too
    little all the same the tiles are halved, and in the end the CPU solves. checkpoint: a file for the state of the
    long stages, written every two minutes: the same call goes on from there when it was stopped; the file is left for
    the caller to remove. progress: called as progress(stage, step, total). The same seed on the same CPU gives the same
    picture, stopped in between or not. A scale like 1.5 and a size enlarge by the next whole scale and shrink then.

    A picture that is too small or too flat to learn from is interpolated, and the report's gate says so. At scale 1 it
    is returned as it is, and so is one that is sharp already: its kernel is a point. Raises UsageError for a wrong
    argument and for a `max_memory` that no tile fits, InputError for a file that the recipe names and that cannot be
    used, NumericalError when a stage gives NaN or infinity.
    """
    recipe = Recipe.make(recipe, **choices)
    picture = image if isinstance(image, Image) else Image.from_array(np.asarray(image))
    recipe, final = recipe.fitted(picture.width, picture.height)
    if final is not None and window is not None:
        raise UsageError("a window is enlarged by whole scales alone; leave the size or the window out")
    check(recipe, device, has_kernel=kernel is not None)
    if recipe.kernel is not None:
        kernel = load_kernel_or_lens(recipe.kernel, recipe.scale, trusted=recipe.trust_kernel)
    if kernel is not None and kernel.scale != recipe.scale:
        raise UsageError(f"the kernel is for scale {kernel.scale}, not for {recipe.scale}")
    recipe = recipe.work()
    lens, kernel = (kernel, kernel.typical) if isinstance(kernel, Lens) else (None, kernel)
    frame = _checked(window or (0, 0, picture.height, picture.width), picture)
    field = None if lens is None else field_for(lens, picture, frame, recipe)
    # Here already, so that a limit that is too low shows before any work.
    tile = _tile(picture, recipe, max_memory, has_kernel=kernel is not None)
    problem = Problem([as_gray(picture)], recipe, device, progress or silent, checkpoint)
    method = recipe.kernel_method if kernel is None else kernel.method
    part = problem.whole[(..., *_slices(frame))]
    alpha = None if problem.alpha is None else problem.alpha[(..., *_slices(frame))]

    def interpolate(low_res: Tensor) -> Tensor:
        return bicubic_upscale(low_res, recipe.scale)

    solve: Callable[[Tensor], Tensor] = interpolate
    try:
        if recipe.joint:
            pixels, decision = _jointly(problem, frame)
            pixels = finished(problem, pixels, part, decision)
        else:
            own = kernel is None
            kernel = kernel or estimated(problem, recipe.kernel_method)
            if kernel.is_point and recipe.strength != 0:
                decision = Decision(kernel, Told(0.0), Verdict(UNCHANGED, SHARP), strength=0.0)
            else:
                kernel = refined(problem, kernel, own=own)
                solve, decision = decided(problem, kernel, tile, field)
            pixels = solve(part)
    except NothingToLearn as reason:
        verdict = Verdict(BICUBIC, f"{reason}; interpolated instead")
        decision = Decision(kernel or bicubic_kernel(recipe.scale), Told(0.0), verdict, strength=0.0)
        solve = interpolate
        pixels = solve(part)
    unchanged = recipe.scale == 1 and not decision.strength
    decision = _unchanged(decision) if unchanged else decision
    used = decision.kernel
    # In place from here on: a large picture is not held twice.
    if not recipe.joint and not unchanged:
        with problem.timed("means"):
            through = kernel_tensor(used, pixels.device) if recipe.scale == 1 else None
            keep_means(pixels, part, alpha, recipe.scale, through)
    alpha_up = None if alpha is None or unchanged else solved_alpha(alpha, part.shape[1], recipe.scale, solve)
    report = Report(
        scale=recipe.scale,
        preset=recipe.preset,
        seed=recipe.seed,
        device=device,
        resumed=problem.checkpoint.found,
        kernel_method=method,
        choice=problem.choice,
        found=None if recipe.solver == "bicubic" or recipe.joint else findings(problem, known_dirt(problem)),
        solver="joint" if recipe.joint else recipe.solver,
        kernel={
            "method": used.method,
            "size": used.size,
            "trace": used.trace,
            "covariance": used.covariance.tolist(),
            "centre": list(used.centre),
            "provenance": used.provenance.as_dict(),
        },
        gate=decision.verdict,
        sigma=decision.told.sigma * 127.5 if decision.strength else 0.0,
        strength=decision.strength,
        denoise=decision.denoise,
        residual=_residual(pixels, part, kernel_tensor(used, pixels.device), recipe.scale) * 127.5,
        timings=dict(problem.timings),
    )
    if unchanged:
        return Result(_cut(picture, frame), used, report)
    made = to_image(pixels, alpha_up, picture, recipe.scale)
    if picture.planes:  # what made the colours small made them small
        alone = replace(recipe, joint=False, kernel=None)
        alike = partial(upscale, recipe=alone, kernel=lens or used, window=window, device=device)
        planes = [alike(one, max_memory=max_memory, progress=progress).image for one in picture.planes]
        made = replace(made, planes=tuple(planes))
    return _at_size(Result(made, used, report), final)


def estimate_kernel(
    image: Image | np.ndarray | Sequence[Image | np.ndarray],
    recipe: Recipe | None = None,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    timings: dict[str, float] | None = None,
    **choices: Any,
) -> Kernel:
    """The downscaling kernel of one picture, from that picture alone; arguments as in `upscale`.

    image: or a list of pictures that one camera, lens or scanner made small; the kernel is then the one they share.
    timings: is given the seconds of each stage, as in a `Report`.
    Raises NothingToLearn when a picture is too small or too flat to learn a kernel from.
    """
    recipe = Recipe.make(recipe, **choices)
    if recipe.size is not None:
        raise UsageError(f"a kernel is for a whole scale, not for {recipe.size}")
    check_method(recipe)
    several = image if isinstance(image, list | tuple) else [image]
    pictures = [one if isinstance(one, Image) else Image.from_array(np.asarray(one)) for one in several]
    if not pictures:
        raise UsageError("no picture to learn a kernel from")
    grays = [as_gray(one) for one in pictures]
    if all(one.channels == 1 for one in grays):
        pictures = grays
    if len({one.channels for one in pictures}) > 1:
        pictures = [one.with_pixels(luma(one.pixels)[..., None], one.alpha) for one in pictures]
    problem = Problem(pictures, recipe, device, progress or silent, checkpoint)
    kernel = refined(problem, estimated(problem, recipe.kernel_method), own=True)
    if timings is not None:
        timings.update(problem.timings)
    return kernel


def _jointly(problem: Problem, frame: Window) -> tuple[Tensor, Decision]:
    """The picture that the recipe's method finds with its kernel, of the whole and then cut; no gate judges it."""
    name = problem.recipe.kernel_method
    find = estimator(name).joint
    if find is None:
        raise UsageError(f"{name} finds no picture with its kernel")
    high_res, kernel = find(problem)
    keep_means(high_res, problem.whole, problem.alpha, problem.scale)
    row, col, rows, cols = (problem.scale * v for v in frame)
    decision = Decision(stamped(problem, name, kernel), Told(0.0), Verdict(TRUSTED, ""))
    return high_res[..., row : row + rows, col : col + cols], with_choices(decision, problem.recipe)


def _tile(picture: Image, recipe: Recipe, limit: int | None, *, has_kernel: bool) -> int:
    """Side in low-resolution pixels of the solver's tiles: the settings', or what a `limit` in bytes allows."""
    side = recipe.settings.tile // recipe.scale
    if limit is None:
        return side
    return min(side, largest_tile(limit, picture.height * picture.width, recipe, has_kernel=has_kernel))


def _checked(window: Window, picture: Image) -> Window:
    row, col, rows, cols = window
    if min(row, col) < 0 or min(rows, cols) < 1 or row + rows > picture.height or col + cols > picture.width:
        raise UsageError(f"window {window} does not lie in a picture of {picture.height} rows, {picture.width} columns")
    return window


def _at_size(result: Result, size: tuple[int, int] | None) -> Result:
    """The result shrunk to the `size` that was asked for."""
    if size is None:
        return result
    how = {"from": list(result.image.size), "to": list(size), "filter": "lanczos3"}
    return Result(shrunk(result.image, size), result.kernel, replace(result.report, resized=how))


def _unchanged(decision: Decision) -> Decision:
    """In the words of scale 1, where nothing is interpolated."""
    if decision.verdict.verdict != BICUBIC:
        return decision
    reason = decision.verdict.reason.replace("interpolated instead", "left as it is")
    return replace(decision, verdict=replace(decision.verdict, verdict=UNCHANGED, reason=reason))


def _cut(picture: Image, window: Window) -> Image:
    rows, cols = _slices(window)
    return picture.with_pixels(picture.pixels[rows, cols], None if picture.alpha is None else picture.alpha[rows, cols])


def _slices(window: Window) -> tuple[slice, slice]:
    row, col, rows, cols = window
    return slice(row, row + rows), slice(col, col + cols)


def _residual(high_res: Tensor, low_res: Tensor, k: Tensor, scale: int) -> float:
    """Root mean square of degrade(high_res) - low_res, but for 4 pixels along the border; a band of rows at a time."""
    h, w = low_res.shape[-2:]
    rim = 4 if min(h, w) > 12 else 0
    context = math.ceil(k.shape[-1] / scale)
    total = 0.0
    for start in range(rim, h - rim, BAND):
        stop = min(h - rim, start + BAND)
        first, last = max(0, start - context), min(h, stop + context)
        again = degrade(high_res[..., first * scale : last * scale, :], k, scale)[..., start - first : stop - first, :]
        difference = (again - low_res[..., start:stop, :].to(again.device))[..., rim : w - rim]
        total += float(difference.double().square().sum())
    return math.sqrt(total / (low_res.shape[1] * (h - 2 * rim) * (w - 2 * rim)))
