"""The one composition: picture in; kernel, patch model, solver and gate; picture, kernel and report out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr import refinement
from kfsr.degradation import bicubic_upscale, degrade, reflect_pad
from kfsr.errors import InputError, UsageError
from kfsr.estimators import edges, ikl, kernelfusion, size, spectral
from kfsr.estimators.windows import busiest_windows
from kfsr.gate import BICUBIC, TRUSTED, Choice, Solve, Verdict, choose
from kfsr.image import Image, luma, unpremultiply
from kfsr.kernel import Kernel, bicubic_kernel, check_scale, default_size, gaussian_kernel, half_kernel
from kfsr.memory import largest_tile
from kfsr.noise import compression_level, noise_variance
from kfsr.patch.crops import CropSampler
from kfsr.patch.training import train_patch_model
from kfsr.progress import Progress, silent
from kfsr.settings import GateSettings, preset_named
from kfsr.solvers import unfolding, unrolled, zssr
from kfsr.solvers.tiles import on_device_or_cpu
from kfsr.weights import size_judge, solver_network

KERNEL_METHODS = ("auto", "spectral", "ikl", "edges", "kernelfusion", "bicubic")
KERNEL_INITS = ("spectral", "gaussian")
ESTIMATORS = ("spectral", "ikl", "edges", "kernelfusion")
SOLVERS = ("unrolled", "unfolding", "zssr", "bicubic")

WORST = 2.0
"""The largest uncertainty of a kernel that the unrolled solver knows."""

SMALLEST_FATHER = 48
"""Low-resolution pixels a side under which a picture is not shrunk for the prior: too few patches would be left."""

BAND = 256
"""Low-resolution rows that the result is re-degraded in at once."""

Window = tuple[int, int, int, int]
"""Part of the low-resolution picture: first row, first column, rows, columns."""


@dataclass(frozen=True)
class Report:
    """What was done to one picture and what was measured on the way.

    choice: why the method `auto` took the kernel's, empty for another method. residual: root mean square of
    (re-degraded result - low-resolution picture), in grey levels of 255, 4 pixels from the border on. sigma: noise
    level the solver was given, in grey levels. timings: seconds by stage.
    """

    scale: int
    preset: str
    seed: int
    device: str
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
    progress: Progress | None = None,
) -> Result:
    """Upscale one picture by `scale` (2, 3 or 4) with a kernel learned from it, or with the `kernel` given.

    image: an `Image`, or an array as `Image.from_array` takes it. kernel_method: auto, spectral, ikl, edges,
    kernelfusion or bicubic, used when no kernel is given. kernel_init: what ikl starts from, spectral or gaussian.
    refine: whether the kernel gets its fine form through the solver (`kfsr.refinement`), also one that is given; None
    refines the estimates that gain by it, spectral and ikl. uncertainty: of the kernel, 0 to 2, for `unrolled`; None is
    the preset's, little for one that is given. joint: with kernelfusion, return the picture that was found with the
    kernel, and solve nothing; no gate judges it, and the whole picture is worked on. solver: unrolled, unfolding, zssr
    or bicubic (plain interpolation); weights: a file for `unrolled` in place of the bundled ones. window: upscale only
    this part; everything is still learned from the whole picture. max_memory: bytes that the tiles are made smaller for
    (`kfsr.memory`); on a GPU its own. Where a GPU's memory is too little all the same the tiles are halved, and in the
    end the CPU solves. progress: called as progress(stage, step, total). The same seed on the same CPU gives the same
    picture.

    A picture that is too small or too flat to learn from is interpolated, and the report's gate says so. Raises
    UsageError for a wrong argument and for a `max_memory` that no tile fits, NumericalError when a stage gives NaN or
    infinity.
    """
    picture = image if isinstance(image, Image) else Image.from_array(np.asarray(image))
    check_scale(scale)
    if scale == 1:
        raise UsageError("scale 1 would return the picture as it is; use 2, 3 or 4")
    check_solver(solver, weights, uncertainty, device)
    if kernel is not None and kernel.scale != scale:
        raise UsageError(f"the kernel is for scale {kernel.scale}, not for {scale}")
    work = _Work([picture], scale, preset, seed, device, progress or silent, max_memory)
    work.refines = bool(refine or (kernel is None and refine is None))
    if solver != "bicubic":
        work.tile()  # a limit that is too low shows before any work
    fallback = together = None
    method = kernel_method if kernel is None else kernel.method
    check_joint(joint, method if kernel is None else "a kernel that is given", solver, refine)
    if kernel is None:
        check_kernel_method(method, kernel_init)
        try:
            if joint:
                together = work.fused(whole=True)
                kernel = together.kernel
            else:
                kernel = work.finished(work.estimate(method, kernel_init), refine)
        except InputError as reason:
            kernel, fallback = bicubic_kernel(scale), str(reason)
    elif refine:
        kernel = work.finished(kernel, refine)
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
            pixels, choice = work.solve(part, kernel, solver, uncertainty, weights)
            kernel, sigma, verdict = choice.kernel, choice.sigma, choice.verdict
        except InputError as reason:  # no patches to learn from
            pixels, verdict = bicubic_upscale(part, scale), Verdict(BICUBIC, f"{reason}; interpolated instead")
    return work.result(part, pixels, kernel, method, "joint" if joint else solver, sigma, verdict, window or whole)


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
    work = _Work(pictures, scale, preset, seed, device, progress or silent)
    check_kernel_method(method, init)
    return work.finished(work.estimate(method, init), refine)


def check_solver(solver: str, weights: Path | None, uncertainty: float | None, device: str) -> None:
    """Fail before any work: UsageError when the solver is none, or cannot use what it is given; InputError when
    `weights` are none."""
    _check_choice("solver", solver, SOLVERS)
    if uncertainty is not None and not 0 <= uncertainty <= WORST:
        raise UsageError(f"uncertainty {uncertainty} is not between 0 and {WORST:g}")
    if solver != "unrolled":
        for name, value in (("weights", weights), ("uncertainty", uncertainty)):
            if value is not None:
                raise UsageError(f"the solver {solver} takes no {name}; leave --{name} out or use the solver unrolled")
    elif weights is not None and uncertainty is not None:
        if not isinstance(solver_network(weights, device), unrolled.UnrolledNet):
            raise UsageError(f"{weights}: USRNet's weights take no uncertainty; leave --uncertainty out")
    elif weights is not None:
        solver_network(weights, device)


def check_kernel_method(method: str, init: str) -> None:
    """Fail before any work: UsageError when the kernel method is none, or has no use for `init`."""
    _check_choice("kernel method", method, KERNEL_METHODS)
    _check_choice("kernel init", init, KERNEL_INITS)
    if init != "spectral" and method != "ikl":
        raise UsageError(f"only ikl starts from a {init} kernel, not {method}; use the kernel method ikl")


def check_joint(joint: bool, method: str, solver: str, refine: bool | None) -> None:
    """Fail before any work: UsageError when the picture that kernelfusion finds with its kernel is asked for, but
    another kernel or solver too."""
    if not joint:
        return
    if method != "kernelfusion":
        raise UsageError(f"only kernelfusion finds the picture with the kernel, not {method}; leave --joint out")
    if solver != "unrolled" or refine:
        raise UsageError("with --joint nothing is solved or refined; leave --solver and --refine out")


class _Work:
    """One picture on its way through the stages, or several that a kernel is learned from together: the tensors, the
    random states and the clock."""

    def __init__(
        self,
        pictures: Sequence[Image],
        scale: int,
        preset: str,
        seed: int,
        device: str,
        progress: Progress,
        max_memory: int | None = None,
    ) -> None:
        self.pictures, self.picture = pictures, pictures[0]
        self.scale, self.seed, self.progress, self.max_memory = scale, seed, progress, max_memory
        self.refines = True
        self.preset_name, self.preset = preset, preset_named(preset)
        self.device = torch.device(device)
        self.tensors = [_to_tensor(one.premultiplied(), self.device) for one in pictures]
        self.low_res = self.tensors[0]
        self.noise = math.sqrt(noise_variance(self.low_res))
        self.timings: dict[str, float] = {}
        self.choice = ""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = round(self.timings.get(stage, 0.0) + time.perf_counter() - start, 3)

    def generator(self, stage: int) -> torch.Generator:
        # One stream a stage: turning one stage off does not change the others' random numbers.
        return torch.Generator().manual_seed((self.seed * 1_000_003 + stage) % 2**63)

    @property
    def luminances(self) -> list[np.ndarray]:
        """Of every picture, (H, W) in [0, 1]."""
        return [luma(one.pixels) for one in self.pictures]

    @cached_property
    def judged_kernel(self) -> tuple[Kernel, float]:
        """The spectral kernel with its size made safe, and the spread of what its log size may be."""
        fit = spectral.estimate(self.luminances, self.scale, self.preset.spectral)
        return size.judge(fit, size_judge(), self.preset.size)

    def uncertainty(self, gate: GateSettings, kernel: Kernel) -> float:
        """How wrong a kernel may be, for the solver: an estimate more where the picture says little about its size."""
        if kernel.method not in ESTIMATORS:
            return gate.given_uncertainty
        if kernel.method in ("edges", "kernelfusion"):
            cfg = self.preset.edges
            seen = self.picture.height * self.picture.width / (cfg.windows * cfg.window**2)
            return min(WORST, cfg.uncertainty * max(1.0, seen**-0.25))
        try:
            _, spread = self.judged_kernel
        except InputError:  # the estimate is from a larger picture
            return gate.estimated_uncertainty
        return min(WORST, max(gate.estimated_uncertainty, self.preset.size.doubt * spread**2))

    def estimate(self, method: str, init: str) -> Kernel:
        if method == "bicubic":
            return bicubic_kernel(self.scale)
        if method == "auto":
            return self.chosen()
        if method == "edges":
            with self.timed("edges"):
                return edges.estimate(self.luminances, self.scale, self.preset.edges, progress=self.progress)
        if method == "kernelfusion":
            return self.fused().kernel
        with self.timed("spectral"):
            if init == "spectral":
                start, _ = self.judged_kernel
            else:
                variance = 0.3 * self.scale**2
                start = gaussian_kernel(np.eye(2) * variance, self.scale, default_size(self.scale))
        if method == "spectral":
            return start
        settings = self.preset.ikl
        crops = CropSampler(self.tensors, focus=True)
        with self.timed("patch model"):
            model = train_patch_model(crops, settings.patch, self.generator(1), progress=self.progress)
        with self.timed("ikl"):
            return ikl.estimate(crops, start, model, settings, self.generator(2), progress=self.progress)

    def fused(self, whole: bool = False) -> kernelfusion.Fusion:
        """Picture and kernel by KernelFusion, of the busiest windows or of the `whole` of one picture."""
        cfg = self.preset.kernelfusion
        start = None
        if cfg.start == "edges":
            with suppress(InputError):  # then a flat one
                start = self.estimate("edges", "spectral")
        windows = self._whole_window() if whole else self._busy_windows(cfg.windows, cfg.window)
        with self.timed("patch model"):
            crops = CropSampler(self.tensors)
            model = train_patch_model(crops, cfg.patch, self.generator(7), progress=self.progress)
        with self.timed("kernelfusion"):
            return kernelfusion.estimate(
                windows, self.scale, model, cfg, self.generator(8), start=start, progress=self.progress
            )

    def _busy_windows(self, count: int, side: int) -> Tensor:
        """(B, C, side, side) of all pictures, at least one each; a smaller side where a picture is smaller."""
        step = kernelfusion.SIDE_STEP
        side = min(side, *(n // step * step for one in self.tensors for n in one.shape[-2:]))
        if side == 0:
            raise InputError(f"a picture under {step} px on a side is too small for kernelfusion")
        each = math.ceil(count / len(self.tensors))
        return torch.cat(
            [
                one[(..., *window)]
                for one, plane in zip(self.tensors, self.luminances, strict=True)
                for window in busiest_windows(plane, side, each)
            ]
        )

    def _whole_window(self) -> Tensor:
        """The picture, extended by reflection to a size that the U-Net can halve."""
        step = kernelfusion.SIDE_STEP
        rows, cols = (-n % step for n in self.low_res.shape[-2:])
        return reflect_pad(self.low_res, 0, rows, 0, cols)

    def chosen(self) -> Kernel:
        """The kernel by the method that suits the picture: a Gaussian where the spectra are sure that it is one, else
        what the edges tell, unless that is no larger than the Gaussian, or small."""
        cfg, gaussian = self.preset.auto, self.preset.gaussian_method
        with self.timed("spectral"):
            start, spread = self.judged_kernel
        if spread < cfg.sure_spread:
            self.choice = f"{gaussian}: a Gaussian explains the spectra (spread of log size {spread:.2f})"
            return self.estimate(gaussian, "spectral")
        try:
            free = self.estimate("edges", "spectral")
        except InputError as reason:
            self.choice = f"{gaussian}: {reason}"
            return self.estimate(gaussian, "spectral")
        ratio, blur = start.trace / free.trace, free.trace / self.scale**2
        pixels = sum(plane.size for plane in self.luminances)
        if ratio >= cfg.least_size:
            self.choice = f"{gaussian}: its size is {ratio:.2f} of that of the edges' kernel, so a Gaussian will do"
        elif blur < cfg.smallest_blur * min(1.0, (cfg.pixels / pixels) ** 0.5):
            self.choice = f"{gaussian}: the edges' kernel is small ({blur:.2f} px^2), so a Gaussian will do"
        else:
            self.choice = f"edges: the spectra's Gaussian has {ratio:.2f} of the size of the edges' kernel"
            return free
        return self.estimate(gaussian, "spectral")

    def finished(self, kernel: Kernel, refine: bool | None) -> Kernel:
        """`kernel` with the fine form that the bundled solver finds, whatever makes the picture later; as it is where
        that is not asked for, nor (None) known to help."""
        cfg = self.preset.refine
        if refine is False or (refine is None and kernel.method not in cfg.methods):
            return kernel
        solve, _ = self._solver("unrolled", None)
        with self.timed("refine"):
            each = [
                refinement.refine(
                    low_res,
                    kernel,
                    max(self.preset.unrolled.gate.estimated_sigma, _told_sigma(low_res)),
                    math.sqrt(noise_variance(low_res)),
                    solve,
                    cfg,
                    self.generator(6),
                    progress=self.progress,
                )
                for low_res in self.tensors
            ]
        if len(each) == 1:
            return each[0]
        return Kernel.from_array(np.mean([one.array for one in each], 0), self.scale, kernel.method)

    def solve(
        self, part: Tensor, kernel: Kernel, solver: str, uncertainty: float | None, weights: Path | None
    ) -> tuple[Tensor, Choice]:
        """The high-resolution picture of `part`, and what the gate chose to make it with."""
        estimated = kernel.method in ESTIMATORS
        gate = self.preset.unrolled.gate if solver == "unrolled" else self.preset.unfolding.gate
        least = gate.estimated_sigma if estimated else gate.trusted_sigma
        sigma = max(least, _told_sigma(self.low_res))
        if uncertainty is None:
            uncertainty = self.uncertainty(gate, kernel)
        trial, final = self._solver(solver, weights)
        with self.timed("gate"):
            choice = choose(
                self.low_res,
                kernel,
                sigma,
                uncertainty,
                self.noise,
                trial,
                gate,
                self.generator(5),
                estimated=estimated,
                progress=self.progress,
            )
        if choice.verdict.verdict == BICUBIC:
            return bicubic_upscale(part, self.scale), choice
        with self.timed("solver"):

            def on(device: torch.device) -> Tensor:
                k = _tensor(choice.kernel, device)
                return final(part.to(device), k, choice.sigma, choice.uncertainty)

            return on_device_or_cpu(self.device, on), choice

    def _solver(self, name: str, weights: Path | None) -> tuple[Solve, Solve]:
        """The solver as the gate tries it on a window, quick and silent, and as it makes the picture."""
        scale, settings = self.scale, self.preset.unfolding
        tile = self.tile()
        if name == "unrolled":

            def trained(low_res: Tensor, k: Tensor, sigma: float, uncertainty: float) -> Tensor:
                net = solver_network(weights, str(low_res.device))
                return unrolled.solve(low_res, k, scale, net, sigma, uncertainty)

            def averaged(low_res: Tensor, k: Tensor, sigma: float, uncertainty: float) -> Tensor:
                net, turns = solver_network(weights, str(low_res.device)), self.preset.unrolled.turns
                return unrolled.solve(low_res, k, scale, net, sigma, uncertainty, turns, tile)

            return trained, averaged
        fathers = CropSampler([_shrunk(self.low_res, f) for f in settings.father_factors], turn=True)
        with self.timed("prior"):
            prior = train_patch_model(fathers, settings.prior, self.generator(3), progress=self.progress, stage="prior")

        def unfold(low_res: Tensor, k: Tensor, sigma: float, _: float, progress: Progress = silent) -> Tensor:
            here = prior.on(low_res.device)
            return unfolding.solve(low_res, k, scale, here, settings, sigma, tile, progress=progress)

        if name == "unfolding":
            return unfold, partial(unfold, progress=self.progress)

        def learn(low_res: Tensor, k: Tensor, sigma: float, _: float) -> Tensor:
            cfg, random, here = self.preset.zssr, self.generator(4), prior.on(low_res.device)
            crops = CropSampler([one.to(low_res.device) for one in fathers.pictures], turn=True)
            half = half_kernel(k.cpu().numpy()) if scale == 4 else None
            if half is not None:
                h = _tensor(half, low_res.device)
                return zssr.solve_in_two(low_res, h, here, crops, cfg, sigma, random, tile, progress=self.progress)
            return zssr.solve(low_res, k, scale, here, crops, cfg, sigma, random, tile, progress=self.progress)

        return unfold, learn

    def tile(self) -> int:
        """Side in low-resolution pixels of the solver's tiles: the preset's, or what `max_memory` allows."""
        side = self.preset.tile // self.scale
        if self.max_memory is None:
            return side
        return min(
            side, largest_tile(self.max_memory, self.picture.height * self.picture.width, self.scale, self.refines)
        )

    def result(
        self,
        part: Tensor,
        pixels: Tensor,
        kernel: Kernel,
        method: str,
        solver: str,
        sigma: float,
        verdict: Verdict,
        window: Window,
    ) -> Result:
        # In place from here on: a large picture is not held twice.
        pixels.clamp_(-1, 1)
        report = Report(
            scale=self.scale,
            preset=self.preset_name,
            seed=self.seed,
            device=str(self.device),
            kernel_method=method,
            choice=self.choice,
            solver=solver,
            kernel={
                "method": kernel.method,
                "size": kernel.size,
                "trace": kernel.trace,
                "covariance": kernel.covariance.tolist(),
                "centre": list(kernel.centre),
            },
            gate=verdict,
            sigma=sigma * 127.5,
            residual=_residual(pixels, part, _tensor(kernel, pixels.device), self.scale) * 127.5,
            timings=dict(self.timings),
        )
        return Result(self._to_image(pixels, window), kernel, report)

    def _to_image(self, pixels: Tensor, window: Window) -> Image:
        """`pixels` (1, C, H, W), which is used up, as the picture."""
        array = pixels.add_(1).div_(2)[0].permute(1, 2, 0).cpu().numpy()
        if self.picture.alpha is None:
            return self.picture.with_pixels(array)
        alpha = torch.from_numpy(self.picture.alpha[_slices(window)].copy())[None, None]
        alpha_up = bicubic_upscale(alpha, self.scale)[0, 0].clamp(0, 1).numpy()
        return self.picture.with_pixels(unpremultiply(array, alpha_up), alpha_up)


def _check_choice(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UsageError(f"there is no {what} {name!r}; use one of {', '.join(known)}")


def _check_window(window: Window, picture: Image) -> None:
    row, col, rows, cols = window
    if min(row, col) < 0 or min(rows, cols) < 1 or row + rows > picture.height or col + cols > picture.width:
        raise UsageError(f"window {window} does not lie in a picture of {picture.height} rows, {picture.width} columns")


def _slices(window: Window) -> tuple[slice, slice]:
    row, col, rows, cols = window
    return slice(row, row + rows), slice(col, col + cols)


def _told_sigma(low_res: Tensor) -> float:
    """What the solver is told at least: the picture's noise or JPEG's errors, [-1, 1] units."""
    return max(math.sqrt(noise_variance(low_res)), compression_level(low_res))


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


def _as_gray(picture: Image) -> Image:
    return picture.with_pixels(luma(picture.pixels)[..., None], picture.alpha)


def _tensor(kernel: Kernel, device: torch.device) -> Tensor:
    return torch.from_numpy(kernel.array.copy()).float().to(device)


def _to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    array = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(array)[None].to(device) * 2 - 1


def _shrunk(picture: Tensor, factor: float) -> Tensor:
    if factor == 1 or min(picture.shape[-2:]) < factor * SMALLEST_FATHER:
        return picture
    return F.interpolate(picture, scale_factor=1 / factor, mode="bicubic", antialias=True, align_corners=False)
