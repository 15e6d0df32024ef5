"""The options that commands share and that are no fields of a recipe, each declared once; and what they say about the
machine."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from kfsr.cli.parsers import DEVICES, parse_device, parse_memory
from kfsr.cli.streams import Streams
from kfsr.errors import InputError, UsageError
from kfsr.runs.engine import Machine
from kfsr.runs.executors import Processes, Serial
from kfsr.runs.inputs import Source, find_pictures
from kfsr.runs.lists import STREAM, read_list

T = TypeVar("T")

_ENDINGS = frozenset([".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".npy", ".npz", ".mat"])
"""Of what is written: a second input of such a name that does not exist is most likely meant as the output."""

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
    from kfsr.image import looks_like_picture

    listed: list[str] = []
    if list_file is not None:
        about = "standard input" if list_file == STREAM else list_file
        if list_file != STREAM and os.path.isfile(list_file) and looks_like_picture(Path(list_file)):  # noqa: PTH113
            raise UsageError(f"{list_file}: is a picture and no list of names; write it without --files-from")
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
