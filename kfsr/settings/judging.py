"""What is judged of a picture before a method is chosen, and of a result before it is given out."""

from __future__ import annotations

from dataclasses import dataclass, field


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
