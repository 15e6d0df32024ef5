"""A table over a data set that knows the truth: kernels, pictures and times.

Layout of the folder, for scale s: ``lr_xS/NAME.*``; ``gt/NAME.*`` (pictures are scored where it exists); and
``gt_k_xS/NAME.*`` or ``gt_k_xS/kernel_N.*`` for ``im_N`` (kernels are scored where it exists). DIV2KRK is one. Pictures
are of any format that is read; the two of one name may differ. ``KIND_3`` is one of a kind.

At scale 1 the pictures of ``lr_x1`` are as large as their truths, and what a result is compared with is not bicubic but
the picture as it is.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kfsr.errors import InputError
from kfsr.evaluation.metrics import psnr_y, ssim_y
from kfsr.evaluation.pairs import pictures_in
from kfsr.image import Image, lanczos, read_image
from kfsr.kernel import Kernel, compare_kernels, load_kernel, save_kernel
from kfsr.pipeline import Window, estimate_kernel, upscale
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe

BORDER = 16
"""High-resolution pixels on each side that no score counts: all that an interpolation of a window does not know."""

BORDER_AT_ITS_SIZE = 32
"""The same at scale 1, where kernels are wider: what they bring in from outside the window is not known either."""

BELOW = 0.1
"""dB under bicubic from which on a picture counts as worse: less is not seen."""


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
    `KernelScore`. psnr, ssim: of the window on the Y channel, in dB and at most 1; bicubic, bicubic_ssim, lanczos: the
    same of the interpolations, at scale 1 of the picture as it is and None. verdict: the gate's. None: not asked for,
    or without a truth. timings: seconds by stage of kernel and picture; megapixels: of the result.
    """

    name: str
    kernel_method: str
    kernel_seconds: float
    ncc: float | None = None
    ncc_shift2: float | None = None
    size_ratio: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    bicubic: float | None = None
    bicubic_ssim: float | None = None
    lanczos: float | None = None
    verdict: str | None = None
    picture_seconds: float | None = None
    timings: dict[str, float] = field(default_factory=dict)
    megapixels: float = 0.0

    @property
    def kind(self) -> str | None:
        """The name before a last _number: phone of phone_1; None where there is none."""
        match = re.fullmatch(r"(.+)_\d+", self.name)
        return match[1] if match else None

    @property
    def gain(self) -> float | None:
        """dB over bicubic."""
        if self.psnr is None or self.bicubic is None:
            return None
        if self.psnr == self.bicubic:  # infinite, both, where nothing is wrong
            return 0.0
        return self.psnr - self.bicubic

    @property
    def gain_lanczos(self) -> float | None:
        """dB over Lanczos."""
        return None if self.psnr is None or self.lanczos is None else self.psnr - self.lanczos

    def as_dict(self) -> dict[str, Any]:
        """All columns under their names."""
        return asdict(self) | {"gain": self.gain, "gain_lanczos": self.gain_lanczos}


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to look at of a row. result, truth: of the window, (H, W, C) in [0, 1], and low_res of the same
    window; None where no picture was made. true_kernel: None where it is not known."""

    row: Row
    kernel: Kernel
    true_kernel: Kernel | None
    result: Image | None = None
    truth: Image | None = None
    low_res: Image | None = None


def border(scale: int) -> int:
    """High-resolution pixels on each side that no score of a result at this scale counts."""
    return BORDER_AT_ITS_SIZE if scale == 1 else BORDER


def find_cases(folder: Path, scale: int, names: list[str]) -> list[Case]:
    """The pictures of a data set, or those of them that are named, in natural order; InputError if none, and for two
    of one name."""
    source = folder / f"lr_x{scale}"
    if not source.is_dir():
        raise InputError(f"{folder}: there is no folder lr_x{scale} in it; see 'kfsr bench --help' for the layout")
    truths = _by_name(folder / "gt")
    cases = []
    for name, path in sorted(_by_name(source).items(), key=lambda item: _natural(item[0])):
        if names and name not in names:
            continue
        number = name.removeprefix("im_")
        kernels = sorted(folder.glob(f"gt_k_x{scale}/{name}.*")) + sorted(
            folder.glob(f"gt_k_x{scale}/kernel_{number}.*")
        )
        cases.append(Case(name, path, truths.get(name), kernels[0] if kernels else None))
    if not cases:
        raise InputError(f"{source}: no such pictures; the names are those of the files without their endings")
    return cases


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures of a folder under their names without endings; none where there is no folder."""
    found: dict[str, Path] = {}
    for path in pictures_in(folder) if folder.is_dir() else []:
        if path.stem in found:
            raise InputError(f"{found[path.stem]} and {path} have one name; keep one of them")
        found[path.stem] = path
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts web_2 before web_10, and both after phone_3."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


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
    show: Callable[[Shown], None] | None = None,
) -> Row:
    """Estimate the kernel from the whole picture, upscale the central window, score both.

    true_kernel: take the truth in place of an estimate, as it is. window: side of the high-resolution window in pixels,
    of which `border` are left out of the score on each side; 0 for the whole picture. pictures: whether to upscale at
    all. truncated: the files were truncated to their depth instead of rounded, so half a step is added. kernels: folder
    of kernels from an earlier run, NAME.npz; what is missing there is estimated and kept there. show: is given what
    there is to look at.

    Raises InputError for a file that cannot be used, and for a `true_kernel` that is not known.
    """
    scale = recipe.scale
    picture = read_image(case.low_res)
    if picture.alpha is not None and bool((picture.alpha == 1).all()):
        picture = picture.with_pixels(picture.pixels)
    if truncated:
        picture = picture.with_pixels(np.minimum(picture.pixels + 0.5 / picture.white, 1))
    truth = load_kernel(case.kernel, scale, trusted=True) if case.kernel is not None else None
    timings: dict[str, float] = {}
    clock = time.perf_counter()
    if true_kernel:
        if truth is None:
            raise InputError(f"{case.name}: there is no true kernel for it")
        kernel = truth
    elif kernels is not None and (kernels / f"{case.name}.npz").exists():
        kernel = load_kernel(kernels / f"{case.name}.npz", scale)
    else:
        kernel = estimate_kernel(picture, recipe, device=device, progress=progress, timings=timings)
        if kernels is not None:
            save_kernel(kernel, kernels / f"{case.name}.npz")
    kernel_seconds = time.perf_counter() - clock
    row = Row(case.name, kernel.method, kernel_seconds, timings=timings)
    if truth is not None:
        score = compare_kernels(kernel, truth)
        row = replace(row, ncc=score.ncc, ncc_shift2=score.ncc_shift2, size_ratio=score.size_ratio)
    if not pictures or case.truth is None:
        if show is not None:
            show(Shown(row, kernel, truth))
        return row
    clock = time.perf_counter()
    part = _central(picture, window // scale)
    # Its fine form is found already.
    solving = replace(recipe, refine=False)
    result = upscale(picture, solving, kernel=kernel, device=device, window=part, progress=progress)
    picture_seconds = time.perf_counter() - clock
    target = _cut(read_image(case.truth), part, scale)
    bicubic = upscale(picture, scale=scale, strength=0, kernel=kernel, window=part).image
    pixels = [_rounded(im) for im in (result.image, bicubic)]
    if scale > 1:
        low_res = _cut(picture, part, 1)
        other = picture.with_pixels(lanczos(low_res.pixels, (scale * low_res.width, scale * low_res.height)))
        pixels.append(_rounded(other))
    psnr = [psnr_y(one, target.pixels, border(scale)) for one in pixels]
    ssim = [ssim_y(one, target.pixels, border(scale)) for one in pixels[:2]]
    row = replace(
        row,
        psnr=psnr[0],
        ssim=ssim[0],
        bicubic=psnr[1],
        bicubic_ssim=ssim[1],
        lanczos=psnr[2] if scale > 1 else None,
        verdict=result.report.gate.verdict,
        picture_seconds=picture_seconds,
        timings=_added(timings, result.report.timings),
        megapixels=result.image.width * result.image.height / 1e6,
    )
    if show is not None:
        show(Shown(row, kernel, truth, result.image, target, _cut(picture, part, 1)))
    return row


_MEANS = (
    "ncc",
    "ncc_shift2",
    "psnr",
    "ssim",
    "bicubic",
    "bicubic_ssim",
    "lanczos",
    "kernel_seconds",
    "picture_seconds",
)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Means over the rows that have the number; for sizes the median and 90th percentile of |ratio - 1|.

    worst: name of the picture that gains least over bicubic. below_bicubic: how many lose more than `BELOW` dB. At
    scale 1 read "the picture as it is" for bicubic.
    """
    out: dict[str, Any] = {"pictures": len(rows)}
    for name in _MEANS:
        values = [v for row in rows if (v := getattr(row, name)) is not None]
        if values:
            out[f"mean_{name}"] = float(np.mean(values))
    ratios = [row.size_ratio for row in rows if row.size_ratio is not None]
    errors = [abs(ratio - 1) for ratio in ratios if math.isfinite(ratio)]  # of a true point it is not a number
    if errors:
        out["median_size_error"] = float(np.median(errors))
        out["p90_size_error"] = float(np.quantile(errors, 0.9))
    for name in ("gain", "gain_lanczos"):
        gains = [v for row in rows if (v := getattr(row, name)) is not None]
        if gains:
            out |= {f"mean_{name}": float(np.mean(gains)), f"least_{name}": min(gains)}
    over_bicubic = [(row.gain, row.name) for row in rows if row.gain is not None]
    if over_bicubic:
        out["worst"] = min(over_bicubic)[1]
        out["below_bicubic"] = sum(gain < -BELOW for gain, _ in over_bicubic)
    return out


def by_kind(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The `summary` of each kind of picture (`Row.kind`); empty when there are fewer than two."""
    kinds = sorted({row.kind for row in rows if row.kind is not None})
    return {kind: summary([row for row in rows if row.kind == kind]) for kind in kinds} if len(kinds) > 1 else {}


OTHER = "other"
"""The stage of all that is not timed by itself."""


def profile(rows: Sequence[Row]) -> dict[str, Any]:
    """Where the time goes. stages: mean seconds a picture, longest first, all that has no name of its own as `OTHER`;
    solver_seconds_per_megapixel: of the result, where the solver made one."""
    if not rows:
        return {"stages": {}}
    total: dict[str, float] = {}
    for row in rows:
        total = _added(total, row.timings)
    whole = sum(row.kernel_seconds + (row.picture_seconds or 0.0) for row in rows)
    total[OTHER] = max(0.0, whole - sum(total.values()))
    out: dict[str, Any] = {"stages": {name: total[name] / len(rows) for name in sorted(total, key=lambda n: -total[n])}}
    solved = sum(row.megapixels for row in rows if "solver" in row.timings)
    if solved:
        out["solver_seconds_per_megapixel"] = total["solver"] / solved
    return out


def _added(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return one | {stage: one.get(stage, 0.0) + seconds for stage, seconds in other.items()}


def _central(picture: Image, side: int) -> Window:
    rows, cols = (min(side, n) if side else n for n in (picture.height, picture.width))
    return (picture.height - rows) // 2, (picture.width - cols) // 2, rows, cols


def _cut(picture: Image, window: Window, scale: int) -> Image:
    row, col, rows, cols = (scale * v for v in window)
    return picture.with_pixels(picture.pixels[row : row + rows, col : col + cols])


def _rounded(picture: Image) -> np.ndarray:
    return np.asarray(np.rint(picture.pixels * picture.white) / picture.white)
