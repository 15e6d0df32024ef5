"""What the stages of one run share: the low-resolution pictures as they were observed, the recipe, and the means."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from kfsr.analysis import transparency
from kfsr.analysis.noise import compression_level, noise_variance
from kfsr.checkpoint import NO_CHECKPOINT, Checkpoint, Driver
from kfsr.image import Image, luma
from kfsr.kernel import Kernel
from kfsr.progress import Progress, silent
from kfsr.recipe import Recipe
from kfsr.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Told:
    """What a solver is told of the data, beside the kernel. sigma: standard deviation of the noise, [-1, 1] units, all
    that the kernel does not explain being noise. uncertainty: of the kernel, 0 for the true one, 2 at most.
    correlation: of the noise between neighbouring pixels, 0 for white noise."""

    sigma: float
    uncertainty: float = 0.0
    correlation: float = 0.0


Solve = Callable[[Tensor, Tensor, Told], Tensor]
"""A solver as refinement and gate call it: (low_res, kernel, what it is told) to high_res, for any picture."""


class Problem:
    """One picture on its way through the stages, or several that share one kernel.

    pictures: as they were read. tensors: what is learned from each, (1, C, h, w) in [-1, 1]: the picture; of one with
    alpha the part that can be seen, its colours going on smoothly where they cannot (`transparency.extended`: no edge
    is learned that no camera made), or its alpha, in C equal channels, where the colours show nothing. low_res: the
    first of them. whole, alpha: the first picture to be solved, (1, C, h, w) extended colours, not premultiplied, and
    (1, 1, h, w) alpha or None, both in [-1, 1]. seen: the part of low_res that noise is measured in. timings: seconds
    by stage, as `timed` took them. choice: why a method that chooses among others chose as it did. checkpoint: where
    the state of long stages is kept, if anywhere. driver: runs them, with that and the progress.
    """

    def __init__(
        self,
        pictures: Sequence[Image],
        recipe: Recipe,
        device: str = "cpu",
        progress: Progress = silent,
        checkpoint: Path | None = None,
    ) -> None:
        self.pictures, self.picture, self.recipe = pictures, pictures[0], recipe
        self.scale, self.progress, self.device = recipe.scale, progress, torch.device(device)
        shown = [_Shown.of(one, self.device) for one in pictures]
        self.tensors = [one.learned for one in shown]
        self.low_res, self.whole, self.alpha, self.seen = self.tensors[0], shown[0].whole, shown[0].alpha, shown[0].seen
        self.timings: dict[str, float] = {}
        self.choice = ""
        self.checkpoint = NO_CHECKPOINT if checkpoint is None else Checkpoint(checkpoint, self._key())
        self.driver = Driver(progress, self.checkpoint)
        self._known: dict[Callable[[Problem], Any], Any] = {}

    @property
    def settings(self) -> Settings:
        """The numbers of all stages."""
        return self.recipe.settings

    @property
    def pixels(self) -> int:
        """Of the first picture, at low resolution."""
        return self.picture.height * self.picture.width

    @cached_property
    def luminances(self) -> list[np.ndarray]:
        """Of what is learned from every picture, (H, W) in [0, 1]."""
        return [luma(_to_pixels(one)) for one in self.tensors]

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the first picture's white noise, [-1, 1] units."""
        return math.sqrt(noise_variance(self.seen))

    def generator(self, stage: int) -> torch.Generator:
        """A random stream of the stage's own: turning one stage off does not change the others' numbers."""
        return torch.Generator().manual_seed((self.recipe.seed * 1_000_003 + stage) % 2**63)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to the stage's."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = round(self.timings.get(stage, 0.0) + time.perf_counter() - start, 3)

    def once(self, compute: Callable[[Problem], T]) -> T:
        """What `compute` makes of this problem, kept for whoever asks next. An exception is not kept."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        found: T = self._known[compute]
        return found

    def _key(self) -> str:
        """Digest of all that the stages' states depend on."""
        digest = hashlib.sha256(self.recipe.digest(torch.__version__, str(self.device)).encode())
        for one in (self.whole, *self.tensors):
            digest.update(repr(one.shape).encode())
            digest.update(one.cpu().contiguous().numpy().data)
        return digest.hexdigest()


def noise_to_expect(low_res: Tensor) -> float:
    """Standard deviation of what a solver must not take for detail in (1, C, h, w) of [-1, 1]: white noise or JPEG's
    errors, whichever is more."""
    return max(math.sqrt(noise_variance(low_res)), compression_level(low_res))


def kernel_tensor(kernel: Kernel, device: torch.device | str = "cpu") -> Tensor:
    """(K, K) float32 on the device."""
    return torch.from_numpy(kernel.array.copy()).float().to(device)


@dataclass(frozen=True)
class _Shown:
    """One picture as `Problem` tells of it."""

    whole: Tensor
    alpha: Tensor | None
    learned: Tensor
    seen: Tensor

    @classmethod
    def of(cls, picture: Image, device: torch.device) -> _Shown:
        colours = _to_tensor(picture.pixels, device)
        if picture.alpha is None or picture.alpha.min() == 1:
            return cls(colours, None, colours, colours)
        alpha = torch.from_numpy(picture.alpha.copy())[None, None].to(device)
        whole, drawn = transparency.extended(colours, alpha), 2 * alpha - 1
        if transparency.shape_is_all(whole, alpha):
            learned = drawn.expand_as(whole).contiguous()
            return cls(whole, drawn, learned, learned)
        learned = whole[(..., *transparency.visible_frame(alpha))]
        # Invented colours are without noise, and the quietest part of a picture is where it is measured.
        part = transparency.opaque_rectangle(alpha)
        return cls(whole, drawn, learned, learned if part is None else whole[(..., *part)])


def _to_pixels(tensor: Tensor) -> np.ndarray:
    """(h, w, C) in [0, 1] of (1, C, h, w) in [-1, 1]."""
    pixels: np.ndarray = ((tensor[0].permute(1, 2, 0) + 1) / 2).cpu().numpy()
    return pixels


def _to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    array = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(array)[None].to(device) * 2 - 1
