"""Never worse than bicubic: what the picture itself says about the result, without a truth."""

from __future__ import annotations

from dataclasses import dataclass

TRUSTED = "trusted"


@dataclass(frozen=True)
class Verdict:
    """verdict: "trusted", or what was done instead; reason: one line for people."""

    verdict: str
    reason: str
