"""The methods that find a kernel in pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

from kfsr.settings.common import PatchSettings, PerScale


@dataclass(frozen=True)
class SpectralSettings:
    """patch + patch_per_scale * scale: side of a spectral patch in low-res pixels, enough to hold the blur.
    lowest_frequency: cycles per low-res pixel below which the Hann window leaks. robustness: softens outliers."""

    patch: int = 8
    patch_per_scale: int = 4
    lowest_frequency: float = 0.06
    robustness: float = 0.01
    start_variances: tuple[float, ...] = (0.15, 0.5)


@dataclass(frozen=True)
class IklSettings:
    """patch: the patch model it matches with. warm_up: steps of the auxiliary model before the kernel moves.
    kernel_rate: of Adam, divided by scale^2, since the kernel's number of weights grows with it. sigma range: above
    the noise of 8-bit rounding, which the twice-downscaled side lacks. width: of the linear net.
    gaussian_enough: correlation from which on the kernel is taken for a Gaussian. confidence: share of the learned
    change that is taken when the start is an estimate too, whose errors are largely others."""

    patch: PatchSettings = field(default_factory=lambda: PatchSettings(steps=300))
    iterations: int = 200
    warm_up: int = 50
    batch: int = 8
    crop: int = 40
    kernel_rate: float = 4.8e-5
    auxiliary_rate: float = 1e-4
    sigma_min: float = 0.02
    sigma_max: float = 0.6
    width: int = 64
    gaussian_enough: float = 0.97
    confidence: float = 0.25


@dataclass(frozen=True)
class EdgesSettings:
    """windows, window: how many squares of how many low-resolution pixels. support: the kernel's, in low-resolution
    pixels. start_deviation: of the first, round kernel, low-resolution pixels. sharpness: the L0 weight, from many
    edges left out to few. last_coupling: ends the splitting. inertia: what of a step's coupling holds x where it was.
    edge_width: deviation of a photograph's own edges, pixels of the finer grid. smallness, smoothness: of the kernel.
    cut: share of the peak under which a value is noise; island: share of the weight under which a part is (the far end
    of a path often is one at first). polish_iterations, polish_sharpness: of a kernel that is known roughly.
    uncertainty: of the result, for the solver that was trained with it."""

    windows: int = 4
    window: int = 160
    support: int = 7
    start_deviation: float = 1.5
    iterations: int = 14
    sharpness_start: float = 2e-3
    sharpness_decay: float = 0.91
    sharpness_end: float = 5e-4
    last_coupling: float = 1e3
    inertia: float = 0.03
    edge_width: float = 0.4
    smallness: float = 0.01
    smoothness: float = 0.03
    cut: float = 0.02
    island: float = 0.03
    polish_iterations: int = 8
    polish_sharpness: float = 1e-3
    uncertainty: float = 0.4


@dataclass(frozen=True)
class ShakeSettings:
    """windows, window: how many squares of how many pixels a side; of a level with fewer pixels the whole is taken.
    support: the widest canvas, for paths of up to 65 px, which may lie to one side of their centre. ratio: of a level
    of the pyramid to the next finer one. least_side: of the coarsest. rounds, last_rounds: of the two steps on the
    coarse and on the two finest levels. sharpness_starts: first values of the L0 weight, each tried until the last
    `levels_together`; it falls by `sharpness_decay` a round down to `sharpness_end`. edge_width: deviation of a
    photograph's own edges, pixels, on the finest `wide_levels`; on coarser ones they are steps. flatness: weight of the
    squared gradients in the deconvolution that tells which start is best; judging_flatness: whether a finished kernel
    is right, with less weight on the finest detail, where noise is. last_coupling: ends the splitting. smallness,
    smoothness, iterations: of the kernel's least squares. rim: share of the kernel's reach that is left out along the
    border. cut: share of the peak under which a value is noise; island: share of the weight under which a part is.
    room, extra: a kernel's canvas is `room` times as wide as what was found, and `extra` pixels. polish_rounds: at the
    end, with the solver; polish_sigma, polish_uncertainty: what it is told; polish_smallness: `smallness` there,
    against the power of the edges; polish_edges: share of the edges, the strongest, that are used; polish_noise: of the
    picture, [0, 1] units, that halves this share and doubles polish_smallness. uncertainty: of the result, for the
    solver."""

    windows: int = 2
    window: int = 400
    support: int = 85
    ratio: float = 2**-0.5
    least_side: int = 24
    rounds: int = 10
    last_rounds: int = 5
    sharpness_starts: tuple[float, ...] = (8e-3, 16e-3, 32e-3)
    sharpness_decay: float = 0.95
    sharpness_end: float = 1e-3
    levels_together: int = 3
    edge_width: float = 0.4
    wide_levels: int = 2
    flatness: float = 0.01
    judging_flatness: float = 0.03
    last_coupling: float = 1e3
    smallness: float = 2.0
    smoothness: float = 1e-3
    iterations: int = 100
    rim: float = 0.5
    cut: float = 0.05
    island: float = 0.1
    room: float = 1.3
    extra: int = 3
    polish_rounds: int = 2
    polish_sigma: float = 0.02
    polish_smallness: float = 0.03
    polish_uncertainty: float = 0.3
    polish_edges: float = 0.2
    polish_noise: float = 0.003
    uncertainty: float = 0.3


@dataclass(frozen=True)
class KernelFusionSettings:
    """patch: its patch model, which must know more noise than the others'. windows, window: how many squares of how
    many low-resolution pixels, a multiple of 16. support: the kernel's, in low-resolution pixels. width, levels: of
    the U-Net. start_time: of 1000, where the way back begins; steps: on that way; first_rounds, rounds: optimiser's
    steps at the first and at every other time. picture_rate, kernel_rate: of Adam. centre_weight: of the kernel's
    centre of mass in the loss. rim: low-resolution pixels left out along the border. cut: share of the peak under which
    it is haze. uncertainty: of the result, for the solver."""

    patch: PatchSettings = field(default_factory=lambda: PatchSettings(width=32, steps=800, sigma_max=4.0))
    windows: int = 1
    window: int = 64
    support: int = 6
    width: int = 16
    levels: int = 5
    start_time: int = 400
    steps: int = 25
    first_rounds: int = 60
    rounds: int = 12
    picture_rate: float = 1e-3
    kernel_rate: float = 1e-4
    centre_weight: float = 0.1
    rim: int = 6
    cut: float = 0.1
    uncertainty: float = 0.9

    def high_pixels(self, pixels: int, scale: int, whole: bool) -> int:
        """How many high-resolution pixels of a picture of `pixels` low-resolution ones are worked on at once: the
        windows, or the `whole`."""
        return scale**2 * (pixels if whole else min(pixels, self.windows * self.window**2))


@dataclass(frozen=True)
class KernelDiffusionSettings:
    """samples: drawn at once. steps: of the 1000 times on the way back. guidance: length of a step towards the
    picture's spectrum, in the model's units (a kernel has about 20); 0 for none. first_guided: step from which on
    the solver guides the `guided` best samples. uncertainty: of the kernel, that it is told: enough that its picture
    shows what the kernel lacks. hold: of the kernel in a guiding step, against the mean of the equations' diagonal;
    rounds: of its conjugate gradients; cut: share of the peak under which the
    result is noise. through: whether it is the paper's step instead, along a gradient that goes
    through the solver. refinement: rounds of stage II at half the resolution and at the whole. averaged: how many of
    the best samples the kernel is the mean of. window: side in high-resolution pixels of what the solver sees; rim: of
    these that are not compared along its border. fine: deviation in pixels over which a kernel at scale 1 is judged at
    half the resolution. least_uncertainty, doubt: of the result, for the solver: at least, and per unit of the
    samples' spread."""

    samples: int = 12
    steps: int = 12
    guidance: float = 2.0
    first_guided: int = 8
    guided: int = 2
    uncertainty: float = 1.0
    hold: float = 0.3
    rounds: int = 6
    cut: float = 0.1
    through: bool = False
    refinement: tuple[int, int] = (24, 6)
    averaged: int = 3
    window: int = 128
    rim: int = 16
    fine: float = 2.0
    least_uncertainty: float = 0.5
    doubt: float = 3.0


@dataclass(frozen=True)
class RefineSettings:
    """Of `estimators.refinement.refine`. window: side in high-resolution pixels of what is solved for it. uncertainty:
    with which the solver is told the kernel: enough that its picture shows what the kernel lacks. inertia: holds the
    kernel where it was, against the mean of the equations' diagonal, for a window of `pixels` low-resolution pixels,
    and more for a smaller one; a larger scale has more weights to find. noise: from which on, [-1, 1] units, it is held
    more; most_noise: from which on nothing is refined. rim: low-resolution pixels left out along the window's border.
    cut: share of the peak under which the result is noise. smallest: side in low-resolution pixels of a window with
    enough equations."""

    window: int = 512
    uncertainty: float = 0.5
    inertia: PerScale = field(default_factory=lambda: PerScale(x1=0.1, x2=0.1, x3=0.15, x4=0.25))
    pixels: int = 384**2
    noise: float = 0.01
    most_noise: float = 0.04
    rim: int = 4
    cut: float = 0.015
    smallest: int = 96


@dataclass(frozen=True)
class SharpenedSettings:
    """Of `estimators.refinement.sharpened`, for kernels of any form: what has the same name in `RefineSettings` is the
    same. edges: share of a window's edges that count, the strongest. inertia: against the mean of the equations'
    diagonal. smallness, smoothness: of the kernel. island: share of the weight under which a part is noise."""

    window: int = 512
    windows: int = 3
    rounds: int = 2
    uncertainty: float = 0.3
    edges: float = 0.2
    inertia: float = 0.3
    smallness: float = 0.01
    smoothness: float = 0.02
    rim: int = 4
    cut: float = 0.03
    island: float = 0.04
    smallest: int = 96
