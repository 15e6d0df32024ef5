"""What the stages of one run share: the pictures as tensors, the settings, the random states and the clock."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import kfsr
from kfsr.analysis.noise import compression_level, noise_variance
from kfsr.checkpoint import NO_CHECKPOINT, Checkpoint
from kfsr.errors import UsageError
from kfsr.image import Image, luma
from kfsr.kernel import Kernel
from kfsr.progress import Progress
from kfsr.recipe import preset_named


class Work:
    """One picture on its way through the stages, or several that a kernel is learned from together. checkpoint: where
    the state of its long stages is kept, if anywhere. about: what else decides how they go."""

    def __init__(
        self,
        pictures: Sequence[Image],
        scale: int,
        preset: str,
        seed: int,
        device: str,
        progress: Progress,
        checkpoint: Path | None = None,
        about: Sequence[object] = (),
    ) -> None:
        self.pictures, self.picture = pictures, pictures[0]
        self.scale, self.seed, self.progress = scale, seed, progress
        self.preset_name, self.preset = preset, preset_named(preset)
        self.device = torch.device(device)
        self.tensors = [_to_tensor(one.premultiplied(), self.device) for one in pictures]
        self.low_res = self.tensors[0]
        self.noise = math.sqrt(noise_variance(self.low_res))
        self.timings: dict[str, float] = {}
        self.checkpoint = NO_CHECKPOINT if checkpoint is None else Checkpoint(checkpoint, self._key(about))

    def _key(self, about: Sequence[object]) -> str:
        """Digest of all that the stages' states depend on: pictures, settings, versions."""
        given = (kfsr.__version__, torch.__version__, self.scale, self.preset, self.seed, str(self.device), *about)
        digest = hashlib.sha256(repr(given).encode())
        for one in self.tensors:
            digest.update(repr(one.shape).encode())
            digest.update(one.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = round(self.timings.get(stage, 0.0) + time.perf_counter() - start, 3)

    def generator(self, stage: int) -> torch.Generator:
        # One stream a stage: turning one stage off does not change the others' random numbers.
        return torch.Generator().manual_seed((self.seed * 1_000_003 + stage) % 2**63)

    @property
    def luminances(self) -> list[np.ndarray]:
        """Of every picture, (H, W) in [0, 1]."""
        return [luma(one.pixels) for one in self.pictures]


def check_choice(what: str, name: str, known: tuple[str, ...]) -> None:
    """Raise UsageError, listing what there is, unless `name` is known."""
    if name not in known:
        raise UsageError(f"there is no {what} {name!r}; use one of {', '.join(known)}")


def told_sigma(low_res: Tensor) -> float:
    """What the solver is told at least: the picture's noise or JPEG's errors, [-1, 1] units."""
    return max(math.sqrt(noise_variance(low_res)), compression_level(low_res))


def kernel_tensor(kernel: Kernel, device: torch.device) -> Tensor:
    """(K, K) float32 on the device."""
    return torch.from_numpy(kernel.array.copy()).float().to(device)


def _to_tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    array = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(array)[None].to(device) * 2 - 1
