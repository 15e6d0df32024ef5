"""The posterior of kernels given a picture, by a diffusion model that a solver guides: Kernel-Diff.

Sanghvi, Chi and Chan, Kernel Diffusion (2024): a model of kernels given the blurred picture (`models/kernel_diffusion`)
is run backwards, and at every step the clean kernel that it has in mind is moved so that a solver's picture, blurred
by it, is the picture that is given. The solver stays as it is; only kernels are sought. Several samples are drawn at
once. The best is found without a truth, and how far they are from each other says how uncertain it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from kfsr.analysis.evidence import SIDE, WINDOW, centred, coarser, evidence, few_edges_objective, middle, windowed
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
        """Mean square of y - k * F(y, k), differentiable in the kernel."""
        y, k, noise = self._seen(kernel)
        again = _degraded(self.restore(y, k, self.scale, noise), k, self.scale)
        rim = min(self.settings.rim // self.scale, min(y.shape[-2:]) // 4)
        return (again - y)[..., rim:-rim, rim:-rim].square().mean()

    def _seen(self, kernel: Tensor) -> tuple[Tensor, Tensor, float]:
        """The picture, the canonical kernel and the noise of what is compared."""
        y, side = self.low_res, self.settings.window // self.scale
        if self.scale == 1 and deviation(kernel.detach()) > self.settings.fine:
            whole = y[..., : y.shape[-2] // 2 * 2, : y.shape[-1] // 2 * 2]
            return (
                _middle_part(F.avg_pool2d(whole, 2), side),
                coarser(kernel[None], middle(1))[0, :-1, :-1],
                self.noise / 2,
            )
        odd = self.scale % 2
        return _middle_part(y, side), kernel[: SIDE - odd, : SIDE - odd], self.noise


@dataclass(frozen=True)
class Samples:
    """kernels: (N, 64, 64) about `middle`, sum 1, the best first. scores: (N,) their `few_edges_objective`."""

    kernels: Tensor
    scores: Tensor

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
    high-resolution grid. guide: the solver's, of the `guided` best samples from half of the way on; None for none."""
    condition = net.condition(evidence(picture[None], scale), picture[None], torch.tensor([scale]))
    condition = condition.repeated(cfg.samples)
    # k_T ~ N(0, I)
    z_t = torch.randn(cfg.samples, SIDE, SIDE, generator=generator)
    z_0 = z_t
    for step, (abar, abar_before) in enumerate(pairwise(alphas_bar(TIMES, cfg.steps))):
        # The clean kernel in mind (eq. 18), by v in place of the noise
        v = net(z_t, torch.full((len(z_t),), abar), condition)
        z_0 = clean_estimate(z_t, v, abar)
        if guide and step >= cfg.first_guided:
            if step == cfg.first_guided:
                # From here on only those that explain the picture best
                best = few_edges_objective(picture, decoded(z_0), scale).argsort()[: cfg.guided]
                z_t, z_0 = z_t[best], z_0[best]
                condition = replace(condition, maps=condition.maps[best], facts=condition.facts[best])
            # x = F(y, k), and one step against the gradient of |y - k * x|^2 (eq. 19 and 20)
            z_0 = torch.stack([guided(one, guide, cfg.guidance) for one in z_0])
        # k_(t-1) ~ q(k_(t-1) | k_t, k_0)
        mean, deviation = posterior(z_0, z_t, abar, abar_before)
        z_t = mean + deviation * torch.randn(z_t.shape, generator=generator)
        progress("kernel-diff", step + 1, cfg.steps)
    check_finite("kernel diffusion", z_0)
    # Stage II: the kernel alone, by the same data term
    kernels = decoded(z_0)
    if guide and cfg.refinement_steps:
        kernels = torch.stack([refined(k, guide, cfg) for k in kernels])
    kernels = centred(_on_canvas(kernels, scale), middle(scale))
    scores = few_edges_objective(picture, kernels, scale)
    order = scores.argsort()
    return Samples(kernels[order], scores[order])


def guided(z_0: Tensor, guide: Guide, length: float) -> Tensor:
    """(64, 64) moved by `length` against the gradient of the data term."""
    z = z_0.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(guide.misfit(decoded(z)), z)
    return z_0 - length * gradient / gradient.norm().clamp_min(1e-12)


def refined(kernel: Tensor, guide: Guide, cfg: KernelDiffusionSettings) -> Tensor:
    """Stage II: Adam on the data term, from a kernel (64, 64) of sum 1 to one of the same kind."""
    z = encoded(kernel).detach().requires_grad_()
    optimiser = torch.optim.Adam([z], cfg.refinement_rate)
    for _ in range(cfg.refinement_steps):
        optimiser.zero_grad()
        with torch.enable_grad():
            torch.autograd.backward(guide.misfit(decoded(z)), inputs=[z])
        optimiser.step()
    return decoded(z.detach())


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
    side = 2 * a.shape[-1]
    spectra = [torch.fft.rfft2(k, s=(side, side)) for k in (a, b)]
    best = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=(side, side)).amax((-1, -2))
    return best / (a.square().sum((-1, -2)) * b.square().sum((-1, -2))).sqrt()


def _on_canvas(kernels: Tensor, scale: int) -> Tensor:
    """Without the last row and column at an odd scale, whose kernels have 63 pixels a side."""
    side = SIDE - scale % 2
    k = F.pad(kernels[..., :side, :side], (0, SIDE - side, 0, SIDE - side))
    return k / k.sum((-1, -2), keepdim=True)


def _degraded(x: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """`degrade` by FFT, which does not mind how wide a kernel is."""
    margin = -(-kernel.shape[-1] // (2 * scale))
    y = circular_degrade(extend(x, margin * scale, "reflect"), kernel, scale)
    return y[..., margin:-margin, margin:-margin]


def _middle_part(x: Tensor, side: int) -> Tensor:
    rows, cols = (max(0, (size - side) // 2) for size in x.shape[-2:])
    return x[..., rows : rows + side, cols : cols + side]
