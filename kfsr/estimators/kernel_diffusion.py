"""The posterior of kernels given a picture, by a diffusion model that the data guide: Kernel-Diff.

Sanghvi, Chi and Chan, Kernel Diffusion (2024): a model of kernels given the blurred picture (`models/kernel_diffusion`)
is run backwards, and at every step the clean kernel k_0 that it has in mind is moved so that a solver's picture
x = F(y, k_0), blurred by it, is the picture y that is given. The solver stays as it is; only kernels are sought.

Two things differ from the paper, since they were measured to be better (docs/kernel_diff.md): the solver's picture is
held fixed while the kernel moves (a gradient that goes on through the solver finds kernels that please it), so that
the step can be the exact least squares; and at every step the kernel must also explain the picture's spectrum.
Several samples are drawn at once. The best is found without a truth, and how far they are from each other says how
uncertain it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.evidence import evidence, windowed
from kfsr.analysis.few_edges import (
    SIDE,
    WINDOW,
    alternated,
    centred,
    cleaned,
    coarser,
    few_edges_objective,
    finer,
    middle,
)
from kfsr.analysis.periodogram import spectrum_misfit
from kfsr.numerics import check_finite
from kfsr.operator.fourier import circular_degrade
from kfsr.operator.spatial import bicubic_upscale, extend
from kfsr.priors.diffusion import TIMES, alphas_bar, posterior
from kfsr.priors.kernel_diffusion import KernelDiffusionNet, clean_estimate, decoded, encoded
from kfsr.progress import Progress, silent
from kfsr.settings import KernelDiffusionSettings

Restore = Callable[[Tensor, Tensor, int, float], Tensor]
"""A solver F(y, k): (1, 1, h, w) in [-1, 1], a canonical kernel (K, K), the scale and the noise's standard deviation to
(1, 1, s*h, s*w); differentiable in the kernel."""


@dataclass(frozen=True)
class Guide:
    """The data term |y - k * F(y, k)|^2 of one window of a picture. low_res: (1, 1, h, w) luminance, [-1, 1]; noise:
    its standard deviation; scale: of the kernels. Kernels are (64, 64) about `middle`.

    At scale 1 a kernel that is wider than `fine` is judged at half the resolution, in four times the area: its solver
    knows kernels of up to half the grid best, and what matters of a wide one is its path. Along the border, where
    nobody knows what the kernel brought in, nothing is compared.
    """

    low_res: Tensor
    noise: float
    scale: int
    restore: Restore
    settings: KernelDiffusionSettings

    def misfit(self, kernel: Tensor) -> Tensor:
        """Mean square of y - k * F(y, k), differentiable in the kernel also through F."""
        y, k, noise = self._seen(kernel)
        return self._inside(_degraded(self.restore(y, k, self.scale, noise), k, self.scale) - y).square().mean()

    def improved(self, kernel: Tensor) -> Tensor:
        """argmin_k |grad (y - k * x)|^2 + hold |k - kernel|^2 with x = F(y, kernel); `cleaned`."""
        y, k, noise = self._seen(kernel)
        x = self.restore(y, k, self.scale, noise)
        wide, seen = _differences(x, self.scale), _differences(y, 1)

        def blurred(one: Tensor) -> Tensor:
            return self._inside(_degraded(wide, one, self.scale))

        hold = self.settings.hold * float(wide.square().sum()) / self.scale**2
        change = _nearby_least_squares(blurred, self._inside(seen) - blurred(k), k, hold, self.settings.rounds)
        if k.shape[-1] < SIDE // 2:  # at half the resolution: what is finer stays
            one = F.pad(torch.stack([k, (k + change).clamp(min=0)]), (0, 1, 0, 1))
            before, after = finer(one, 2, SIDE, SIDE / 4 - 1, middle(1))
            change = after - before
        rest = SIDE - change.shape[-1]
        return cleaned((kernel + F.pad(change, (0, rest, 0, rest)))[None], self.settings.cut, middle(self.scale))[0]

    def _inside(self, x: Tensor) -> Tensor:
        rim = min(self.settings.rim // self.scale, min(x.shape[-2:]) // 4)
        return x[..., rim:-rim, rim:-rim]

    def _seen(self, kernel: Tensor) -> tuple[Tensor, Tensor, float]:
        """The picture, the canonical kernel and the noise of what is compared."""
        y, side = self.low_res, self.settings.window // self.scale
        if self.scale == 1 and deviation(kernel.detach()) > self.settings.fine:
            whole = y[..., : y.shape[-2] // 2 * 2, : y.shape[-1] // 2 * 2]
            y = _middle_part(F.avg_pool2d(whole, 2), side)
            return y, coarser(kernel[None], middle(1))[0, :-1, :-1], self.noise / 2
        odd = self.scale % 2
        return _middle_part(y, side), kernel[: SIDE - odd, : SIDE - odd], self.noise


@dataclass(frozen=True)
class Samples:
    """kernels: (N, 64, 64) about `middle`, sum 1, the best first. scores: (N,) of `scored`."""

    kernels: Tensor
    scores: Tensor

    def mean(self, count: int, scale: int) -> Tensor:
        """(64, 64) of the best few, each moved to where it is most like the best."""
        return centred(aligned(self.kernels[:count], self.kernels[0]).mean(0)[None], middle(scale))[0]

    @property
    def spread(self) -> float:
        """One less the mean correlation of the samples with the best, each moved to where it correlates most."""
        if len(self.kernels) == 1:
            return 0.0
        return 1 - float(correlation(self.kernels[1:], self.kernels[:1]).mean())


def kernel_diffusion(
    net: KernelDiffusionNet,
    guide: Guide | None,
    picture: Tensor,
    scale: int,
    cfg: KernelDiffusionSettings,
    generator: torch.Generator,
    progress: Progress = silent,
) -> Samples:
    """Algorithm 1 of Kernel-Diff, for `samples` kernels at once. picture: (256, 256), `windowed`, on the
    high-resolution grid. guide: the data term, for the `guided` best samples from `first_guided` on; None for none."""
    condition = net.condition(evidence(picture[None], scale), picture[None], torch.tensor([scale]))
    condition = condition.repeated(cfg.samples)
    # k_T ~ N(0, I)
    z_t = torch.randn(cfg.samples, SIDE, SIDE, generator=generator)
    z_0 = z_t
    for step, (abar, abar_before) in enumerate(pairwise(alphas_bar(TIMES, cfg.steps))):
        # The clean kernel in mind (eq. 18), by v in place of the noise
        v = net(z_t, torch.full((cfg.samples,), abar), condition)
        z_0 = clean_estimate(z_t, v, abar)
        # Towards the picture's spectrum
        if cfg.guidance:
            z_0 = guided(z_0, lambda k: spectrum_misfit(picture, k, scale), cfg.guidance)
        # x = F(y, k_0) (eq. 19), and k_0 moved to lower |y - k * x|^2 (eq. 20)
        if guide and step >= cfg.first_guided:
            for n in scored(picture, decoded(z_0), scale).argsort()[: cfg.guided].tolist():
                z_0[n] = through_solver(z_0[n], guide, cfg) if cfg.through else encoded(guide.improved(decoded(z_0[n])))
        # k_(t-1) ~ q(k_(t-1) | k_t, k_0)
        mean, deviation = posterior(z_0, z_t, abar, abar_before)
        z_t = mean + deviation * torch.randn(z_t.shape, generator=generator)
        progress("kernel-diff", step + 1, cfg.steps)
    check_finite("kernel diffusion", z_0)
    # Stage II: the kernel alone, F being the picture with few edges
    kernels = centred(_on_canvas(decoded(z_0), scale), middle(scale))
    if any(cfg.refinement):
        kernels = alternated(picture, kernels, scale, cfg.refinement)
    scores = scored(picture, kernels, scale)
    order = scores.argsort()
    return Samples(kernels[order], scores[order])


def guided(z_0: Tensor, misfit: Callable[[Tensor], Tensor], length: float) -> Tensor:
    """z_0 (N, K, K), each moved by `length` against the gradient of its misfit, a function of kernels (N, K, K)."""
    z = z_0.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(misfit(decoded(z)).sum(), z)
    return z_0 - length * gradient / gradient.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-12)


def through_solver(z_0: Tensor, guide: Guide, cfg: KernelDiffusionSettings) -> Tensor:
    """(64, 64) after the paper's step: along the gradient that goes through the solver as well."""
    return guided(z_0[None], lambda k: guide.misfit(k[0]), cfg.guidance or 1.0)[0]


def scored(picture: Tensor, kernels: Tensor, scale: int) -> Tensor:
    """(N,) how kernels (N, 64, 64) compare, less being better: the spectrum, which tells sizes and forms, and the
    objective of few edges, which tells a kernel from its half turn; each in its deviations over the kernels."""
    both = spectrum_misfit(picture, kernels, scale), few_edges_objective(picture, kernels, scale)
    if len(kernels) == 1:
        return both[0]
    spectrum, edges = ((one - one.mean()) / one.std().clamp_min(1e-9) for one in both)
    return spectrum + 0.5 * edges


def seen_part(low_res: Tensor, scale: int) -> Tensor:
    """(256, 256) `windowed` part of a window (1, 1, h, w) of [0, 1] on the high-resolution grid, for the model."""
    return windowed(_middle_part(bicubic_upscale(low_res, scale), WINDOW)[0])[0]


def deviation(kernel: Tensor) -> float:
    """Root mean square distance of a kernel (K, K) of sum 1 from its centre of mass, pixels."""
    i = torch.arange(kernel.shape[-1]).float()
    rows, cols = kernel.sum(1), kernel.sum(0)
    return float((rows @ i**2 - (rows @ i) ** 2 + cols @ i**2 - (cols @ i) ** 2).clamp(min=0).sqrt())


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """(N,) the largest over all shifts of kernels (N, K, K) and (N or 1, K, K)."""
    return _correlations(a, b).amax((-1, -2)) / (a.square().sum((-1, -2)) * b.square().sum((-1, -2))).sqrt()


def aligned(kernels: Tensor, like: Tensor) -> Tensor:
    """Kernels (N, K, K), each moved by the whole pixels at which it correlates most with `like` (K, K)."""
    side = 2 * like.shape[-1]
    best = _correlations(like[None], kernels).flatten(1).argmax(1).tolist()
    shifts = [[(n + side // 2) % side - side // 2 for n in divmod(at, side)] for at in best]
    return torch.stack([k.roll(shift, (0, 1)) for k, shift in zip(kernels, shifts, strict=True)])


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    side = 2 * a.shape[-1]
    spectra = [torch.fft.rfft2(k, s=(side, side)) for k in (a, b)]
    return torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=(side, side))


def _nearby_least_squares(
    operator: Callable[[Tensor], Tensor], rest: Tensor, like: Tensor, hold: float, rounds: int
) -> Tensor:
    """argmin_d |operator(d) - rest|^2 + hold |d|^2, of the form of `like`, by so many conjugate gradients."""
    with torch.enable_grad():
        point = torch.zeros_like(like, requires_grad=True)
        image = operator(point)

    def transposed(r: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(image, point, r, retain_graph=True)
        return gradient

    d = torch.zeros_like(like)
    r = transposed(rest)
    p, power = r, r.square().sum()
    for _ in range(rounds):
        q = transposed(operator(p)) + hold * p
        length = power / (p * q).sum().clamp_min(1e-20)
        d, r = d + length * p, r - length * q
        before, power = power, r.square().sum()
        p = r + power / before.clamp_min(1e-20) * p
    return d


def _differences(x: Tensor, step: int) -> Tensor:
    """(1, 2, h, w) of (1, 1, h, w): along both axes, around the border."""
    return torch.cat([x.roll(-step, axis) - x for axis in (-2, -1)], 1)


def _degraded(x: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """`degrade` by FFT, which does not mind how wide a kernel is."""
    margin = -(-kernel.shape[-1] // (2 * scale))
    y = circular_degrade(extend(x, margin * scale, "reflect"), kernel, scale)
    return y[..., margin:-margin, margin:-margin]


def _on_canvas(kernels: Tensor, scale: int) -> Tensor:
    """Without the last row and column at an odd scale, whose kernels have 63 pixels a side."""
    side = SIDE - scale % 2
    k = F.pad(kernels[..., :side, :side], (0, SIDE - side, 0, SIDE - side))
    return k / k.sum((-1, -2), keepdim=True)


def _middle_part(x: Tensor, side: int) -> Tensor:
    rows, cols = (max(0, (size - side) // 2) for size in x.shape[-2:])
    return x[..., rows : rows + side, cols : cols + side]
