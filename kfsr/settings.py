"""Every number that can be turned, one frozen dataclass per stage, and the presets."""

from __future__ import annotations

from dataclasses import dataclass, field

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
class SpectralSettings:
    """patch + patch_per_scale * scale: side of a spectral patch in low-res pixels, enough to hold the blur.
    lowest_frequency: cycles per low-res pixel below which the Hann window leaks. robustness: softens outliers."""

    patch: int = 8
    patch_per_scale: int = 4
    lowest_frequency: float = 0.06
    robustness: float = 0.01
    start_variances: tuple[float, ...] = (0.15, 0.5)


@dataclass(frozen=True)
class CalibrationSettings:
    """windows: how many of a picture are judged. bias: by how much log size and form may be misjudged on photographs of
    another kind than the net has seen; only what is beyond is corrected. widest: by how much log size may be raised at
    most, and only where the log odds of that the kernel is no Gaussian are under `sure_odds`: a Gaussian as wide as
    another kernel rings.
    trusted_spread: of log size, well under which the kernel is taken as it is. caution: by how many spreads log size
    is lowered well above it. doubt: uncertainty that the solver is told, per spread squared.
    least_sharpening: log gain at .4 cycles a pixel under which a picture counts as not sharpened."""

    windows: int = 6
    bias: float = 0.1
    widest: float = 0.3
    sure_odds: float = -3.0
    trusted_spread: float = 0.3
    caution: float = 0.8
    doubt: float = 6.0
    least_sharpening: float = 0.1


@dataclass(frozen=True)
class SoftnessSettings:
    """windows: how many of a picture are judged. maybe_sharp: probability from which on a picture is left as it is.
    maybe_shake: likewise, from which on it counts as shaken: Gaussians have none.
    shortest_shake: pixels, standard deviation under which a path is as well a Gaussian, unless its probability is
    `surely_shake`. quantile: of the windows'
    sizes. bias, caution: what is taken from the logarithm of a kernel's size (deviation or radius), and how many
    spreads of it, since too large a kernel rings. least_doubt, doubt: uncertainty that the solver is told, and what is
    added per spread. handled_noise: [-1, 1] units, from which on noise that is not white says that a camera did more to
    the picture than blur it; what is then taken from the log size, added to the noise that the solver is told, and to
    the uncertainty. unsure: probability of that it is no Gaussian or disk that halves this."""

    windows: int = 6
    maybe_sharp: float = 0.1
    maybe_shake: float = 0.2
    shortest_shake: float = 1.2
    surely_shake: float = 0.9
    quantile: float = 0.25
    bias: float = 0.0
    caution: float = 0.1
    least_doubt: float = 0.1
    doubt: float = 1.0
    handled_noise: float = 0.01
    caution_of_handled: float = 0.3
    noise_of_handled: float = 0.08
    doubt_of_handled: float = 0.9
    unsure: float = 0.15


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
class HeapSettings:
    """Two heaps of photographs. patch: side of a spectral patch of the blurred ones, and field_patch in a field of
    kernels, whose cells are small. patches: of one photograph, at most, and cell_patches of one cell of one. groups: of
    photographs, by their order; each has its own brightness and slope of the spectrum, and a photograph more takes no
    more memory; field_groups: in a field. window: side of what edges are looked for in, in one photograph of each
    group. lowest_frequency: cycles per pixel below which the window leaks. robustness: softens outliers of the log
    spectra. slope: weight that holds the scenes' slopes near the clean ones'; field_slope: near those of all cells, in
    a field. tail: power of Moffat's kernels, whose halo goes with their core: that of the one measured lens; where it
    is free, halo and brightness stand for each other. edges: weight of the edges' equations. roughness: weight of a
    kernel's differences. sharpness: L0 weight of the few edges; edge_width: of a photograph's, in pixels
    (`ShakeSettings`): the spectra tell it here, and wider ones made no kernel better. first_windows: of one of the two
    starts; first_rounds: from each; start_margin: of the misfit, by which the one of all windows must be better;
    rounds: of edges and kernel in turn, at the end; stride: how far a round goes, of the way that it found. iterations,
    field_iterations: of L-BFGS in a round. first_cut, first_island: of the start (`ShakeSettings`): many photographs
    tell small values from noise. room: pixels that the canvas is wider than the start. cut: share of the peak under
    which a value is noise; island: share of the weight under which a part is. canvas_roughness, canvas_margin:
    `roughness`, and of the misfit, where a canvas cuts off a resizer's kernel. lens_support: side of a field's kernels.
    smoothness: weight of the difference of neighbours in a field."""

    patch: int = 128
    field_patch: int = 64
    patches: int = 1500
    cell_patches: int = 36
    groups: int = 24
    field_groups: int = 6
    window: int = 400
    lowest_frequency: float = 0.03
    robustness: float = 0.03
    slope: float = 0.03
    field_slope: float = 0.3
    tail: float = 2.25
    edges: float = 5.0
    roughness: float = 0.004
    sharpness: float = 2e-3
    edge_width: float = 0.0
    first_windows: int = 8
    first_rounds: int = 4
    start_margin: float = 1.5e-4
    rounds: int = 6
    stride: float = 2.0
    iterations: int = 100
    field_iterations: int = 150
    first_cut: float = 0.02
    first_island: float = 0.03
    room: int = 8
    cut: float = 0.01
    island: float = 0.02
    canvas_roughness: float = 0.02
    canvas_margin: float = 0.001
    lens_support: int = 25
    smoothness: float = 0.001


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
    """window: side in high-resolution pixels of what is solved for it.
    uncertainty: with which the solver is told the kernel: enough that its picture shows what the kernel lacks.
    inertia: holds the kernel where it was, against the mean of the equations' diagonal, for a
    window of `pixels` low-resolution pixels, and more for a smaller one; a larger scale has more weights to find.
    noise: from which on, [-1, 1] units, it is held more; most_noise: from which on nothing is
    refined. rim: low-resolution pixels left out along the window's
    border. cut: share of the peak under which the result is noise. smallest: side in low-resolution pixels of a
    window with enough equations. free_...: the same for a kernel of any form, in `free_rounds` on `free_windows`, with
    that share of the edges, the strongest; free_smallness, free_smoothness: of the kernel; free_island: share of the
    weight under which a part is noise."""

    window: int = 512
    uncertainty: float = 0.5
    inertia: PerScale = PerScale(x1=0.1, x2=0.1, x3=0.15, x4=0.25)
    pixels: int = 384**2
    noise: float = 0.01
    most_noise: float = 0.04
    rim: int = 4
    cut: float = 0.015
    smallest: int = 96
    free_rounds: int = 2
    free_windows: int = 3
    free_uncertainty: float = 0.3
    free_edges: float = 0.2
    free_inertia: float = 0.3
    free_smallness: float = 0.01
    free_smoothness: float = 0.02
    free_cut: float = 0.03
    free_island: float = 0.04


@dataclass(frozen=True)
class BicubicSettings:
    """How an estimate looks that stands for the kernel of a bicubic resize, as programs make it. least, most: geometric
    mean of its standard deviations along the axes, low-resolution pixels (a resize that averages areas is narrower,
    optics are wider). ratio: of the two, at most. noise: of the picture, [-1, 1] units, at most. odds: log odds of that
    the kernel is no Gaussian, at most. uncertainty: of the bicubic kernel, for the solver."""

    least: float = 0.35
    most: float = 0.5
    ratio: float = 1.22
    noise: float = 0.016
    odds: float = -3.5
    uncertainty: float = 0.2


@dataclass(frozen=True)
class AutoSettings:
    """gaussian_method: what a kernel is found with that looks like a Gaussian. most_noise: [-1, 1]
    units, from which on edges are too rough to tell a kernel. least_odds: log odds of that the
    kernel is no Gaussian under which it is taken for one. odds_of_size: what such odds gain where the spectral
    fit's log size lacks 1. smallest_blur: variance of the edges' kernel, in low-resolution pixels squared, under
    which a cautious Gaussian does no worse and rings less; that of a picture of `pixels` or fewer: it falls with
    the root of more, which show a smaller blur. bicubic: when the kernel is taken for that of a bicubic resize.
    least_shake: at scale 1, probability of a shake from which on one is looked for; least_shake_if_sharp: the same
    where the picture may well be sharp; most_spread: how spread the
    gradients of its picture may then be, against those of the picture as it is; most_spread_if_shaken: the same where a
    shake is more probable than `surely_shaken`; most_beside_soft: against the
    picture that a Gaussian or disk gives, where one of these is likelier; most_beside_soft_if_far: the same for a path
    whose deviation is more than `far` times that of the Gaussian or disk."""

    gaussian_method: str = "spectral"
    most_noise: float = 0.06
    least_odds: float = -1.5
    odds_of_size: float = 2.0
    smallest_blur: float = 0.6
    pixels: int = 256**2
    least_shake: float = 0.01
    least_shake_if_sharp: float = 0.05
    most_spread: float = 1.005
    most_spread_if_shaken: float = 1.06
    surely_shaken: float = 0.8
    most_beside_soft: float = 0.98
    most_beside_soft_if_far: float = 1.05
    far: float = 2.5
    bicubic: BicubicSettings = field(default_factory=BicubicSettings)


@dataclass(frozen=True)
class GateSettings:
    """deblurred_sigma, deblurred_uncertainty: what a solver is told at least at scale 1, where no kernel is exact: blur
    changes over a real picture, and is linear in light only.
    trusted_sigma, estimated_sigma: noise, [-1, 1] units, that a solver is told at least with a given and with an
    estimated kernel. given_uncertainty, estimated_uncertainty: of such kernels, at least; a little also for one that is
    given, since pictures are stored in 8 bits and gamma-encoded. least_share: of the solver's change,
    under which the picture is interpolated; trusted_share: under which people are told; full_share: over which all of
    it is taken. window: side in low-resolution pixels of what is tried."""

    deblurred_sigma: float = 0.01
    deblurred_uncertainty: float = 0.2
    trusted_sigma: float = 0.0025
    estimated_sigma: float = 0.003
    given_uncertainty: float = 0.05
    estimated_uncertainty: float = 0.15
    least_share: float = 0.1
    trusted_share: float = 0.4
    full_share: float = 0.92
    window: int = 96


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
    kernelfusion: KernelFusionSettings = field(default_factory=KernelFusionSettings)
    kernel_diffusion: KernelDiffusionSettings = field(default_factory=KernelDiffusionSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    unfolding: UnfoldingSettings = field(default_factory=UnfoldingSettings)
    zssr: ZssrSettings = field(default_factory=ZssrSettings)
    unrolled: UnrolledSettings = field(default_factory=UnrolledSettings)


PRESETS: dict[str, Settings] = {
    "fast": Settings(
        refine=RefineSettings(window=352),
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
        unrolled=UnrolledSettings(ensemble=8),
    ),
}
