"""From picture to picture: the stages in their order, and what is reported of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kfsr.cost.memory import check_fusion, largest_tile
from kfsr.errors import InputError, UsageError
from kfsr.image import Image, luma, unpremultiply
from kfsr.kernel import Kernel, bicubic_kernel, check_scale
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.pipeline.gate import BICUBIC, TRUSTED, Verdict
from kfsr.pipeline.kernels import KernelStage, check_kernel_method
from kfsr.pipeline.solving import SolverStage, check_solver, gate_settings
from kfsr.pipeline.work import Work, kernel_tensor
from kfsr.progress import Progress, silent

BAND = 256
"""Low-resolution rows that the result is re-degraded in at once."""

Window = tuple[int, int, int, int]
"""Part of the low-resolution picture: first row, first column, rows, columns."""


@dataclass(frozen=True)
class Report:
    """What was done to one picture and what was measured on the way.

    resumed: whether a stage went on from a checkpoint; the timings are then of the rest. choice: why the method `auto`
    took the kernel's, empty for another method. residual: root mean square of (re-degraded result - low-resolution
    picture), in grey levels of 255, 4 pixels from the border on. sigma: noise level the solver was given, in grey
    levels. timings: seconds by stage.
    """

    scale: int
    preset: str
    seed: int
    device: str
    resumed: bool
    kernel_method: str
    choice: str
    solver: str
    kernel: dict[str, Any]
    gate: Verdict
    sigma: float
    residual: float
    timings: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain numbers, strings, lists and dicts."""
        return asdict(self)


@dataclass(frozen=True)
class Result:
    """image: the picture, exactly `scale` times the input (or its window); kernel: what it was inverted with."""

    image: Image
    kernel: Kernel
    report: Report


def upscale(
    image: Image | np.ndarray,
    scale: int = 2,
    *,
    kernel: Kernel | None = None,
    kernel_method: str = "auto",
    kernel_init: str = "spectral",
    refine: bool | None = None,
    uncertainty: float | None = None,
    joint: bool = False,
    solver: str = "unrolled",
    weights: Path | None = None,
    preset: str = "balanced",
    seed: int = 0,
    device: str = "cpu",
    window: Window | None = None,
    max_memory: int | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Upscale one picture by `scale` (2, 3 or 4) with a kernel learned from it, or with the `kernel` given.

    image: an `Image`, or an array as `Image.from_array` takes it. kernel_method: auto, spectral, ikl, edges,
    kernelfusion or bicubic, used when no kernel is given. kernel_init: what ikl starts from, spectral or gaussian.
    refine: whether the kernel gets its fine form through the solver (`estimators.refinement`), also one given; None
    refines the estimates that gain by it, spectral and ikl. uncertainty: of the kernel, 0 to 2, for `unrolled`; None is
    the preset's, little for one that is given. joint: with kernelfusion, return the picture that was found with the
    kernel, and solve nothing; no gate judges it, and the whole picture is worked on. solver: unrolled, unfolding, zssr
    or bicubic (plain interpolation); weights: a file for `unrolled` in place of the bundled ones. window: upscale only
    this part; everything is still learned from the whole picture. max_memory: bytes that the tiles are made smaller for
    (`cost.memory`); on a GPU its own. Where a GPU's memory is too little all the same the tiles are halved, and in the
    end the CPU solves. checkpoint: a file for the state of the long stages, written every two minutes: the same call
    goes on from there when it was stopped; the file is left for the caller to remove. progress: called as
    progress(stage, step, total). The same seed on the same CPU gives the same picture, stopped in between or not.

    A picture that is too small or too flat to learn from is interpolated, and the report's gate says so. Raises
    UsageError for a wrong argument and for a `max_memory` that no tile fits, NumericalError when a stage gives NaN or
    infinity.
    """
    picture = image if isinstance(image, Image) else Image.from_array(np.asarray(image))
    check_scale(scale)
    if scale == 1:
        raise UsageError("scale 1 would return the picture as it is; use 2, 3 or 4")
    check_solver(solver, weights, uncertainty, device)
    method = kernel_method if kernel is None else kernel.method
    if kernel is None:
        check_kernel_method(method, kernel_init)
    elif kernel.scale != scale:
        raise UsageError(f"the kernel is for scale {kernel.scale}, not for {scale}")
    if joint:
        found = kernel_method if kernel is None else None
        check_joint(found, solver, refine=refine, weights=weights, uncertainty=uncertainty)
    about = (method, kernel_init, joint, solver)
    work = Work([picture], scale, preset, seed, device, progress or silent, checkpoint, about)
    refines = bool(refine or (kernel is None and refine is None))
    # Here already, so that a limit that is too low shows before any work.
    tile = 0 if joint or solver == "bicubic" else _tile(work, max_memory, refines)
    if kernel is None and method == "kernelfusion" and max_memory is not None:
        fusion = work.preset.kernelfusion
        check_fusion(max_memory, fusion.high_pixels(picture.height * picture.width, scale, joint), fusion)
    kernels, solvers = KernelStage(work), SolverStage(work, tile)
    fallback = together = None
    if kernel is None:
        try:
            if joint:
                together = kernels.fused(whole=True)
                kernel = together.kernel
            else:
                kernel = solvers.refined(kernels.estimate(method, kernel_init), refine)
        except InputError as reason:
            kernel, fallback = bicubic_kernel(scale), str(reason)
    elif refine:
        kernel = solvers.refined(kernel, refine)
    whole = (0, 0, picture.height, picture.width)
    _check_window(window or whole, picture)
    part = work.low_res[(..., *_slices(window or whole))]
    sigma = 0.0
    if fallback is not None:
        pixels, verdict = bicubic_upscale(part, scale), Verdict(BICUBIC, f"{fallback}; interpolated instead")
    elif together is not None:
        row, col, rows, cols = (scale * v for v in window or whole)
        pixels, verdict = together.high_res[..., row : row + rows, col : col + cols], Verdict(TRUSTED, "")
    elif solver == "bicubic":
        pixels, verdict = bicubic_upscale(part, scale), Verdict(TRUSTED, "")
    else:
        try:
            estimated = kernel.estimated
            doubt = kernels.uncertainty(gate_settings(work, solver), kernel) if uncertainty is None else uncertainty
            pixels, choice = solvers.solve(part, kernel, solver, doubt, weights, estimated=estimated)
            kernel, sigma, verdict = choice.kernel, choice.sigma, choice.verdict
        except InputError as reason:  # no patches to learn from
            pixels, verdict = bicubic_upscale(part, scale), Verdict(BICUBIC, f"{reason}; interpolated instead")
    report = Report(
        scale=scale,
        preset=preset,
        seed=seed,
        device=str(work.device),
        resumed=work.checkpoint.found,
        kernel_method=method,
        choice=kernels.choice,
        solver="joint" if joint else solver,
        kernel={
            "method": kernel.method,
            "size": kernel.size,
            "trace": kernel.trace,
            "covariance": kernel.covariance.tolist(),
            "centre": list(kernel.centre),
        },
        gate=verdict,
        sigma=sigma * 127.5,
        # In place from here on: a large picture is not held twice.
        residual=_residual(pixels.clamp_(-1, 1), part, kernel_tensor(kernel, pixels.device), scale) * 127.5,
        timings=dict(work.timings),
    )
    return Result(_to_image(pixels, picture, window or whole, scale), kernel, report)


def estimate_kernel(
    image: Image | np.ndarray | Sequence[Image | np.ndarray],
    scale: int = 2,
    *,
    method: str = "auto",
    init: str = "spectral",
    refine: bool | None = None,
    preset: str = "balanced",
    seed: int = 0,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Kernel:
    """The downscaling kernel of one picture, from that picture alone; arguments as in `upscale`.

    image: or a list of pictures that one camera, lens or scanner made small; the kernel is then the one they share.
    Raises InputError when a picture is too small or too flat to learn a kernel from.
    """
    several = image if isinstance(image, list | tuple) else [image]
    pictures = [one if isinstance(one, Image) else Image.from_array(np.asarray(one)) for one in several]
    if not pictures:
        raise UsageError("no picture to learn a kernel from")
    if len({one.channels for one in pictures}) > 1:
        pictures = [_as_gray(one) for one in pictures]
    check_scale(scale)
    check_kernel_method(method, init)
    work = Work(pictures, scale, preset, seed, device, progress or silent, checkpoint, (method, init))
    kernel = KernelStage(work).estimate(method, init)
    return SolverStage(work, _tile(work, None, True)).refined(kernel, refine)


def check_joint(method: str | None, solver: str, **unused: object) -> None:
    """Fail before any work: UsageError when the picture that kernelfusion finds with its kernel is asked for, but also
    another kernel method (None: a kernel that is given), another solver, or one of the options that are then `unused`.
    """
    if method != "kernelfusion":
        given = method or "a kernel that is given"
        raise UsageError(f"only kernelfusion finds the picture with the kernel, not {given}; leave --joint out")
    named = [name.replace("_", "-") for name, value in unused.items() if value is not None and value is not False]
    named += ["solver"] if solver != "unrolled" else []
    if named:
        raise UsageError(f"with --joint nothing is solved or refined; leave --{' and --'.join(named)} out")


def _tile(work: Work, limit: int | None, refines: bool) -> int:
    """Side in low-resolution pixels of the solver's tiles: the preset's, or what a `limit` in bytes allows."""
    side = work.preset.tile // work.scale
    if limit is None:
        return side
    return min(side, largest_tile(limit, work.picture.height * work.picture.width, work.scale, refines))


def _check_window(window: Window, picture: Image) -> None:
    row, col, rows, cols = window
    if min(row, col) < 0 or min(rows, cols) < 1 or row + rows > picture.height or col + cols > picture.width:
        raise UsageError(f"window {window} does not lie in a picture of {picture.height} rows, {picture.width} columns")


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


def _to_image(pixels: Tensor, picture: Image, window: Window, scale: int) -> Image:
    """`pixels` (1, C, H, W), which is used up, as the picture of that window."""
    array = pixels.add_(1).div_(2)[0].permute(1, 2, 0).cpu().numpy()
    if picture.alpha is None:
        return picture.with_pixels(array)
    alpha = torch.from_numpy(picture.alpha[_slices(window)].copy())[None, None]
    alpha_up = bicubic_upscale(alpha, scale)[0, 0].clamp(0, 1).numpy()
    return picture.with_pixels(unpremultiply(array, alpha_up), alpha_up)


def _as_gray(picture: Image) -> Image:
    return picture.with_pixels(luma(picture.pixels)[..., None], picture.alpha)
