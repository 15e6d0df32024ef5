"""Standard output: data and nothing else."""

from __future__ import annotations

import json
import math
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.errors import OutputError, UsageError
from kfsr.runs.inputs import STREAM, Source, find, read_list
from kfsr.runs.plan import Outcome

if TYPE_CHECKING:
    from kfsr.cli.console import Console
    from kfsr.image import Image


def refuse_terminal(what: str) -> None:
    """UsageError when standard output is a screen, on which `what` would be noise."""
    if sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(f"{what} would go to the terminal; give a file with -o, or pipe it on")


def write_data(data: bytes) -> None:
    """`data` to standard output; OutputError when there is none, BrokenPipeError when its reader has gone."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def read_picture(source: Path | None, max_pixels: int | None = None) -> Image:
    """The picture in a file, or on standard input (None); of no more than `max_pixels` (None: as `read_image`).

    Raises InputError for what is no usable picture, UsageError when standard input is a keyboard or closed.
    """
    from kfsr.image import read_image

    if source is not None:
        return read_image(source, max_pixels=max_pixels)
    return read_image(_piped("a picture"), "standard input", max_pixels)


def read_size(source: Path | None, max_pixels: int | None = None) -> tuple[int, int]:
    """Width and height of the same picture, as far as its header tells; raises the same."""
    from kfsr import image

    if source is not None:
        return image.read_size(source, max_pixels=max_pixels)
    return image.read_size(_piped("a picture"), "standard input", max_pixels)


def find_inputs(names: list[str], list_file: str | None, recursive: bool) -> list[Source]:
    """The pictures that the command line names, those of `--files-from` included (- is standard input).

    Raises UsageError when there is none, InputError for a folder without pictures or a list that cannot be read.
    """
    from kfsr.image import readable_formats

    if list_file == STREAM and STREAM in names:
        raise UsageError("'-' cannot be a picture and the list of --files-from at once")
    if list_file is not None:
        about = "standard input" if list_file == STREAM else list_file
        data = _piped("a list") if list_file == STREAM else Path(list_file).read_bytes()
        names = [*names, *read_list(data, about)]
    if not names:
        raise UsageError("no INPUT: name pictures or folders, or a list of them with --files-from")
    return find(names, [suffix for one in readable_formats().values() for suffix in one], recursive)


def write_text(text: str) -> None:
    """A line of text that is a command's result."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_record(record: dict[str, Any]) -> None:
    """One JSON object on one line, at once. What JSON cannot say (NaN, infinity) is null."""
    write_text(json.dumps(_plain(record), allow_nan=False))


def sum_up(console: Console, errors: list[Exception | None], as_json: bool, skipped: int | None = None) -> None:
    """The end of a run over several pictures: how many were done, skipped (where that can be) and failed."""
    failed = len(errors) - errors.count(None)
    counts = {"done": len(errors) - failed - (skipped or 0)}
    if skipped is not None:
        counts["skipped"] = skipped
    counts["failed"] = failed
    console.note(", ".join(f"{count} {what}" for what, count in counts.items()))
    if as_json:
        write_record({"summary": counts})


def _piped(what: str) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(f"'-' reads {what} from standard input, but nothing is piped in")
    return sys.stdin.buffer.read()


def footer(outcome: Outcome[Any]) -> dict[str, Any]:
    """The end of every record: what it cost and what it was made with."""
    return {"seconds": round(outcome.seconds, 3), "peak_memory_mib": outcome.peak_mib, "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of this program and of what its results depend on."""
    from importlib import metadata  # slow to import, and help does not need it

    import kfsr

    found = {"kfsr": kfsr.__version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "scipy", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy
        return _plain(value.tolist())
    return value
