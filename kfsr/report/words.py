"""What was found in a picture and what was done to it, in words for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kfsr.pipeline.gate import BICUBIC, CAUTIOUS, SHARP, UNCHANGED

_FULL = 0.995


def kernel_in_words(kernel: Mapping[str, Any], scale: int) -> str:
    """Half a line, from what a report tells of its kernel. Lengths are in pixels of the result."""
    method, source = kernel["method"], kernel.get("source", kernel.get("provenance", {}).get("source"))
    long, short = _axes(kernel["covariance"])
    if method == "bicubic" and scale > 1:
        return "shrunk with bicubic" if source == "estimated" else "bicubic's kernel"
    if source != "estimated":
        return "your kernel"
    if long < 0.01:
        return "no blur"
    if method == "shake":
        # A straight line of length l has a standard deviation of l / sqrt(12).
        return f"shake of {math.sqrt(12) * long:.0f} px"
    what = "blur of any form," if method in _FREE else "blur of"
    size = f"{long:.1f} px" if long - short < 0.1 * long else f"{long:.1f} x {short:.1f} px"
    return f"{what} {size}"


_FREE = ("edges", "kernelfusion", "kernelfusion-edges", "kernel-diff")
"""Methods that take no form for granted."""


def found_in_words(report: Mapping[str, Any]) -> str:
    """What the picture went through: its blur, and its dirt as far as it is known."""
    kernel, found = report.get("kernel"), report.get("found")
    # Where nothing could be learned, the kernel is none that was found.
    learned = kernel and not (report.get("strength") == 0 and kernel["method"] == "bicubic")
    words = [kernel_in_words(kernel, report["scale"])] if kernel and learned else []
    if found and found.get("words"):
        words.append(found["words"])
    return ", ".join(words)


def done_in_words(report: Mapping[str, Any], *, with_reason: bool = True) -> str:
    """What the gate took of the solver's picture, and why where that is not all."""
    gate, strength = report.get("gate", {}), report.get("strength")
    verdict, reason = gate.get("verdict"), gate.get("reason", "")
    if reason == SHARP:
        return "sharp already, left as it is"
    if verdict in (BICUBIC, UNCHANGED) or strength == 0:
        what = "left as it is" if report["scale"] == 1 else "interpolated"
        why = reason.removesuffix("; interpolated instead").removesuffix("; left as it is")
        return f"{what}: {why}" if why and with_reason else what
    if report.get("solver") == "bicubic":
        return "interpolated, as asked"
    if report.get("solver") == "joint":
        return "the picture that was found with its kernel"
    but = _but(verdict, reason) if with_reason and " % of what " not in reason else ""
    if strength is None or strength >= _FULL:
        return f"sharpened fully{but}"
    return f"sharpened to {100 * strength:.0f} %{but}"


def _but(verdict: object, reason: str) -> str:
    return f", with caution: {reason}" if verdict == CAUTIOUS and reason else ""


def _axes(covariance: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Standard deviations along the long and the short axis."""
    (rr, rc), (_, cc) = covariance
    mean, half = (rr + cc) / 2, math.hypot((cc - rr) / 2, rc)
    return math.sqrt(max(0.0, mean + half)), math.sqrt(max(0.0, mean - half))
