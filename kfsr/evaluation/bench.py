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
from kfsr.kernel import compare_kernels, load_kernel, save_kernel
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

    kernel_method: the one that found the kernel, also where `auto` chose it. ncc, ncc_shift2, size_ratio: see
    `KernelScore`. psnr, bicubic: Y-PSNR in dB of the window. verdict: the gate's. None: not asked for, or without a
    truth.
    """

    name: str
    kernel_method: str
    kernel_seconds: float
    ncc: float | None = None
    ncc_shift2: float | None = None
    size_ratio: float | None = None
    psnr: float | None = None
    bicubic: float | None = None
    verdict: str | None = None
    picture_seconds: float | None = None

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
    window: int = 0,
    pictures: bool = True,
    truncated: bool = False,
    kernels: Path | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> Row:
    """Estimate the kernel from the whole picture, upscale the central window, score both.

    true_kernel: take the truth in place of an estimate, as it is. window: side of the high-resolution window in pixels,
    16 of which are left out of the score on each side; 0 for the whole picture. pictures: whether to upscale at all.
    truncated: the files were truncated to their depth instead of rounded, so half a step is added. kernels: folder of
    kernels from an earlier run, NAME.npz; what is missing there is estimated and kept there.

    Raises InputError for a file that cannot be used, and for a `true_kernel` that is not known.
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
    row = Row(case.name, kernel.method, kernel_seconds)
    if truth is not None:
        score = compare_kernels(kernel, truth)
        row = replace(row, ncc=score.ncc, ncc_shift2=score.ncc_shift2, size_ratio=score.size_ratio)
    if not pictures or case.truth is None:
        return row
    clock = time.perf_counter()
    part = _central(picture, window // scale)
    # Its fine form is found already.
    solving = replace(recipe, refine=False)
    result = upscale(picture, solving, kernel=kernel, device=device, window=part, progress=progress)
    picture_seconds = time.perf_counter() - clock
    target = _cut(read_image(case.truth), part, scale)
    plain = upscale(picture, scale=scale, solver="bicubic", kernel=kernel, window=part).image
    psnr, bicubic = (psnr_y(_rounded(im), target.pixels, BORDER) for im in (result.image, plain))
    verdict = result.report.gate.verdict
    return replace(row, psnr=psnr, bicubic=bicubic, verdict=verdict, picture_seconds=picture_seconds)


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


def _central(picture: Image, side: int) -> Window:
    rows, cols = (min(side, n) if side else n for n in (picture.height, picture.width))
    return (picture.height - rows) // 2, (picture.width - cols) // 2, rows, cols


def _cut(picture: Image, window: Window, scale: int) -> Image:
    row, col, rows, cols = (scale * v for v in window)
    return picture.with_pixels(picture.pixels[row : row + rows, col : col + cols])


def _rounded(picture: Image) -> np.ndarray:
    return np.asarray(np.rint(picture.pixels * picture.white) / picture.white)
