"""What the gate compares: kernels of several sizes, with or without sharpening, and several levels of noise."""

from __future__ import annotations

from kfsr.analysis.problem import Told
from kfsr.estimators.calibration import Calibration
from kfsr.kernel import Kernel, resize_kernel
from kfsr.pipeline.gate import Candidate
from kfsr.settings import GateSettings


def candidates(
    kernel: Kernel, gaussian: Kernel | None, known: Calibration | None, told: Told, settings: GateSettings
) -> list[Candidate]:
    """`kernel` with what is known of the data, first, and for an estimate the settings' alternatives.

    gaussian: where the kernel is a Gaussian with the picture's sharpening, as `known` has it, that Gaussian, which is
    what becomes narrower; else None. told: of the kernel as it is.
    """
    plain = gaussian or kernel
    found = [Candidate(kernel, plain, told)]
    if not kernel.estimated:
        return found
    for other in settings.alternatives:
        narrower = resize_kernel(plain, other.size)
        whole = narrower
        if gaussian is not None and known is not None and known.sharpening is not None:
            whole = known.sharpening.of_kernel(narrower).stamped(kernel.provenance)
        changed = Told(told.sigma * other.noise, max(told.uncertainty, other.uncertainty), told.correlation)
        found.append(Candidate(whole, narrower, changed, other.words))
    return found
