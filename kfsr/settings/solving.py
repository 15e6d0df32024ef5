"""The solvers."""

from __future__ import annotations

from dataclasses import dataclass, field

from kfsr.settings.common import PatchSettings
from kfsr.settings.judging import GateSettings


@dataclass(frozen=True)
class UnfoldingSettings:
    """Schedule of the splitting, [-1, 1] units. father_factors: the prior learns the picture shrunk by these,
    which is sharper, as the high-resolution picture is. gate: also `zssr`'s."""

    prior: PatchSettings = field(default_factory=lambda: PatchSettings(steps=600))
    father_factors: tuple[float, ...] = (1.5, 2.0)
    iterations: int = 8
    sigma_start: float = 0.15
    sigma_end: float = 0.004
    balance: float = 0.23
    gate: GateSettings = field(default_factory=GateSettings)


@dataclass(frozen=True)
class UnrolledSettings:
    """ensemble: symmetries of the square that the result is averaged over."""

    ensemble: int = 1
    gate: GateSettings = field(default_factory=GateSettings)


@dataclass(frozen=True)
class ZssrSettings:
    """level: the network's fixed noise level. balance: start of the data step's learned weight."""

    steps: int = 300
    batch: int = 4
    crop: int = 96
    rate: float = 5e-4
    level: float = 0.08
    balance: float = 1e-3
