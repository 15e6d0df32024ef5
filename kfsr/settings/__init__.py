"""Every number that can be turned, one frozen dataclass per stage, and the presets."""

from __future__ import annotations

from dataclasses import dataclass, field

from kfsr.settings.common import PatchSettings, PerScale
from kfsr.settings.estimation import (
    EdgesSettings,
    IklSettings,
    KernelDiffusionSettings,
    KernelFusionSettings,
    RefineSettings,
    ShakeSettings,
    SharpenedSettings,
    SpectralSettings,
)
from kfsr.settings.judging import AutoSettings, BicubicSettings, CalibrationSettings, GateSettings, SoftnessSettings
from kfsr.settings.lenses import HeapSettings, OwnLensSettings
from kfsr.settings.solving import UnfoldingSettings, UnrolledSettings, ZssrSettings

__all__ = [
    "PRESETS",
    "AutoSettings",
    "BicubicSettings",
    "CalibrationSettings",
    "EdgesSettings",
    "GateSettings",
    "HeapSettings",
    "IklSettings",
    "KernelDiffusionSettings",
    "KernelFusionSettings",
    "OwnLensSettings",
    "PatchSettings",
    "PerScale",
    "RefineSettings",
    "Settings",
    "ShakeSettings",
    "SharpenedSettings",
    "SoftnessSettings",
    "SpectralSettings",
    "UnfoldingSettings",
    "UnrolledSettings",
    "ZssrSettings",
]


@dataclass(frozen=True)
class Settings:
    """All stages at one level of effort. tile: side in high-resolution pixels of the pieces that a larger picture is
    solved in, less where memory is short."""

    tile: int = 1664
    auto: AutoSettings = field(default_factory=AutoSettings)
    spectral: SpectralSettings = field(default_factory=SpectralSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    softness: SoftnessSettings = field(default_factory=SoftnessSettings)
    ikl: IklSettings = field(default_factory=IklSettings)
    edges: EdgesSettings = field(default_factory=EdgesSettings)
    shake: ShakeSettings = field(default_factory=ShakeSettings)
    heaps: HeapSettings = field(default_factory=HeapSettings)
    own_lens: OwnLensSettings = field(default_factory=OwnLensSettings)
    kernelfusion: KernelFusionSettings = field(default_factory=KernelFusionSettings)
    kernel_diffusion: KernelDiffusionSettings = field(default_factory=KernelDiffusionSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    sharpened: SharpenedSettings = field(default_factory=SharpenedSettings)
    unfolding: UnfoldingSettings = field(default_factory=UnfoldingSettings)
    zssr: ZssrSettings = field(default_factory=ZssrSettings)
    unrolled: UnrolledSettings = field(default_factory=UnrolledSettings)


PRESETS: dict[str, Settings] = {
    "fast": Settings(
        refine=RefineSettings(window=352),
        sharpened=SharpenedSettings(window=352),
        ikl=IklSettings(patch=PatchSettings(steps=150), iterations=80, warm_up=20),
        unfolding=UnfoldingSettings(prior=PatchSettings(steps=150), iterations=4),
        zssr=ZssrSettings(steps=60),
        kernelfusion=KernelFusionSettings(
            patch=PatchSettings(width=32, steps=400, sigma_max=4.0), window=48, steps=10, first_rounds=30, rounds=8
        ),
    ),
    "balanced": Settings(),
    "best": Settings(
        auto=AutoSettings(gaussian_method="ikl"),
        ikl=IklSettings(patch=PatchSettings(width=128, steps=100_000, batch=32, crop=64), iterations=8192, batch=64),
        unfolding=UnfoldingSettings(prior=PatchSettings(width=128, steps=100_000, batch=32, crop=64), iterations=24),
        zssr=ZssrSettings(steps=3000, batch=8, crop=128),
        kernelfusion=KernelFusionSettings(
            patch=PatchSettings(width=128, steps=100_000, batch=32, crop=64, sigma_max=4.0),
            window=256,
            width=32,
            steps=50,
            first_rounds=100,
            rounds=20,
            picture_rate=1e-4,
        ),
        refine=RefineSettings(window=768),
        sharpened=SharpenedSettings(window=768),
        unrolled=UnrolledSettings(ensemble=8),
    ),
}
