"""What a picture went through, in numbers and in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from kfsr.analysis.noise import compression_level
from kfsr.analysis.problem import Problem
from kfsr.estimators.calibration import Calibration

BASE_QUANTISATION = 17.2
"""`Image.quantisation` of the standard's luminance table (ITU-T T.81, table K.1), which is quality 50."""

GRAIN = 3.0
"""Grey levels of noise from which on people are told of it."""


@dataclass(frozen=True)
class Findings:
    """noise: root mean square of all that the kernel does not explain, grey levels; correlation: of it between
    neighbouring pixels. jpeg_quality: 1 to 100 by the file's tables, None where it is no JPEG; compressed: by the
    file or by the pixels. sharpening_amount, sharpening_radius: of an unsharp mask, 1 is 100 %, low-resolution pixels;
    0 where there is none. words: the same for people."""

    noise: float
    correlation: float
    jpeg_quality: int | None
    compressed: bool
    sharpening_amount: float
    sharpening_radius: float
    words: str


def findings(problem: Problem, known: Calibration | None) -> Findings | None:
    """Of the first picture; None where it is too small or too flat to tell."""
    if known is None:
        return None
    quality = jpeg_quality(problem.picture.quantisation)
    compressed = quality is not None or compression_level(problem.low_res) > 0
    noise = known.noise * 127.5
    sharpening = known.sharpening
    said = []
    if quality is not None:
        said.append(f"JPEG of quality {quality}")
    elif compressed:
        said.append("compressed before")
    if noise >= GRAIN:
        said.append(f"noise of {noise:.0f} levels")
    if sharpening:
        said.append("sharpened")
    return Findings(
        noise,
        known.correlation,
        quality,
        compressed,
        sharpening.amount if sharpening else 0.0,
        sharpening.radius if sharpening else 0.0,
        ", ".join(said) or "clean",
    )


def jpeg_quality(quantisation: float) -> int | None:
    """Quality by which the usual programs (IJG) make such a table, of `Image.quantisation`; None for 0."""
    if not quantisation:
        return None
    factor = 100 * quantisation / BASE_QUANTISATION
    return round(max(1.0, min(100.0, 5000 / factor if factor > 100 else (200 - factor) / 2)))
