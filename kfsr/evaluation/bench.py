"""A table over a data set that knows the truth: kernels, pictures and times.

Layout of the folder, for scale s: ``lr_xS/NAME.png``; ``gt/NAME.png`` (pictures are scored where it exists); and
``gt_k_xS/NAME.*`` or ``gt_k_xS/kernel_N.*`` for ``im_N`` (kernels are scored where it exists). DIV2KRK is one.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kfsr.errors import InputError
from kfsr.evaluation.metrics import psnr_y
from kfsr.image import Image, read_image
from kfsr.kernel import Kernel, KernelScore, compare_kernels, load_kernel, save_kernel
from kfsr.pipeline import Window, estimate_kernel, upscale
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe

BORDER = 16


@dataclass(frozen=True)
class Case:
    """One low-resolution picture and what is known about it."""

    name: str
    low_res: Path
    truth: Path | None
    kernel: Path | None


@dataclass(frozen=True)
class Row:
    """One line of the table.

    kernel_method: what the kernel is of, also where `auto` chose. ncc, ncc_shift2, size_ratio: see `KernelScore`. psnr,
    bicubic: Y-PSNR in dB of the window; verdict: the gate's; seconds: kernel and picture. None where it was not asked
    for or there is no truth.
    """

    name: str
    kernel_method: str
    ncc: float | None
    ncc_shift2: float | None
    size_ratio: float | None
    psnr: float | None
    bicubic: float | None
    verdict: str | None
    kernel_seconds: float
    picture_seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        """All columns under their names."""
        return asdict(self)


def find_cases(folder: Path, scale: int, names: list[str]) -> list[Case]:
    """The pictures of a data set, or those of them that are named, in natural order; InputError if none."""
    source = folder / f"lr_x{scale}"
    if not source.is_dir():
        raise InputError(f"{folder}: there is no folder lr_x{scale} in it; see 'kfsr bench --help' for the layout")
    cases = []
    for path in sorted(source.iterdir(), key=lambda p: (len(p.stem), p.stem)):
        if path.suffix.lower() != ".png" or (names and path.stem not in names):
            continue
        number = path.stem.removeprefix("im_")
        kernels = sorted(folder.glob(f"gt_k_x{scale}/{path.stem}.*")) + sorted(
            folder.glob(f"gt_k_x{scale}/kernel_{number}.*")
        )
        truth = folder / "gt" / path.name
        cases.append(Case(path.stem, path, truth if truth.exists() else None, kernels[0] if kernels else None))
    if not cases:
        raise InputError(f"{source}: no such pictures; the names are those of the files without .png")
    return cases


def run_case(
    case: Case,
    recipe: Recipe,
    *,
    true_kernel: bool = False,
    device: str = "cpu",
    window: int = 0,
    pictures: bool = True,
    truncated: bool = False,
    kernels: Path | None = None,
    progress: Progress = silent,
) -> Row:
    """Estimate the kernel from the whole picture, upscale the central window, score both.

    true_kernel: take the truth, as it is. window: side of the high-resolution window in pixels, 16 of which are left
    out on each side; 0 for the whole picture. truncated: the files were truncated to their depth instead of rounded, so
    half a step is added. kernels: folder of kernels from an earlier run, NAME.npz; what is missing there is estimated
    and kept there.
    """
    scale = recipe.scale
    picture = read_image(case.low_res)
    if picture.alpha is not None and bool((picture.alpha == 1).all()):
        picture = picture.with_pixels(picture.pixels)
    if truncated:
        picture = picture.with_pixels(np.minimum(picture.pixels + 0.5 / picture.white, 1))
    truth = load_kernel(case.kernel, scale, trusted=True) if case.kernel is not None else None
    clock = time.perf_counter()
    if true_kernel:
        if truth is None:
            raise InputError(f"{case.name}: there is no true kernel for it")
        kernel = truth
    elif kernels is not None and (kernels / f"{case.name}.npz").exists():
        kernel = load_kernel(kernels / f"{case.name}.npz", scale)
    else:
        kernel = estimate_kernel(picture, recipe, device=device, progress=progress)
        if kernels is not None:
            save_kernel(kernel, kernels / f"{case.name}.npz")
    kernel_seconds = time.perf_counter() - clock
    score = compare_kernels(kernel, truth) if truth is not None else None
    if not pictures or case.truth is None:
        return _row(case, kernel, score, None, None, None, kernel_seconds, None)
    clock = time.perf_counter()
    part = _central(picture, window // scale)
    given = replace(recipe, refine=None)  # it got its fine form above
    result = upscale(picture, given, kernel=kernel, device=device, window=part, progress=progress)
    picture_seconds = time.perf_counter() - clock
    target = _cut(read_image(case.truth), part, scale)
    plain = upscale(picture, Recipe(scale=scale, solver="bicubic"), kernel=kernel, window=part).image
    psnr, bicubic = (psnr_y(_rounded(im), target.pixels, BORDER) for im in (result.image, plain))
    return _row(case, kernel, score, psnr, bicubic, result.report.gate.verdict, kernel_seconds, picture_seconds)


def summary(rows: list[Row]) -> dict[str, float]:
    """Means over the rows that have the number; for sizes the median and 90th percentile of |ratio - 1|."""
    out: dict[str, float] = {"pictures": len(rows)}
    for name in ("ncc", "ncc_shift2", "psnr", "bicubic", "kernel_seconds", "picture_seconds"):
        values = [v for row in rows if (v := getattr(row, name)) is not None]
        if values:
            out[f"mean_{name}"] = float(np.mean(values))
    errors = [abs(row.size_ratio - 1) for row in rows if row.size_ratio is not None]
    if errors:
        out["median_size_error"] = float(np.median(errors))
        out["p90_size_error"] = float(np.quantile(errors, 0.9))
    gains = [row.psnr - row.bicubic for row in rows if row.psnr is not None and row.bicubic is not None]
    if gains:
        out |= {"mean_gain": float(np.mean(gains)), "least_gain": min(gains)}
        out["below_bicubic"] = sum(gain < 0 for gain in gains)
    return out


def _row(
    case: Case,
    kernel: Kernel,
    score: KernelScore | None,
    psnr: float | None,
    bicubic: float | None,
    verdict: str | None,
    kernel_seconds: float,
    picture_seconds: float | None,
) -> Row:
    return Row(
        name=case.name,
        kernel_method=kernel.method,
        ncc=None if score is None else score.ncc,
        ncc_shift2=None if score is None else score.ncc_shift2,
        size_ratio=None if score is None else score.size_ratio,
        psnr=psnr,
        bicubic=bicubic,
        verdict=verdict,
        kernel_seconds=kernel_seconds,
        picture_seconds=picture_seconds,
    )


def _central(picture: Image, side: int) -> Window:
    rows, cols = (min(side, n) if side else n for n in (picture.height, picture.width))
    return (picture.height - rows) // 2, (picture.width - cols) // 2, rows, cols


def _cut(picture: Image, window: Window, scale: int) -> Image:
    row, col, rows, cols = (scale * v for v in window)
    return picture.with_pixels(picture.pixels[row : row + rows, col : col + cols])


def _rounded(picture: Image) -> np.ndarray:
    return np.asarray(np.rint(picture.pixels * picture.white) / picture.white)
