"""A user's picture as a phone, a web site or a scanner would have left it, and what was done to it in plain words."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from kfsr.image import Image, unpremultiply
from kfsr.kernel.facts import kernel_facts
from kfsr.operator.spatial import low_res_size
from kfsr.training.camera import to_linear, to_srgb
from kfsr.training.degradations import LUMA, Degradation, degraded_by, draw

_BLURS = {
    "gaussian": "blur",
    "shake": "camera shake",
    "hand": "camera shake",
    "flat": "flat blur (a disk or box)",
    "bicubic": "bicubic blur",
}


def degraded_like(kind: str, sharp: Image, scale: int, seed: int) -> tuple[Image, Degradation]:
    """`sharp` after one random degradation of a kind (`draw`), (H//s, W//s) of 8 bits, and that degradation.

    The same seed draws the same degradation for every picture. A gray picture stays gray: its grain has no colours.
    Of a transparent one the premultiplied colours are degraded, so that none of invisible pixels leaks into visible
    ones; alpha is only blurred and subsampled. Raises UsageError for a picture smaller than the scale.
    """
    low_res_size((sharp.height, sharp.width), scale, scale)
    rng = np.random.default_rng(seed)
    degradation = draw(kind, scale, rng)
    pixels = sharp.premultiplied()
    if sharp.channels == 1:
        degradation = _without_colours(degradation)
        pixels = np.repeat(pixels, 3, -1)
    low = degradation.apply(pixels, rng)
    if sharp.channels == 1:
        low = low @ LUMA
    alpha = None
    if sharp.alpha is not None:
        alpha = np.clip(degraded_by(sharp.alpha[..., None], degradation.kernel)[..., 0], 0, 1)
        low = unpremultiply(low, alpha)
    return replace(sharp, depth=8, sample=None).resized(low, alpha, 1 / scale), degradation


def _without_colours(degradation: Degradation) -> Degradation:
    grain, halftone = degradation.grain, degradation.halftone
    return replace(
        degradation,
        grey=True,
        grain=grain and replace(grain, colour=0.0),
        halftone=halftone and replace(halftone, turn=0.0),
    )


def facts(degradation: Degradation) -> dict[str, Any]:
    """What was drawn, ready for JSON: numbers as the classes hold them (lengths in low-resolution pixels, levels in
    [0, 1], None for what did not happen), the whole kernel's facts, and `in_words`."""
    camera = degradation.camera
    parts = (degradation.grain, degradation.halftone, degradation.sharpening)
    grain, halftone, sharpening = (None if part is None else asdict(part) for part in parts)
    return {
        "kind": degradation.kind,
        "blur": degradation.blur.kind if not degradation.resized else None,
        "resized": degradation.resized or None,
        "enlarged": degradation.enlarged,
        "grey": degradation.grey,
        "camera": None if camera is None else asdict(camera) | {"noise_in_middle_tones": _camera_noise(degradation)},
        "grain": grain,
        "halftone": halftone,
        "sharpening": sharpening,
        "files": [asdict(file) for file in degradation.files],
        "kernel": kernel_facts(degradation.whole_kernel()),
        "in_words": in_words(degradation),
    }


def in_words(degradation: Degradation) -> list[str]:
    """Each thing that was done, in its order. Blur is in pixels of the sharp picture, the rest in those of the result;
    noise is a standard deviation in grey levels of 255."""
    return [words for words in _steps(degradation) if words]


def _steps(one: Degradation) -> list[str]:
    long, short = kernel_facts(one.kernel)["axes"]
    if one.resized:
        steps = [f"shrunk with {one.resized}" if one.scale > 1 else ""]
        steps += [f"enlarged by {one.enlarged:.2f} from fewer pixels still" if one.enlarged > 1 else ""]
    else:
        steps = [f"{_BLURS[one.blur.kind]} of {long:.1f} by {short:.1f} px (standard deviations)"]
    steps += ["colours removed" if one.grey else ""]
    if one.camera:
        denoised = f", denoised by {one.camera.denoising:.0%}" if one.camera.denoising else ""
        levels = 255 * _camera_noise(one)
        steps += [
            f"camera noise of {levels:.1f} levels in middle tones, {one.camera.demosaicking} demosaicking{denoised}"
        ]
    if one.grain:
        size = f"grain of {one.grain.size:.1f} px and" if one.grain.size else "white noise of"
        steps += [f"{size} {255 * one.grain.level:.1f} levels"]
    if one.halftone:
        steps += [f"halftone dots every {one.halftone.period:.1f} px, {255 * one.halftone.level:.0f} levels"]
    if one.sharpening:
        steps += [f"sharpened by {one.sharpening.amount:.0%} (radius {one.sharpening.radius:.1f} px)"]
    return steps + [f"saved as {file.format} of quality {file.quality}" for file in one.files]


def _camera_noise(degradation: Degradation) -> float:
    """Standard deviation of a sample's noise at the middle of sRGB, in [0, 1] units of sRGB."""
    if degradation.camera is None:
        return 0.0
    light = to_linear(np.array(0.5))
    deviation = math.sqrt(degradation.camera.shot * float(light) + degradation.camera.read**2)
    low, high = to_srgb(light + deviation * np.array([-0.5, 0.5]))
    return float(high - low)
