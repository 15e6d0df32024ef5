"""`--kernel-from`: one kernel estimated from several pictures, for all the pictures of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.cli import options, output
from kfsr.cli.console import Console
from kfsr.cli.kernel import facts_in_words, kernel_facts
from kfsr.errors import InputError, UsageError
from kfsr.runs import plan as batch
from kfsr.runs.inputs import STREAM, Source
from kfsr.runs.plan import Job

if TYPE_CHECKING:
    from kfsr.kernel import Kernel


def find_pictures(
    names: Sequence[str], recursive: bool, kernel_file: Path | None, method: options.KernelMethod | None
) -> list[Source]:
    """The pictures that `--kernel-from` names. Raises UsageError where another option gives the kernel, InputError for
    a folder without pictures."""
    if not names:
        return []
    if kernel_file is not None:
        raise UsageError("--kernel gives the kernel, --kernel-from would find one; leave one of them out")
    if method is options.KernelMethod.bicubic:
        raise UsageError("--kernel-method bicubic assumes a kernel, --kernel-from finds one; leave one of them out")
    if STREAM in names:
        raise UsageError("--kernel-from takes files and folders, not standard input")
    return output.find_inputs(list(names), None, recursive)


def originals(sources: Sequence[Source], jobs: Sequence[Job], output_path: str | None) -> list[Path]:
    """Their paths, without earlier results of this run; InputError when nothing is left."""
    paths = [one.path for one in batch.without_results(sources, jobs, output_path) if one.path is not None]
    if sources and not paths:
        raise InputError("--kernel-from: all pictures there are results; name the folder of the originals")
    return paths


def estimate(paths: Sequence[Path], arguments: dict[str, Any], max_pixels: int | None, console: Console) -> Kernel:
    """The kernel that the pictures share. Raises InputError when one of them cannot be used."""
    from kfsr import pipeline

    console.subject = "shared kernel"
    pictures = [output.read_picture(path, max_pixels) for path in paths]
    found: Kernel = pipeline.estimate_kernel(pictures, progress=console.progress, **arguments)
    console.close()
    console.subject = ""
    console.note(f"kernel of {len(paths)} picture{'s'[: len(paths) != 1]}: {facts_in_words(kernel_facts(found))}")
    return found
