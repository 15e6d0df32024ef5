"""The options that commands share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class KernelMethod(StrEnum):
    """Ways to find the kernel."""

    auto = "auto"
    spectral = "spectral"
    ikl = "ikl"
    edges = "edges"
    kernelfusion = "kernelfusion"
    bicubic = "bicubic"


class KernelInit(StrEnum):
    """Where `ikl` starts from."""

    spectral = "spectral"
    gaussian = "gaussian"


class Solver(StrEnum):
    """Ways to the high-resolution picture once the kernel is known."""

    unrolled = "unrolled"
    unfolding = "unfolding"
    zssr = "zssr"
    bicubic = "bicubic"


class Preset(StrEnum):
    """How much work is done."""

    fast = "fast"
    balanced = "balanced"
    best = "best"


class Device(StrEnum):
    """Where torch computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def _check_seed(seed: int) -> int:
    # Not min= and max=, which would print a number of nineteen digits in every help.
    if not 0 <= seed < 2**63:
        raise typer.BadParameter(f"{seed} is not between 0 and 2**63 - 1")
    return seed


def _parse_size(size: str) -> int:
    from kfsr.cost.memory import in_bytes
    from kfsr.errors import UsageError

    try:
        return in_bytes(size)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error


ScaleOption = Annotated[int, typer.Option("--scale", "-s", metavar="N", min=2, max=4, help="How many times larger.")]
InputsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT...", help="Pictures, folders of them, or - for standard input.", show_default=False),
]
RecursiveOption = Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders' sub-folders too.")]
FilesFromOption = Annotated[
    str | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        help="Also take the inputs listed here, one a line or NUL-separated; - is stdin.",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="A file, a folder, or - for standard output."),
]
KernelMethodOption = Annotated[
    KernelMethod | None,
    typer.Option(
        "--kernel-method",
        show_default="auto",
        help="How the kernel is found: spectral (a Gaussian, in a second), ikl (the same, refined), edges (any form), "
        "kernelfusion (any form, in minutes), auto (what suits the picture), bicubic (assume a clean resize).",
    ),
]
KernelInitOption = Annotated[KernelInit, typer.Option("--kernel-init", help="What ikl starts from.")]
RefineOption = Annotated[
    bool | None,
    typer.Option(
        "--refine/--no-refine",
        show_default="for spectral and ikl",
        help="Give the kernel its fine form, which no Gaussian has, through the solver.",
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="Other weights for the unrolled solver: also USRNet's (.pth)."),
]
UncertaintyOption = Annotated[
    float | None,
    typer.Option(
        "--uncertainty",
        metavar="U",
        min=0,
        max=2,
        show_default="0.05 for a given kernel, for an estimate 0.15 and more",
        help="How wrong the kernel may be, 0 to 2; the unrolled solver then trusts it less.",
    ),
]
PresetOption = Annotated[Preset, typer.Option("--preset", "-p", help="How much work to do.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where to compute; auto takes a GPU if there is one.")]
SeedOption = Annotated[
    int,
    typer.Option("--seed", metavar="N", callback=_check_seed, help="Same seed, same machine: same picture (CPU)."),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, max=1024, help="CPU threads.", show_default="one per core"),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=256,
        help="Pictures at a time, each in a process of its own with its share of the threads, and with memory of its "
        "own. On a GPU they take turns: with 2 or 3 it computes while pictures are read and written.",
    ),
]
MaxPixelsOption = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        show_default="89478485",
        help="Refuse pictures of more pixels than this: a small file can unpack to gigabytes.",
    ),
]
MaxMemoryOption = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        parser=_parse_size,
        show_default="no limit",
        help="Solve in tiles small enough for this much memory (4G, 800M); on a GPU that of the GPU.",
    ),
]
QualityOption = Annotated[
    int,
    typer.Option("--quality", metavar="N", min=1, max=100, help="For JPEG and AVIF; the others lose nothing."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON record per picture on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notes or warnings; errors stay.")]


def use_torch(device: Device, threads: int | None) -> str:
    """Settle where torch computes, and with how many threads; returns the device's name.

    Raises UsageError when the device asked for is not there.
    """
    import torch

    from kfsr.errors import UsageError

    if threads is not None:
        torch.set_num_threads(threads)
    available = {
        Device.cuda: torch.cuda.is_available(),
        Device.mps: torch.backends.mps.is_available(),
        Device.cpu: True,
    }
    if device is Device.auto:
        return next(str(one) for one, there in available.items() if there)
    if not available[device]:
        raise UsageError(f"there is no {device} device here; leave --device out or use --device cpu")
    return str(device)
