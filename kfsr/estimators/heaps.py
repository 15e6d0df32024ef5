"""Kernels from two heaps of photographs that show different scenes, one heap blurred and one sharp.

With C the power spectrum that scenes have on average, which the sharp heap tells, that of group p of the blurred heap
is

    S_p(f)  ~  g_p |f|^(b_p) fold[C |K|^2](f) + N,                                                  (1)

with a brightness g_p and a slope b_p of the group's own scenes, and one noise N (the kernel-free form of which is the
ratio of the mean spectra). The robust distance of the logarithms of both sides is minimised over all of them: that is
the noise level, and |K|. A picture that is seen through a window of values w has |K|^2 smoothed by the window's
spectrum, so that the kernel's autocorrelation is multiplied by w's before it is transformed.

|K| leaves the phase open. Where the kernel is no blob it is told by the edges: photographs that share a kernel share
the normal equations of k = argmin |k * grad x - grad y|^2, x with few edges (see `kfsr.analysis.edge_steps`), and their
sum over all photographs is added to (1). Each repairs what the other lacks: edges alone make kernels too thin, since x
is too simple, and spectra alone cannot tell a kernel from itself turned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.spectrum import hann
from kfsr.numerics import check_finite
from kfsr.operator.fourier import fast_size, fold
from kfsr.settings import HeapSettings

Equations = tuple[Tensor, Tensor]
"""gram (2 K - 1, 2 K - 1) and cross (K, K) of the edges, as `edge_steps.correlations` gives them."""


@dataclass(frozen=True)
class Fit:
    """kernels: (M, K, K) float64, each not negative with sum 1. noise: standard deviation in [0, 1] units. misfit: mean
    robust distance of the logarithms, 0.17 for a perfect fit."""

    kernels: np.ndarray
    noise: float
    misfit: float


class Spectra:
    """(1) for M kernels, each with the spectra of what it has blurred.

    observed: (M, groups, P, P); clean: (M or 1, s * P, s * P), the spectra in FFT order as `mean_periodogram` scales
    them. channels: of a field, whose kernels n, n + channels, ... have one slope in common, which costs nothing, beside
    each group's own; 0 for none in common. What is fitted beside the kernels is kept here from one call of `fit` to the
    next.
    """

    def __init__(
        self, observed: np.ndarray, clean: np.ndarray, scale: int, cfg: HeapSettings, channels: int = 0
    ) -> None:
        patch = observed.shape[-1]
        self.scale, self.cfg, self.side = scale, cfg, scale * patch
        rows, cols = np.fft.fftfreq(patch)[:, None], np.fft.rfftfreq(patch)[None]
        radius = np.hypot(rows, cols)
        seen = radius > cfg.lowest_frequency
        seen[patch // 2 + 1 :, 0] = False  # once each
        self.seen = torch.from_numpy(seen)
        log_radius = torch.from_numpy(np.log(radius[seen]))
        self.log_radius = log_radius - log_radius.mean()
        self.log_observed = torch.from_numpy(np.log(np.maximum(observed[..., : patch // 2 + 1][..., seen], 1e-12)))
        self.clean = torch.from_numpy(np.ascontiguousarray(clean))
        self.window = torch.from_numpy(_autocorrelation(hann(self.side)))
        low = self.log_radius < self.log_radius.min() + 1.2
        expected = self._blurred(torch.ones(1, 1, 1, dtype=torch.float64))
        self.gain = (self.log_observed - expected.log()[:, None])[..., low].mean(-1).requires_grad_()
        self.slope = torch.zeros_like(self.gain, requires_grad=True)
        self.common = torch.zeros(channels, 1, dtype=torch.float64, requires_grad=True) if channels else None
        floor = np.quantile(observed[..., : patch // 2 + 1][..., radius > 0.4], 0.05)
        self.log_noise = torch.tensor(float(np.log(max(floor, 1e-8))), dtype=torch.float64, requires_grad=True)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise, in the picture's units."""
        return float(self.log_noise.detach().exp()) ** 0.5

    def misfit(self, kernels: Tensor) -> Tensor:
        """Mean robust distance of the logarithms of (1) for kernels (M, K, K), differentiable in all that is fitted."""
        slope = self.slope
        if self.common is not None:
            slope = slope + self.common.repeat(len(slope) // len(self.common), 1)
        gain = self.gain[..., None] + slope[..., None] * self.log_radius
        expected = gain.exp() * self._blurred(kernels)[:, None] + self.log_noise.exp()
        distance = self.log_observed - expected.log()
        return (distance.square() + self.cfg.robustness).sqrt().mean()

    def penalty(self) -> Tensor:
        """Of slopes far from the common one, or from the clean ones, which would pass for blur."""
        return self.cfg.slope * self.slope.square().mean()

    def fitted(self) -> list[Tensor]:
        """What is fitted beside the kernels."""
        return [self.gain, self.slope, self.log_noise, *(() if self.common is None else (self.common,))]

    def _blurred(self, kernels: Tensor) -> Tensor:
        """fold[C |K|^2] at the frequencies that count, (M, F)."""
        own = torch.fft.irfft2(torch.fft.rfft2(kernels, s=(self.side, self.side)).abs().square(), (self.side,) * 2)
        power = torch.fft.fft2(own * self.window).real.clamp_min(1e-10)
        folded = fold(self.clean * power, self.scale) if self.scale > 1 else self.clean * power
        return folded[..., : self.seen.shape[-1]][..., self.seen]


def fit(spectra: Spectra, start: np.ndarray, cfg: HeapSettings, *more: Callable[[Tensor], Tensor]) -> Fit:
    """Kernels (M, K, K), K < P, that explain the spectra, near `start` (M, K, K). more: what else is to be small."""
    root = torch.from_numpy(np.sqrt(np.maximum(start, 0) + 1e-5 * start.max((1, 2), keepdims=True))).requires_grad_()
    return _minimised(spectra, root, lambda u: u.square(), cfg, more)


def fit_gaussian(spectra: Spectra, size: int, variance: float, cfg: HeapSettings) -> Fit:
    """The same over Gaussians (3 numbers each), from a round one of that variance."""
    half = 0.5 * float(np.log(variance))
    factors = torch.tensor([half, 0.0, half], dtype=torch.float64).repeat(len(spectra.gain), 1).requires_grad_()
    return _minimised(spectra, factors, lambda one: _gaussians(one, size), cfg, ())


def fit_moffat(
    spectra: Spectra, size: int, cfg: HeapSettings, *more: Callable[[Tensor], Tensor]
) -> tuple[Fit, np.ndarray]:
    """The same over Moffat's kernels, and their 3 numbers each, (M, 3), as `moffats` takes them. more: what else of
    these numbers is to be small."""
    cores = torch.tensor([0.5, 0.0, 0.5], dtype=torch.float64).repeat(len(spectra.gain), 1).requires_grad_()
    extra = [lambda _, one=one: one(cores) for one in more]
    found = _minimised(spectra, cores, lambda one: moffats(one, size, cfg.tail), cfg, extra)
    return found, cores.detach().numpy()


def edges_misfit(equations: Equations, weight: float) -> Callable[[Tensor], Tensor]:
    """`weight` times (k'Gk / 2 - k'c) over the largest entry of G, of kernels (1, K, K)."""
    gram, cross = (one.double() for one in equations)
    size = cross.shape[0]
    around = fast_size(3 * size)
    lags = torch.arange(1 - size, size) % around
    circular = torch.zeros(around, around, dtype=torch.float64)
    circular[lags[:, None], lags[None]] = gram
    spectrum, largest = torch.fft.rfft2(circular).real, float(gram.max())

    def misfit(kernels: Tensor) -> Tensor:
        k = kernels[0]
        again = torch.fft.irfft2(spectrum * torch.fft.rfft2(k, (around, around)), (around, around))[:size, :size]
        return ((k * again).sum() / 2 - (k * cross).sum()) * (weight / largest)

    return misfit


def rough(weight: float) -> Callable[[Tensor], Tensor]:
    """`weight` times the mean energy of the differences between a kernel's neighbouring pixels, against its own: what
    is under the noise at high frequencies would be anything."""

    def energy(kernels: Tensor) -> Tensor:
        steps = [F.pad(kernels, (1, 1, 1, 1)).diff(dim=axis).square().sum((1, 2)) for axis in (1, 2)]
        return weight * ((steps[0] + steps[1]) / kernels.square().sum((1, 2))).mean()

    return energy


def _minimised(
    spectra: Spectra,
    numbers: Tensor,
    form: Callable[[Tensor], Tensor],
    cfg: HeapSettings,
    more: Sequence[Callable[[Tensor], Tensor]],
) -> Fit:
    variables = [numbers, *spectra.fitted()]
    optimiser = torch.optim.LBFGS(
        variables, max_iter=cfg.iterations, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-8
    )

    def kernels() -> Tensor:
        k = form(numbers)
        return k / k.sum((1, 2), keepdim=True)

    def objective() -> Tensor:
        optimiser.zero_grad()
        k = kernels()
        loss = spectra.misfit(k) + spectra.penalty()
        for one in more:
            loss = loss + one(k)
        loss.backward()
        return loss

    optimiser.step(objective)
    with torch.no_grad():
        found = kernels()
        misfit = float(spectra.misfit(found))
    check_finite("kernel of two heaps", found)
    return Fit(found.numpy().copy(), spectra.noise, misfit)


def _gaussians(factors: Tensor, size: int) -> Tensor:
    """Gaussians (M, K, K), not normalised: logarithms of the Cholesky diagonals of their covariances, and the entry off
    it, (M, 3)."""
    return torch.exp(-0.5 * _squared_distances(factors, size, torch.zeros(1, 2, dtype=torch.float64)))


def moffats(factors: Tensor, size: int, tail: float, centres: Tensor | None = None) -> Tensor:
    """(1 + d^2)^-tail (Moffat 1969), (M, K, K), not normalised, d the distance in a core given as for Gaussians: a
    core with a halo, as lenses have it. centres: (M, 2), the canvas's middle where None."""
    middle = torch.zeros(1, 2, dtype=torch.float64) if centres is None else centres
    return (1 + _squared_distances(factors, size, middle)) ** -tail


def _squared_distances(factors: Tensor, size: int, centres: Tensor) -> Tensor:
    i = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    down, across = i[None] - centres[:, :1], i[None] - centres[:, 1:]
    # Within bounds, since a line search tries anything: deviations of a third of a pixel to twelve.
    a, c = (factors[:, n].clamp(-1.2, 2.5).exp() for n in (0, 2))
    b = factors[:, 1].clamp(-12, 12)
    # L z = (row, column), L = [[a, 0], [b, c]]
    first = down[:, :, None] / a[:, None, None]
    second = (across[:, None, :] - b[:, None, None] * first) / c[:, None, None]
    return first.square() + second.square()


def _autocorrelation(window: np.ndarray) -> np.ndarray:
    """Of a window (P, P) with itself, as a factor per lag (P, P) in FFT order, 1 at lag 0."""
    side = window.shape[0]
    whole = np.fft.irfft2(np.abs(np.fft.rfft2(window, (2 * side, 2 * side))) ** 2, (2 * side, 2 * side))
    lags = np.fft.fftfreq(side, 1 / side).astype(int)
    factors: np.ndarray = whole[np.ix_(lags, lags)] / whole[0, 0]
    return factors
