"""The first stage: the kernel, learned from the pictures by one method, or by the one that suits them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from kfsr.analysis.windows import busiest_windows
from kfsr.errors import InputError, UsageError
from kfsr.estimators import calibration as size
from kfsr.estimators import edges, ikl, kernelfusion, spectral
from kfsr.kernel import Kernel, bicubic_kernel, default_size, gaussian_kernel
from kfsr.operator.spatial import reflect_pad
from kfsr.pipeline.work import Work, check_choice
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import GateSettings
from kfsr.solvers.unrolled import WORST
from kfsr.weights import size_judge

KERNEL_METHODS = ("auto", "spectral", "ikl", "edges", "kernelfusion", "bicubic")
KERNEL_INITS = ("spectral", "gaussian")
ESTIMATORS = ("spectral", "ikl", "edges", "kernelfusion")


def check_kernel_method(method: str, init: str) -> None:
    """Fail before any work: UsageError when the kernel method is none, or has no use for `init`."""
    check_choice("kernel method", method, KERNEL_METHODS)
    check_choice("kernel init", init, KERNEL_INITS)
    if init != "spectral" and method != "ikl":
        raise UsageError(f"only ikl starts from a {init} kernel, not {method}; use the kernel method ikl")


class KernelStage:
    """Finds the kernel of a `Work`. choice: why `auto` took the method it did, empty before and for another method."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.choice = ""

    @cached_property
    def judged(self) -> size.Judgement:
        """The spectral kernel as the judge corrects it, and what the judge says of it."""
        fit = spectral.estimate(self.work.luminances, self.work.scale, self.work.preset.spectral)
        return size.judge(fit, self.work.luminances, size_judge(), self.work.preset.size)

    def uncertainty(self, gate: GateSettings, kernel: Kernel) -> float:
        """How wrong a kernel may be, for the solver: an estimate more where the picture says little about its size."""
        if kernel.method not in ESTIMATORS:
            return gate.given_uncertainty
        if kernel.method in ("edges", "kernelfusion"):
            cfg = self.work.preset.edges
            seen = self.work.picture.height * self.work.picture.width / (cfg.windows * cfg.window**2)
            return min(WORST, cfg.uncertainty * max(1.0, seen**-0.25))
        try:
            spread = self.judged.spread
        except InputError:  # the estimate is from a larger picture
            return gate.estimated_uncertainty
        return min(WORST, max(gate.estimated_uncertainty, self.work.preset.size.doubt * spread**2))

    def estimate(self, method: str, init: str) -> Kernel:
        """The kernel by one of `KERNEL_METHODS`, not refined; ikl starts from one of `KERNEL_INITS`. InputError."""
        if method == "bicubic":
            return bicubic_kernel(self.work.scale)
        if method == "auto":
            return self.chosen()
        if method == "edges":
            return self._grown(self._of_edges())
        if method == "kernelfusion":
            return self._grown(self._better(self._of_edges(self.fused().kernel), self._of_edges()))
        with self.work.timed("spectral"):
            if init == "spectral":
                start = self.judged.kernel
            else:
                variance = 0.3 * self.work.scale**2
                start = gaussian_kernel(np.eye(2) * variance, self.work.scale, default_size(self.work.scale))
        if method == "spectral":
            return start
        settings = self.work.preset.ikl
        crops = CropSampler(self.work.tensors, focus=True)
        with self.work.timed("patch model"):
            model = train_patch_model(
                crops,
                settings.patch,
                self.work.generator(1),
                progress=self.work.progress,
                checkpoint=self.work.checkpoint,
            )
        with self.work.timed("ikl"):
            return ikl.estimate(
                crops,
                start,
                model,
                settings,
                self.work.generator(2),
                progress=self.work.progress,
                checkpoint=self.work.checkpoint,
            )

    def _of_edges(self, start: Kernel | None = None) -> Kernel:
        with self.work.timed("edges"):
            return edges.estimate(
                self.work.luminances,
                self.work.scale,
                self.work.preset.edges,
                start=start,
                progress=self.work.progress,
            )

    def _better(self, *kernels: Kernel) -> Kernel:
        """The one that the edges speak for, under the first one's method."""
        with self.work.timed("edges"):
            best = min(kernels, key=lambda one: edges.objective(self.work.luminances, one, self.work.preset.edges))
        return replace(best, method=kernels[0].method)

    def _grown(self, kernel: Kernel) -> Kernel:
        with self.work.timed("edges"):
            cfg = self.work.preset.edges
            return edges.with_missing_part(self.work.luminances, kernel, cfg, progress=self.work.progress)

    def fused(self, whole: bool = False) -> kernelfusion.Fusion:
        """Picture and kernel by KernelFusion, of the busiest windows or of the `whole` of one picture."""
        cfg = self.work.preset.kernelfusion
        windows = self._whole_window() if whole else self._busy_windows(cfg.windows, cfg.window)
        with self.work.timed("patch model"):
            crops = CropSampler(self.work.tensors)
            model = train_patch_model(
                crops, cfg.patch, self.work.generator(7), progress=self.work.progress, checkpoint=self.work.checkpoint
            )
        with self.work.timed("kernelfusion"):
            random = self.work.generator(8)
            return kernelfusion.estimate(
                windows,
                self.work.scale,
                model,
                cfg,
                random,
                progress=self.work.progress,
                checkpoint=self.work.checkpoint,
            )

    def _busy_windows(self, count: int, side: int) -> Tensor:
        """(B, C, side, side) of all pictures, at least one each; a smaller side where a picture is smaller."""
        step = kernelfusion.SIDE_STEP
        side = min(side, *(n // step * step for one in self.work.tensors for n in one.shape[-2:]))
        if side == 0:
            raise InputError(f"a picture under {step} px on a side is too small for kernelfusion")
        each = math.ceil(count / len(self.work.tensors))
        return torch.cat(
            [
                one[(..., *window)]
                for one, plane in zip(self.work.tensors, self.work.luminances, strict=True)
                for window in busiest_windows(plane, side, each)
            ]
        )

    def _whole_window(self) -> Tensor:
        """The picture, extended by reflection to a size that the U-Net can halve."""
        step = kernelfusion.SIDE_STEP
        rows, cols = (-n % step for n in self.work.low_res.shape[-2:])
        return reflect_pad(self.work.low_res, 0, rows, 0, cols)

    def chosen(self) -> Kernel:
        """The kernel by the method that suits the picture: a Gaussian unless the judge thinks that it is none, then
        what the edges tell, unless that is small."""
        cfg, gaussian = self.work.preset.auto, self.work.preset.auto.gaussian_method
        with self.work.timed("spectral"):
            judged = self.judged
        # Spectra that are no Gaussian's are fitted by one that is far too small.
        odds = judged.odd + cfg.odds_of_size * max(0.0, judged.lacking)
        if odds < cfg.least_odds:
            self.choice = f"{gaussian}: the picture looks like a Gaussian's (log odds {-odds:.1f})"
            return self.estimate(gaussian, "spectral")
        try:
            free = self._of_edges()
        except InputError as reason:
            self.choice = f"{gaussian}: {reason}"
            return self.estimate(gaussian, "spectral")
        blur = free.trace / self.work.scale**2
        pixels = sum(plane.size for plane in self.work.luminances)
        if blur < cfg.smallest_blur * min(1.0, (cfg.pixels / pixels) ** 0.5):
            self.choice = f"{gaussian}: the edges' kernel is small ({blur:.2f} px^2), so a Gaussian will do"
            return self.estimate(gaussian, "spectral")
        self.choice = f"edges: the picture does not look like a Gaussian's (log odds {odds:.1f})"
        return self._grown(free)
