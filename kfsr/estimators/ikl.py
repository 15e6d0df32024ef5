"""IKL: the kernel that makes the twice-downscaled picture's patches look like the picture's own (ddm4ip).

Two patch models that both go on learning, one of the picture and one of the twice-downscaled picture (auxiliary),
give the gradient of KL(Y_k || Y) with respect to the kernel of a linear convolution net.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import fftconvolve
from torch import Tensor, nn

from kfsr.analysis.problem import Problem
from kfsr.checkpoint import NO_CHECKPOINT, Checkpoint, Stateful
from kfsr.errors import NothingToLearn
from kfsr.estimators.method import Estimator
from kfsr.estimators.registry import estimator
from kfsr.kernel.gaussian import MIN_VARIANCE, fit_gaussian, gaussian_kernel, own_blur_factor
from kfsr.kernel.provenance import Provenance
from kfsr.kernel.value import Kernel, default_size
from kfsr.numerics import check_finite, in_working_precision
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import SIGMA_DATA
from kfsr.priors.patch.training import train_patch_model, training_seconds
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import IklSettings


class LinearKernelNet(nn.Module):
    """Three convolutions without bias or activation, kept collapsed: one (K, K) kernel with the same gradients.

    Started at `start` (K, K), sum 1. One path through the layers carries a Gaussian of a third of `covariance`
    each, all others small random weights; what the layers collapse to at first is replaced by `start`, exactly.
    """

    offset: Tensor

    def __init__(self, start: Tensor, covariance: np.ndarray, width: int) -> None:
        super().__init__()
        third = (start.shape[0] + 2) // 3
        sides = [start.shape[0] + 2 - 2 * third, third, third]
        shapes = [(1, width), (width, width), (width, 1)]
        self.layers = nn.ParameterList()
        for side, (inputs, outputs) in zip(sides, shapes, strict=True):
            factor = gaussian_kernel(covariance / 3, 2 - side % 2, side).array
            weight = torch.randn(outputs, inputs, side, side) * 1e-3 / width**0.5
            weight[0, 0] = torch.from_numpy(factor.copy()).float()
            self.layers.append(nn.Parameter(weight))
        self.register_buffer("offset", start - self._collapsed().detach())

    def forward(self) -> Tensor:
        """The collapsed kernel (K, K), sum 1, canonical (correlation) convention."""
        k = self._collapsed() + self.offset
        return k / k.sum()

    def _collapsed(self) -> Tensor:
        k = self.layers[0]
        for weight in list(self.layers)[1:]:
            # Correlating one after the other is convolving the filters.
            side = weight.shape[-1] - 1
            k = F.conv2d(F.pad(k.transpose(0, 1), (side,) * 4), weight.flip(2, 3)).transpose(0, 1)
        return k[0, 0]


def estimate(
    crops: CropSampler,
    start: Kernel,
    model: PatchModel,
    settings: IklSettings,
    generator: torch.Generator,
    *,
    progress: Progress = silent,
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> Kernel:
    """Refine `start` by matching the patches of the twice-downscaled picture to the picture's own.

    crops: of the low-resolution picture, [-1, 1], unturned; model: its patch model, trained on the same crops. Every
    iteration draws crops x and z = A_k(x) + sigma n, and then

    (i) the auxiliary model takes one denoising step on A_k(x), and the real one on the picture itself: a real model
    that stands still falls behind in plain skill, and the kernel would follow that difference;
    (ii) the kernel takes one step along mean(w(sigma) (D_aux(z) - D(z)) A_k(x)), both models held fixed, which
    descends KL(Y_k || Y) (ddm4ip, eq. 5, with the sign of its code).

    The picture is itself blurred by k, so what matches is k_hat = k without the blur it already has (see
    `own_blur_factor`); that is what the net holds. The rate decays to zero and the last half of the iterates is
    averaged. Raises NothingToLearn when the picture is too small for one crop, NumericalError when the result is not
    finite.
    """

    def match(dtype: torch.dtype) -> Kernel:
        return _matched(crops, start, model, settings, generator, dtype, progress, checkpoint)

    return in_working_precision(crops.device, match, generator)


def _matched(
    crops: CropSampler,
    start: Kernel,
    model: PatchModel,
    cfg: IklSettings,
    generator: torch.Generator,
    dtype: torch.dtype,
    progress: Progress,
    checkpoint: Checkpoint,
) -> Kernel:
    scale, device = start.scale, crops.device
    covariance = start.covariance * own_blur_factor(scale)
    first = gaussian_kernel(covariance, scale, start.size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        net = LinearKernelNet(torch.from_numpy(first.array.copy()).float(), covariance, cfg.width).to(device)
    auxiliary, real = (_Learner(model, cfg.auxiliary_rate, dtype) for _ in range(2))
    margin = model.network.margin
    # A crop of `side` twice-downscaled pixels needs this many of the picture's.
    side = min(cfg.crop, (crops.largest - start.size + scale) // scale)
    if side <= 2 * margin:
        raise NothingToLearn(f"the picture is too small for ikl at scale {scale}; use --kernel-method spectral")
    rate = cfg.kernel_rate / scale**2
    optimiser = torch.optim.Adam(net.parameters(), rate, betas=(0.9, 0.99))
    inner = (..., slice(margin, side - margin), slice(margin, side - margin))
    total = cfg.warm_up + cfg.iterations
    parts: dict[str, Stateful] = {
        "net": net,
        "optimiser": optimiser,
        **auxiliary.parts("auxiliary"),
        **real.parts("real"),
    }
    kept = checkpoint.stage(f"ikl, {dtype}", total, parts, generator)
    iterates = list(kept.values.get("iterates", ()))
    for step in range(kept.first, total):
        k = net()
        x = crops.draw(cfg.batch, scale * side + start.size - scale, generator)
        twice = F.conv2d(x.flatten(0, 1)[:, None], k[None, None], stride=scale).unflatten(0, x.shape[:2])[:, :, 0]
        sigma = torch.rand(cfg.batch, generator=generator) * math.log(cfg.sigma_max / cfg.sigma_min)
        sigma = (cfg.sigma_min * sigma.exp()).to(device)
        # (i) one denoising step of each model on its own kind of picture
        z, guess = auxiliary.learn(twice.detach(), sigma, generator)
        real.learn(crops.draw(cfg.batch, side, generator), sigma, generator)
        progress("ikl", step + 1, total)
        if step < cfg.warm_up:
            kept.done(step + 1)
            continue
        # (ii) one step of the kernel
        direction = _weight(sigma) * (guess - real.denoise(z, sigma))
        objective = (direction * twice[inner]).mean() + _regulariser(k)
        optimiser.zero_grad(set_to_none=True)
        objective.backward()
        fraction = (step - cfg.warm_up) / cfg.iterations
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * fraction))
        optimiser.step()
        if fraction >= 0.5:
            iterates.append(net().detach())
        kept.done(step + 1, lambda: {"iterates": torch.stack(iterates)} if iterates else {})
    refined = torch.stack(iterates).mean(0).cpu().double()
    check_finite("ikl estimate", refined)
    return _finished(refined.numpy(), first, start, cfg)


class _Learner:
    """A copy of the patch model that goes on learning."""

    def __init__(self, model: PatchModel, rate: float, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.network = copy.deepcopy(model.network).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), rate, betas=(0.9, 0.99))

    def parts(self, name: str) -> dict[str, Stateful]:
        """What changes in it."""
        return {f"{name} network": self.network, f"{name} optimiser": self.optimiser}

    def learn(self, clean: Tensor, sigma: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One denoising step on `clean` (B, C, side, side); returns the noisy crops and what was made of them."""
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        noisy = clean + sigma[:, None, None, None] * noise
        guess = self._run(noisy, sigma)
        m = self.network.margin
        target = clean[..., m : clean.shape[-2] - m, m : clean.shape[-1] - m]
        loss = (_weight(sigma) * (guess - target) ** 2).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return noisy, guess.detach()

    @torch.no_grad()
    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """The clean middle of `noisy`, nothing learned."""
        return self._run(noisy, sigma)

    def _run(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        with torch.autocast(noisy.device.type, self.dtype, enabled=self.dtype != torch.float32):
            out: Tensor = self.network(noisy, sigma)
        return out


def _weight(sigma: Tensor) -> Tensor:
    """1 / c_out(sigma)^2 of the preconditioning, (B, 1, 1, 1)."""
    s = sigma[:, None, None, None]
    return (s**2 + SIGMA_DATA**2) / (s * SIGMA_DATA) ** 2


def _regulariser(k: Tensor) -> Tensor:
    """0.1 mean|k| + 0.01 |centre of mass|^2 (ddm4ip's code; its third term, |sum - 1|, is zero here)."""
    i = torch.arange(k.shape[0], device=k.device) - (k.shape[0] - 1) / 2
    return 0.1 * k.abs().mean() + 0.01 * ((k.sum(0) @ i) ** 2 + (k.sum(1) @ i) ** 2)


def _finished(refined: np.ndarray, first: Kernel, start: Kernel, cfg: IklSettings) -> Kernel:
    """The kernel from the net's k_hat: noise in the tails removed, and the picture's own blur put back.

    Frequencies that only alias are not determined by the data, so k_hat carries a low noise out to its corners that
    would swamp its second moment. Where one Gaussian explains it (correlation >= `gaussian_enough`), that Gaussian
    is the kernel; the change of its covariance is what was learned. Otherwise k_hat is kept free, cut at a hundredth
    of its peak, and blurred by what remains of its own covariance.
    """
    fit, likeness = fit_gaussian(refined, start.scale)
    own = own_blur_factor(start.scale)
    if likeness >= cfg.gaussian_enough:
        change = (fit.covariance - fit_gaussian(first.array, start.scale)[0].covariance) / own
        share = cfg.confidence if start.method == "spectral" else 1.0
        learned = start.covariance + share * change
        if np.linalg.eigvalsh(learned)[0] < MIN_VARIANCE:
            return start.stamped(Provenance("estimated", "ikl"))
        kernel = gaussian_kernel(learned, start.scale, start.size)
    else:
        kept = np.where(refined > 0.01 * refined.max(), refined, 0.0)
        free = Kernel.from_array(kept, start.scale)
        rest = gaussian_kernel(free.covariance * (1 / own - 1), 1, start.size - 1 + start.size % 2).array
        kernel = Kernel.from_array(fftconvolve(free.array, rest, mode="same"), start.scale)
    return Kernel(kernel.array, start.scale, Provenance("estimated", "ikl"))


STEP_SECONDS = 0.19
"""Of one thread, for an iteration on 8 crops."""


def _of_problem(problem: Problem) -> Kernel:
    cfg = problem.settings.ikl
    if problem.recipe.kernel_init == "spectral":
        start = estimator("spectral").estimate(problem)
    else:
        start = gaussian_kernel(np.eye(2) * 0.3 * problem.scale**2, problem.scale, default_size(problem.scale))
    crops = CropSampler(problem.tensors, focus=True)
    with problem.timed("patch model"):
        model = train_patch_model(
            crops, cfg.patch, problem.generator(1), progress=problem.progress, checkpoint=problem.checkpoint
        )
    with problem.timed("ikl"):
        return estimate(
            crops, start, model, cfg, problem.generator(2), progress=problem.progress, checkpoint=problem.checkpoint
        )


def _seconds(pixels: int, recipe: Recipe) -> float:
    cfg = recipe.settings.ikl
    steps = (cfg.iterations + cfg.warm_up) * STEP_SECONDS * cfg.batch / 8
    return estimator("spectral").seconds(pixels, recipe) + training_seconds(cfg.patch) + steps


METHOD = Estimator(
    estimate=_of_problem,
    seconds=_seconds,
    inits=("spectral", "gaussian"),
    refined=True,
    uncertainty=lambda problem, kernel: estimator("spectral").uncertainty(problem, kernel),
)
