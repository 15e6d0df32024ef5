"""Pictures of any kind in, and results that give back the same kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kfsr import pipeline
from kfsr.api.arguments import (
    as_kernel,
    checked_choices,
    checked_device,
    checked_memory,
    checked_window,
    reporting,
)
from kfsr.api.forms import Back, Picture, _itself, taken
from kfsr.errors import UsageError
from kfsr.image import Image, write_image
from kfsr.kernel import Kernel, Lens
from kfsr.pipeline import Window
from kfsr.progress import Progress
from kfsr.recipe import Recipe

KernelLike = Kernel | Lens | np.ndarray | str | os.PathLike[str]
"""A value, an array in correlation form, or a file."""


@dataclass(frozen=True)
class Result(pipeline.Result):
    """What became of one picture.

    image: the result as a value, exactly `scale` times the input (or its window), or of the size asked for. kernel:
    what it was inverted with. report: what was found and done.
    """

    back: Back = field(default=_itself, repr=False, compare=False)

    @property
    def output(self) -> Any:
        """The result in the form in which the picture was given: an array of the same type and number of dimensions, a
        tensor of the same type, on the same device and with its channels first, a picture of Pillow of the same mode;
        an `Image` for a value or a path. Whole numbers are rounded."""
        return self.back(self.image)

    def save(self, path: str | os.PathLike[str], quality: int | None = None) -> None:
        """Write the result to a file in the format of its ending, whole or not at all, with all that was known of the
        picture. quality: of JPEG, AVIF and WebP. OutputError."""
        write_image(self.image, Path(path), quality)


class Results(list[Result]):
    """The results of a batch, in its order."""

    batch: Any = None

    @property
    def output(self) -> Any:
        """One array (N, H, W, C) or tensor (N, C, H, W), where the pictures were given as one, else a list."""
        outputs = [one.output for one in self]
        if isinstance(self.batch, np.ndarray):
            return np.stack(outputs)
        if hasattr(self.batch, "detach"):
            import torch

            return torch.stack(outputs)
        return outputs


def upscale(
    image: Picture,
    recipe: Recipe | None = None,
    *,
    kernel: KernelLike | None = None,
    window: Window | None = None,
    device: str = "cpu",
    max_memory: int | str | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    **choices: Any,
) -> Result:
    """Upscale one picture, with a kernel learned from it or with the `kernel` given.

    - image: an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16 or floats from 0 to 1; a tensor (H, W),
      (C, H, W) or (1, C, H, W) of uint8 or floats; a picture of Pillow; a `kfsr.Image`; or the path of a file.
    - recipe: what to do, as `kfsr.Recipe`; None for the defaults. choices: its fields by name, which change the recipe:
      `scale=4`, `preset="fast"`, `strength=0.6`. A scale like 1.5, and a size like "1920x", enlarge by the next
      whole scale and shrink then.
    - kernel: a `kfsr.Kernel` or a lens, an array (K, K) in correlation form, or a file. An array counts as exact.
    - window: (row, column, rows, columns) of the picture: only this part is upscaled; everything is still learned
      from the whole.
    - device: "cpu", "cuda" or "auto". max_memory: bytes, or "4G": the tiles are made small enough for it; on a GPU
      its own memory. Where a GPU's memory is too little all the same, tiles are halved, and in the end the CPU solves.
    - checkpoint: a file for the state of long stages, written every two minutes. The same call goes on from there
      when it was stopped. The caller removes the file.
    - progress: called as progress(stage, step, total). cancel: asked at every such step; when it returns True, the call
      ends with `kfsr.Cancelled`.

    The result's `output` is of the form in which the picture came; its `image` is the value. The same seed on the same
    CPU gives the same picture. A picture that is too small or too flat to learn from is interpolated, and the report's
    gate says so. At scale 1 it is returned as it is, and so is one that is sharp already: its kernel is a point.

    Raises UsageError for a wrong argument and for a `max_memory` that no tile fits, InputError for a file that cannot
    be used, NumericalError when a stage gives NaN or infinity.
    """
    recipe, given = _settled(recipe, choices, kernel)
    picture, back = taken(image)
    place, limit, part = checked_device(device), checked_memory(max_memory), checked_window(window)
    done = pipeline.upscale(
        picture,
        recipe,
        kernel=given,
        window=part,
        device=place,
        max_memory=limit,
        checkpoint=checkpoint,
        progress=reporting(progress, cancel),
    )
    return Result(done.image, done.kernel, done.report, back)


def deblur(image: Picture, recipe: Recipe | None = None, **arguments: Any) -> Result:
    """Sharpen one picture at its own size: `upscale` by 1, whatever the recipe's scale, with the same arguments and
    errors.

    A picture that is sharp already is returned as it is; the report's gate then says "unchanged".
    """
    if "scale" in arguments:
        raise UsageError("deblur keeps the size; use upscale for another scale")
    return upscale(image, recipe, scale=1, **arguments)


def upscale_each(pictures: Iterable[Picture], recipe: Recipe | None = None, **arguments: Any) -> Iterator[Result]:
    """Upscale one picture after another, each when its result is asked for: a generator, for any number of pictures.

    pictures: any iterable of what `upscale` takes, or one array (N, H, W, C) or tensor (N, C, H, W). arguments: as for
    `upscale`. `kfsr.run` is for files: it resumes, and a bad one does not stop the others.
    """
    if isinstance(pictures, str | os.PathLike | Image):
        raise UsageError("one picture: use kfsr.upscale; for a folder of files kfsr.run")
    if not hasattr(pictures, "__iter__"):
        raise UsageError(f"{type(pictures).__name__} is no row of pictures; give a list, a generator or a batch")
    dims = getattr(pictures, "ndim", 4)
    if dims != 4:
        raise UsageError(f"a batch has four dimensions, this one has {dims}; for one picture use kfsr.upscale")
    return (upscale(one, recipe, **arguments) for one in pictures)


def upscale_batch(pictures: Sequence[Picture], recipe: Recipe | None = None, **arguments: Any) -> Results:
    """The same all at once. The `output` of the results is one array or tensor where the pictures were given as one."""
    found = Results(upscale_each(pictures, recipe, **arguments))
    found.batch = pictures
    return found


def estimate_kernel(
    image: Picture | Sequence[Picture],
    recipe: Recipe | None = None,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    timings: dict[str, float] | None = None,
    **choices: Any,
) -> Kernel:
    """The downscaling kernel of one picture, from that picture alone; arguments as in `upscale`.

    image: or a list of pictures that one camera, lens or scanner made small; the kernel is then the one they share.
    timings: is given the seconds of each stage. Raises NothingToLearn when a picture is too small or too flat.
    """
    several: Sequence[Any] = image if isinstance(image, list | tuple) else [image]
    return pipeline.estimate_kernel(
        [taken(one)[0] for one in several],
        Recipe.make(recipe, **checked_choices(choices)),
        device=checked_device(device),
        checkpoint=checkpoint,
        progress=reporting(progress, cancel),
        timings=timings,
    )


def _settled(
    recipe: Recipe | None, choices: dict[str, Any], kernel: KernelLike | None
) -> tuple[Recipe, Kernel | Lens | None]:
    settled = Recipe.make(recipe, **checked_choices(choices))
    return settled, as_kernel(kernel, settled.scale, settled.trust_kernel)
