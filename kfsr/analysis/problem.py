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

    pictures: as they were read. tensors: of each, (1, C, h, w) in [-1, 1], colours times alpha: what cannot be seen
    tells nothing. low_res: the first of them. timings: seconds by stage, as `timed` took them. choice: why a method
    that chooses among others chose as it did. checkpoint: where the state of long stages is kept, if anywhere.
    driver: runs them, with that and the progress.
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
        self.tensors = [_to_tensor(one.premultiplied(), self.device) for one in pictures]
        self.low_res = self.tensors[0]
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
        """Of every picture, (H, W) in [0, 1]; black where it is transparent."""
        return [luma(one.premultiplied()) for one in self.pictures]

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the first picture's white noise, [-1, 1] units."""
        return math.sqrt(noise_variance(self.low_res))

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
        for one in self.tensors:
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


def _to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    array = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(array)[None].to(device) * 2 - 1
