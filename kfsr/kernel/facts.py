"""What a person asks about a kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kfsr.kernel.lens import Lens
from kfsr.kernel.value import Kernel


def kernel_facts(kernel: Kernel) -> dict[str, Any]:
    """Size, direction, centre and origin, ready for JSON.

    axes: standard deviations along the long and the short axis, in high-resolution pixels; angle: of the long
    axis, in degrees counter-clockwise from horizontal as seen on the screen; centre: centre of mass off the
    middle, (row, column).
    """
    (rr, rc), (_, cc) = kernel.covariance.tolist()
    # Eigenvalues of [[cc, -rc], [-rc, rr]]: x to the right, y up, while rows count downwards.
    mean, half = (rr + cc) / 2, math.hypot((cc - rr) / 2, rc)
    return {
        "size": kernel.size,
        "method": kernel.method,
        "trace": kernel.trace,
        "covariance": kernel.covariance.tolist(),
        "axes": [math.sqrt(max(0.0, mean + half)), math.sqrt(max(0.0, mean - half))],
        "angle": math.degrees(0.5 * math.atan2(-2 * rc, cc - rr)) % 180,
        "centre": list(kernel.centre),
        "provenance": kernel.provenance.as_dict(),
    }


def facts_in_words(kernel: Kernel) -> str:
    """The same as half a line for people."""
    if kernel.is_point:
        return f"{kernel.method}, a point: the picture is sharp"
    facts = kernel_facts(kernel)
    (long, short), (row, col) = facts["axes"], facts["centre"]
    shape = "round" if long - short <= 0.01 * long else f"long axis at {facts['angle']:.0f} degrees"
    return (
        f"{facts['method']}, {facts['size']}x{facts['size']} px, standard deviations {long:.2f} and "
        f"{short:.2f} px, {shape}, centre off by {math.hypot(row, col):.2f} px"
    )


def lens_in_words(lens: Lens) -> str:
    """What a photographer asks about a lens: how soft it is where least and where most, how far its colours part."""
    rows, cols, _, size, _ = lens.field.array.shape
    at = np.arange(size) - (size - 1) / 2
    profiles = [lens.field.array.sum(axis) for axis in (4, 3)]
    centres = np.stack([profile @ at for profile in profiles], -1)
    spread = np.stack([profile @ at**2 for profile in profiles], -1) - centres**2
    widths = np.sqrt(np.maximum(spread, 0).mean((2, 3)))
    apart = np.linalg.norm(centres - centres[:, :, len(centres[0, 0]) // 2, None], axis=-1).max()
    if widths.max() < 0.05 and apart < 0.05:
        return f"{rows}x{cols} kernels, all of them points: nothing to correct was found"
    return (
        f"{rows}x{cols} kernels of {size}x{size} px, standard deviations {widths.min():.2f} to {widths.max():.2f} px, "
        f"colours up to {apart:.2f} px apart"
    )
