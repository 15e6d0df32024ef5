"""Mild blur at a picture's own size: sharp, softened by a Gaussian, out of focus, or shaken?

At scale 1 no statement about spectra holds of one picture: blurred twice is no model of blurred once. What remains is
what edges look like, and a small network that was trained on photographs with known blur (`models/softness`) judges
that. Beside the kind it gives the Gaussian and the disk that explain the picture best, should it be one of these.
A Gaussian's covariance C is told as its matrix logarithm,

    log(C + f I) = [[size + slant, cross], [cross, size - slant]],        f = `FLOOR`, square pixels

a disk by the logarithm of its radius.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kfsr.analysis.problem import Problem
from kfsr.analysis.windows import busiest_windows
from kfsr.errors import InputError, NothingToLearn
from kfsr.estimators.contrasts import apart_from_mean, pooled
from kfsr.estimators.method import Estimator
from kfsr.kernel import Kernel, gaussian_kernel
from kfsr.kernel.disk import disk_kernel
from kfsr.kernel.gaussian import MIN_VARIANCE
from kfsr.kernel.provenance import Provenance
from kfsr.recipe import MOST_UNCERTAIN
from kfsr.settings import SoftnessSettings
from kfsr.weights import network

KINDS = ("sharp", "gaussian", "disk", "shake")

FLOOR = 0.04
"""Square pixels: kernels much smaller than this are all one."""

SIDE = 160
"""Pixels: of the largest window that the network has seen."""

SMALLEST = 64
"""Pixels a side that a picture needs."""

OUTPUTS = len(KINDS) + 9
HEADS, VALUES = 8, 16
WIDE = 33
"""Pixels a side over which the wider of the two local means goes."""

PATCH = 64
"""Pixels a side of the pieces whose spectra are averaged."""

RINGS = 2 * PATCH
"""Numbers that `rings` gives."""

_FLAT = 0.004
"""Of luminance in [0, 1]: 95 % of the gradients of a picture that says nothing are smaller."""


class SoftnessNet(nn.Module):
    """Convolutions over local contrasts, pooled by attention to the places that tell most; a perceptron of that and of
    the spectrum, where disks and shakes have zeros."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(12, 40, 3),
            nn.ReLU(),
            nn.Conv2d(40, 48, 4, 2),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3),
            nn.ReLU(),
            nn.Conv2d(64, 80, 3, padding=2, dilation=2),
            nn.ReLU(),
        )
        self.places = nn.Conv2d(80, HEADS, 1)
        self.values = nn.Conv2d(80, HEADS * VALUES, 1)
        self.register_buffer("mean", torch.zeros(RINGS))
        self.register_buffer("deviation", torch.ones(RINGS))
        last = nn.Linear(96, OUTPUTS)
        self.layers = nn.Sequential(
            nn.Linear(HEADS * (VALUES + 1) + RINGS, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), last
        )
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward(self, luminance: Tensor) -> Tensor:
        """(B, 1, h, w) in [-1, 1], `SMALLEST` pixels a side or more, to (B, 13): log odds of the four `KINDS` up to a
        constant; of the Gaussian the median of size, slant and cross, log spread (mean absolute deviation) of size and
        of the other two; log radius of the disk and its log spread; log noise in [-1, 1] units and its log spread."""
        out: Tensor = self.layers(self.features(luminance))
        return out

    def features(self, luminance: Tensor) -> Tensor:
        """(B, 264): what the perceptron is given."""
        h, w = luminance.shape[-2:]
        x = luminance[..., : h // 2 * 2, : w // 2 * 2].float()
        apart, near = apart_from_mean(x)
        _, far = apart_from_mean(x, WIDE)
        # Over blocks of 2 x 2 pixels: as much is seen at a third of the time.
        blocks = F.pixel_unshuffle(torch.cat([4 * apart, near, far], 1), 2)
        x = self.body(blocks.to(memory_format=torch.channels_last))
        values, evidence = pooled(self.places(x), self.values(x))
        known = (rings(luminance.float()) - self.mean) / self.deviation
        return torch.cat([values, evidence, known], 1)


def rings(x: Tensor) -> Tensor:
    """(B, 128) of (B, 1, h, w): mean and standard deviation over the angles, at 32 radii each, of the logarithm of the
    mean periodogram of pieces, and of its Fourier transform, the cepstrum. A kernel's zeros are rings in the one, twice
    a disk's radius or the length of a path is a ring in the other."""
    hann = torch.hann_window(PATCH, periodic=False, device=x.device)
    pieces = (x - x.mean((-2, -1), keepdim=True)).unfold(-2, PATCH, PATCH // 2).unfold(-2, PATCH, PATCH // 2)
    power = torch.fft.fft2(pieces * hann[:, None] * hann).abs().square().mean((1, 2, 3))
    log_power = (power / PATCH**2 + 1e-6).log()
    i = torch.fft.fftfreq(PATCH, 1 / PATCH, device=x.device)
    radius = torch.hypot(i[:, None], i[None]).flatten()
    share = (1 - (radius - torch.arange(1, PATCH // 2 + 1, device=x.device)[:, None]).abs()).clamp_min(0)
    share = share / share.sum(1, keepdim=True)
    found = []
    for plane in (log_power, PATCH * torch.fft.ifft2(log_power).real):
        mean = plane.flatten(1) @ share.T
        square = plane.flatten(1).square() @ share.T
        found += [mean, (square - mean.square()).clamp_min(0).sqrt()]
    return torch.cat(found, 1)


@dataclass(frozen=True)
class Softness:
    """kind: "sharp" or "shake" where that may well be, else the likeliest of `KINDS`. odds: probability of each.
    kernel: at scale 1, the best Gaussian or disk, the delta kernel where the picture is sharp. spread: mean absolute
    deviation of the logarithm of the kernel's size: of the geometric mean of its standard deviations, or of the radius.
    noise: to tell a solver, standard deviation, [-1, 1] units. handled: from 0 to 1, how surely more was done to the
    picture than blurring it, as cameras do: then the kernel is not exact, nor is the noise white."""

    kind: str
    odds: dict[str, float]
    kernel: Kernel
    spread: float
    noise: float
    handled: float = 0.0


DELTA = Kernel(np.ones((1, 1)), 1, Provenance("estimated", "soft"))


def judge(luminances: list[np.ndarray], white: float, net: SoftnessNet, settings: SoftnessSettings) -> Softness:
    """What the network sees in (H, W) pictures in [0, 1] that share one blur. white: standard deviation of the white
    noise that was measured, [-1, 1] units. Raises NothingToLearn."""
    said = []
    for plane in luminances:
        if min(plane.shape) < SMALLEST:
            raise NothingToLearn(f"the picture is smaller than {SMALLEST} pixels; its blur cannot be told")
        if not tells(plane):
            raise NothingToLearn("the picture is too flat; its blur cannot be told")
        for window in busiest_windows(plane, SIDE, max(1, settings.windows // len(luminances))):
            x = torch.from_numpy(plane[window].astype(np.float32))[None, None]
            with torch.no_grad():
                said.append(net(2 * x - 1)[0].double().numpy())
    return concluded(np.stack(said), white, settings)


def tells(luminance: np.ndarray) -> bool:
    """Whether (H, W), in [0, 1], has edges enough to be judged."""
    return bool(np.quantile(np.abs(np.diff(luminance, axis=1)), 0.95) >= _FLAT)


def concluded(said: np.ndarray, white: float, settings: SoftnessSettings) -> Softness:
    """From what the network says of each window, (windows, 13). Of sizes a low quantile counts: what is out of focus in
    a part of a sharp picture makes others too large."""
    logits, rest = said[:, : len(KINDS)], said[:, len(KINDS) :]
    chances = np.exp((logits - np.log(np.exp(logits).sum(1, keepdims=True))).mean(0))
    odds = dict(zip(KINDS, (chances / chances.sum()).tolist(), strict=True))
    kind = "sharp" if odds["sharp"] > settings.maybe_sharp else max(KINDS[1:], key=odds.__getitem__)
    if kind != "sharp" and odds["shake"] > settings.maybe_shake:
        kind = "shake"
    noise = math.exp(float(rest[:, 7].mean()))
    handled = _handled(math.exp(float(np.quantile(rest[:, 7], 0.75))), white, settings)
    # Where it may as well be a shake, that reading is worth little.
    handled /= 1 + ((1 - odds["gaussian"] - odds["disk"]) / settings.unsure) ** 2
    noise = max(noise, white) + settings.noise_of_handled * handled
    disk = odds["disk"] > odds["gaussian"]
    # A variance's logarithm is twice that of the deviation.
    size, log_spread = (rest[:, 5], rest[:, 6]) if disk else (rest[:, 0] / 2, rest[:, 3] - math.log(2))
    spread = math.exp(float(log_spread.mean()))
    if kind == "sharp":
        return Softness(kind, odds, DELTA, spread, noise, handled)
    short = float(np.quantile(rest[:, 0], 0.5)) / 2 < math.log(settings.shortest_shake)
    if kind == "shake" and short and odds["shake"] < settings.surely_shake:
        kind = "disk" if disk else "gaussian"
    # Too large a kernel rings, too small a one does little.
    lower = settings.bias + settings.caution * spread + settings.caution_of_handled * handled
    log_size = float(np.quantile(size, settings.quantile)) - lower
    if disk:
        kernel = disk_kernel(math.exp(log_size), 1)
    else:
        weight = np.exp(-2 * rest[:, 4])
        slant, cross = weight @ rest[:, 1:3] / weight.sum()
        kernel = gaussian_of(np.array([2 * log_size, slant, cross]))
    return Softness(kind, odds, kernel.stamped(DELTA.provenance), spread, noise, handled)


def _handled(noise: float, white: float, settings: SoftnessSettings) -> float:
    """From the noise that the network sees and how much of it is white, which may be twice what was measured."""
    unexplained = math.sqrt(max(noise**2 - (2 * white) ** 2, 1e-12))
    return 1 / (1 + (settings.handled_noise / unexplained) ** 8)


def logarithm(covariance: np.ndarray) -> np.ndarray:
    """(size, slant, cross) of a (2, 2) covariance in square pixels."""
    values, axes = np.linalg.eigh(covariance + FLOOR * np.eye(2))
    log = axes @ np.diag(np.log(np.maximum(values, FLOOR))) @ axes.T
    return np.array([log[0, 0] + log[1, 1], log[0, 0] - log[1, 1], 2 * log[0, 1]]) / 2


def gaussian_of(shape: np.ndarray) -> Kernel:
    """The Gaussian of (size, slant, cross), on a canvas that holds it."""
    size, slant, cross = shape
    values, axes = np.linalg.eigh(np.array([[size + slant, cross], [cross, size - slant]]))
    variances = np.maximum(np.exp(values) - FLOOR, 2 * MIN_VARIANCE)
    reach = max(3, math.ceil(3.2 * math.sqrt(float(variances.max()))))
    return gaussian_kernel(axes @ np.diag(variances) @ axes.T, 1, 2 * reach + 1)


def from_state(state: dict[str, Tensor]) -> SoftnessNet:
    """The network with these parameters; InputError when they are of something else."""
    net = SoftnessNet()
    try:
        net.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise InputError("these are not the weights of the softness network") from error
    return net.eval()


def appraise(problem: Problem) -> Softness:
    """What a problem's pictures look like to the bundled network. Raises NothingToLearn."""
    with problem.timed("softness"):
        net = network(None, ("softness",))
        assert isinstance(net, SoftnessNet)
        return judge(problem.luminances, problem.noise, net, problem.settings.softness)


def uncertainty(problem: Problem, kernel: Kernel) -> float:
    """For the solver: more where the picture says little of the kernel's size, and where more was done to it than
    blurring. Raises NothingToLearn."""
    cfg, seen = problem.settings.softness, problem.once(appraise)
    return min(MOST_UNCERTAIN, cfg.least_doubt + cfg.doubt * seen.spread + cfg.doubt_of_handled * seen.handled)


METHOD = Estimator(
    estimate=lambda problem: problem.once(appraise).kernel,
    seconds=lambda pixels, recipe: 0.4,
    scales=(1,),
    uncertainty=uncertainty,
)
