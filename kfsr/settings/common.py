"""What several stages share."""

from __future__ import annotations

from dataclasses import dataclass

from kfsr.errors import UsageError


@dataclass(frozen=True)
class PerScale:
    """A number for each scale that it was settled for."""

    x1: float
    x2: float
    x3: float
    x4: float

    def at(self, scale: int) -> float:
        """The number for a scale of 1 to 4; UsageError for another."""
        found = {1: self.x1, 2: self.x2, 3: self.x3, 4: self.x4}.get(scale)
        if found is None:
            raise UsageError(f"scale {scale} has no settings here; use 1, 2, 3 or 4")
        return found


@dataclass(frozen=True)
class PatchSettings:
    """width: hidden channels (64 fills a vector unit; 48 is slower). sigma range: what the stages ask for, in
    [-1, 1] units. batch, crop: small crops keep activations in the CPU's cache."""

    width: int = 64
    steps: int = 500
    batch: int = 6
    crop: int = 48
    rate: float = 2e-3
    sigma_min: float = 0.004
    sigma_max: float = 0.6
