"""`kfsr degrade`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfsr.cli import options, output
from kfsr.cli.console import Console
from kfsr.cli.status import conclude_run, guarded, print_failure
from kfsr.runs import plan as batch
from kfsr.runs.plan import Job

if TYPE_CHECKING:
    from kfsr.image import Image
    from kfsr.kernel import Kernel


@guarded
def degrade(
    source: Annotated[str, typer.Argument(metavar="SHARP", help="The picture; - is standard input.")],
    kernel_name: Annotated[
        str, typer.Option("--kernel", "-k", metavar="FILE", help="A kernel file, or the word bicubic or box.")
    ],
    output_path: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="File, or - for standard output (PNG).")
    ],
    scale: options.ScaleOption = 2,
    noise: Annotated[
        float,
        typer.Option("--noise", min=0, max=255, metavar="SIGMA", help="Gaussian noise, in grey levels."),
    ] = 0.0,
    seed: options.SeedOption = 0,
    quality: options.QualityOption = 95,
    quiet: options.QuietOption = False,
) -> int:
    """Make the low-resolution picture that a kernel would give: blur by it, keep every s-th pixel.

    Transparency is degraded with the picture. Where a side is no multiple of the scale, the last rows or
    columns give no pixel of their own.
    """
    from kfsr.image import format_by_suffix

    keep = [] if kernel_name in _NAMED else [Path(kernel_name)]
    job = batch.plan([source], output_path, lambda path: path.name, check_name=format_by_suffix, keep=keep)[0]
    if job.target is None:
        output.refuse_terminal("a picture")
    console = Console(quiet)
    with console.session():
        kernel = _find_kernel(kernel_name, scale)

        def work(job: Job) -> Image:
            from kfsr.image import encode_image, write_image

            console.subject = job.source_name
            sharp = output.read_picture(job.source)
            if sharp.width % scale or sharp.height % scale:
                width, height = (side // scale * scale for side in sharp.size)
                console.warning(
                    f"{sharp.width}x{sharp.height} is no multiple of {scale}; the result covers {width}x{height} of it"
                )
            low = degrade_image(sharp, kernel, noise, seed)
            if job.target is None:
                output.write_data(encode_image(low, "PNG"))
            else:
                write_image(low, job.target, quality)
            return low

        outcome = next(batch.run([job], work))
    if outcome.error is not None:
        print_failure(outcome.error, job.source_name)
    elif outcome.value is not None:
        console.note(f"{job.source_name} -> {job.target_name}: {outcome.value.width}x{outcome.value.height}")
    return conclude_run([outcome.error])


def degrade_image(sharp: Image, kernel: Kernel, noise: float, seed: int) -> Image:
    """`sharp` blurred by the kernel and subsampled by its scale, (H//s, W//s), alpha likewise.

    noise: standard deviation of Gaussian noise added to the colours, in grey levels of 255, drawn by `seed`.
    """
    import numpy as np
    import torch

    from kfsr.image import unpremultiply
    from kfsr.operator import spatial as degradation

    weights = torch.tensor(kernel.array)

    def low(planes: np.ndarray) -> np.ndarray:
        x = torch.tensor(planes, dtype=torch.float64).movedim(-1, 0)[None]
        return degradation.degrade(x, weights, kernel.scale)[0].movedim(0, -1).numpy()

    pixels, alpha = low(sharp.premultiplied()), None
    if sharp.alpha is not None:
        alpha = np.clip(low(sharp.alpha[..., None])[..., 0], 0, 1)
        pixels = unpremultiply(pixels, alpha)
    noisy = pixels + np.random.default_rng(seed).normal(0, noise / 255, pixels.shape)
    return sharp.with_pixels(noisy, alpha)


_NAMED = ("bicubic", "box")


def _find_kernel(name: str, scale: int) -> Kernel:
    from kfsr.kernel import bicubic_kernel, box_kernel, load_kernel

    if name == "bicubic":
        return bicubic_kernel(scale)
    return box_kernel(scale) if name == "box" else load_kernel(Path(name), scale)
