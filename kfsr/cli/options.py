"""The options that commands share, each declared once; and what they say about the machine."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

import kfsr.estimators.registry as estimators
import kfsr.solvers.registry as solvers
from kfsr.cli.parsers import (
    DEVICES,
    check_seed,
    listed_names,
    one_of,
    parse_box,
    parse_device,
    parse_format,
    parse_memory,
    parse_scale,
)
from kfsr.cli.streams import Streams
from kfsr.errors import InputError, UsageError
from kfsr.recipe import MOST_UNCERTAIN, Recipe
from kfsr.runs.engine import Machine
from kfsr.runs.executors import Processes, Serial
from kfsr.runs.inputs import Source, find_pictures
from kfsr.runs.lists import STREAM, read_list
from kfsr.settings import PRESETS

T = TypeVar("T")

_ENDINGS = frozenset([".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".npy", ".npz", ".mat"])
"""Of what is written: a second input of such a name that does not exist is most likely meant as the output."""


_Field = tuple[Any, tuple[str, ...], dict[str, Any]]


def _field(kind: Any, *names: str, **rest: Any) -> _Field:
    return kind, names, rest


_FIELDS: dict[str, _Field] = {
    "scale": _field(
        float,
        "--scale",
        "-s",
        metavar="N",
        parser=parse_scale,
        help="Scale factor, 1 to 4; 1 deblurs.",
    ),
    "size": _field(
        str,
        "--size",
        metavar="WxH",
        parser=parse_box,
        help="Size of the result in place of a scale: 1920x, x1080, or 1920x1080, which it fits into. As with a scale "
        "like 1.5, the picture is enlarged by the next whole scale and shrunk.",
    ),
    "kernel_method": _field(str, "--kernel-method"),
    "kernel_init": _field(str, "--kernel-init", help="What ikl starts from.", **one_of(("spectral", "gaussian"))),
    "kernel": _field(
        Path,
        "--kernel",
        "-k",
        metavar="FILE",
        help="Use this kernel: .npz, which says its scale, or .npy or .mat, for which a wrong scale may go unnoticed.",
    ),
    "trust_kernel": _field(
        bool,
        "--trust-kernel/--no-trust-kernel",
        help="Take a kernel file that does not say where it comes from as exact.",
    ),
    "refine": _field(
        bool,
        "--refine/--no-refine",
        show_default="where it helps the method",
        help="Refine the kernel with the solver, for detail that no Gaussian has.",
    ),
    "uncertainty": _field(
        float,
        "--uncertainty",
        metavar="U",
        min=0,
        max=MOST_UNCERTAIN,
        show_default="little for a given kernel, more for an estimate",
        help="How wrong the kernel may be, 0 to 2; the unrolled solver then trusts it less.",
    ),
    "joint": _field(
        bool,
        "--joint/--no-joint",
        help="With kernelfusion: return the picture it finds with the kernel; for small pictures.",
    ),
    "solver": _field(str, "--solver"),
    "weights": _field(
        Path,
        "--weights",
        metavar="FILE",
        show_default="the bundled ones",
        help="Other weights for the unrolled solver, kfsr's or USRNet's.",
    ),
    "strength": _field(
        float,
        "--strength",
        metavar="S",
        min=0,
        max=1,
        show_default="automatic",
        help="How far to go from bicubic (at scale 1 from the picture itself), 0, to all that the solver finds, 1.",
    ),
    "denoise": _field(
        float,
        "--denoise",
        metavar="D",
        min=0,
        max=1,
        show_default="automatic",
        help="How much of the grain to take away: 0 keeps all of it, 1 takes all that the solver takes for noise.",
    ),
    "preset": _field(str, "--preset", "-p", help="How much work to do.", **one_of(PRESETS)),
    "seed": _field(
        int,
        "--seed",
        metavar="N",
        callback=check_seed,
        help="Seed of all random numbers; on one machine (CPU) it repeats the result.",
    ),
    "format": _field(
        str,
        "--format",
        metavar="NAME",
        parser=parse_format,
        show_default="the picture's own, or what the name of -o says",
        help="Format of the results: png, jpg, webp, tif, bmp or avif.",
    ),
    "quality": _field(
        int,
        "--quality",
        metavar="N",
        min=1,
        max=100,
        show_default="95; WebP without loss",
        help="For JPEG, AVIF and WebP; other formats are lossless.",
    ),
    "strip": _field(
        bool, "--strip/--no-strip", help="Leave EXIF and XMP out of the results; colour profile and DPI stay."
    ),
    "page": _field(
        int,
        "--page",
        metavar="N",
        min=1,
        show_default="all pages of a TIFF, where the result is one; else the first",
        help="Take this page of a TIFF, or frame of a GIF or WebP.",
    ),
    "strict": _field(
        bool,
        "--strict/--no-strict",
        help="Refuse files with slight damage, such as a JPEG without its end, which are else read with a warning.",
    ),
}
"""For each field of the recipe its type, names and the rest of its option."""

_METHODS = {
    "kernel_method": ("How the kernel is found", estimators),
    "solver": ("How the picture is made once the kernel is known", solvers),
}
"""The fields that name something in a registry, and what the help says of them."""


def recipe_option(field: str, aliases: Sequence[str] = (), scale: int | None = None) -> Any:
    """The option for a field of the recipe. Its default is None, so that `--recipe` can say otherwise; what the help
    says is the recipe's own. scale: offer the methods that are defined there alone."""
    kind, names, rest = _FIELDS[field]
    if field in _METHODS:
        what, registry = _METHODS[field]
        rest = {"help": f"{what}: {listed_names(registry.summaries(scale))}.", **one_of(registry.names(scale))}
    default = getattr(Recipe(), field)
    shown: dict[str, Any] = {"show_default": False if default is None or default is False else str(default)}
    return Annotated[kind | None, typer.Option(*names, *aliases, **shown | rest)]


InputsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT...", help="Pictures, folders of them, or - for standard input.", show_default=False),
]
RecursiveOption = Annotated[bool, typer.Option("--recursive", "-r", help="Include sub-folders.")]
FilesFromOption = Annotated[
    str | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        help="Also take the inputs listed here, one per line or NUL-separated; - is standard input. No patterns. "
        "An output folder gets all results side by side; --name '{parent}_{stem}{ext}' keeps their folders apart.",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="A file, a folder, or - for standard output."),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where to compute; auto takes a CUDA GPU if there is one.",
        metavar="[auto|cpu|cuda|cuda:N]",
        parser=parse_device,
        autocompletion=lambda incomplete: [one for one in DEVICES if one.startswith(incomplete)],
    ),
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
        help="Pictures at a time, each in its own process with its share of the threads. On a GPU the processes take "
        "turns: one computes while the others read and write.",
    ),
]
MaxPixelsOption = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        show_default="89478485",
        help="Refuse pictures with more pixels than this: a small file can unpack to gigabytes.",
    ),
]
MaxMemoryOption = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        parser=parse_memory,
        show_default="no limit",
        help="Solve in tiles small enough for this much memory (4G, 1500M); with a GPU, of its memory.",
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="TEMPLATE",
        help="Names of the results.",
        show_default="{stem}_x{scale}{ext}; {stem}_sharp{ext} at scale 1; also {source_ext}, {parent}, {size}",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON record per picture on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only: no progress, notes or warnings.")]


def find_inputs(streams: Streams, names: Sequence[str], list_file: str | None, recursive: bool) -> list[Source]:
    """The pictures that the command line names, those of `--files-from` included (- is standard input).

    Raises UsageError when there is none, InputError for a folder without pictures or a list that cannot be read.
    """
    if list_file == STREAM and STREAM in names:
        raise UsageError("'-' cannot be a picture and the list of --files-from at once")
    listed: list[str] = []
    if list_file is not None:
        about = "standard input" if list_file == STREAM else list_file
        data = streams.read("a list") if list_file == STREAM else _bytes_of_list(Path(list_file))
        listed = read_list(data, about)
    return find_pictures(names, recursive, listed)


def refuse_output_among(names: Sequence[str], output: str | None, recursive: bool) -> None:
    """UsageError where the last input looks like the place for the result, as other programs take it."""
    if output is not None or len(names) < 2:
        return
    *others, last = names
    if os.path.lexists(last) or any(sign in last for sign in "*?"):
        return
    is_folder = last.endswith((os.sep, "/"))
    if is_folder or (len(names) == 2 and os.path.lexists(others[0]) and Path(last).suffix.lower() in _ENDINGS):
        options = " -r" if recursive else ""
        shown = " ".join(shlex.quote(one) for one in others[:2]) + (" ..." if len(others) > 2 else "")
        raise UsageError(
            f"{last}: there is no such input; if the result is to go there, write it after -o:"
            f"{options} {shown} -o {shlex.quote(last)}"
        )


def once(make: Callable[[], T]) -> Callable[[], T]:
    """`make`, called at most once."""
    return functools.cache(make)


def _bytes_of_list(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the list cannot be read ({error.strerror})") from error


def machine_for(
    streams: Streams,
    sources: Sequence[Source],
    device: str,
    threads: int | None,
    workers: int = 1,
    max_pixels: int | None = None,
    max_memory: int | None = None,
) -> Machine:
    """Where the run computes. Standard input is read here where it is a picture; UsageError as `device_named`."""
    place = device_named(device)
    stdin = streams.read("a picture") if any(source.path is None for source in sources) else None
    return Machine(Processes(workers) if workers > 1 else Serial(), place, threads, max_pixels, max_memory, stdin)


def device_named(device: str) -> str:
    """Torch's name for it; UsageError when the device asked for is not there."""
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if there else "cpu"
    if device.startswith("cuda") and not there:
        raise UsageError(f"there is no {device} device here; leave --device out or use --device cpu")
    if device.startswith("cuda:") and int(device[5:]) >= there:
        known = ", ".join(f"cuda:{number}" for number in range(there))
        raise UsageError(f"there is no {device} device here; use one of {known}")
    return device


def two_numbers(name: str, text: str, between: str) -> tuple[int, int]:
    """The two whole numbers, none negative, of an option like "8x8"; UsageError for any other text."""
    parts = text.lower().split(between)
    if len(parts) != 2 or not all(one.strip().isascii() and one.strip().isdigit() for one in parts):
        raise UsageError(f"{name} {text}: takes two whole numbers, like 8{between}12")
    return int(parts[0]), int(parts[1])
