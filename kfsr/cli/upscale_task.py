"""What `kfsr upscale` does with one picture, and what it says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.cli import output, spread
from kfsr.cli.console import Console
from kfsr.cli.status import describe, print_failure
from kfsr.runs import manifest
from kfsr.runs import plan as batch
from kfsr.runs.plan import Job, Outcome
from kfsr.runs.turns import NO_TURNS, Turns

if TYPE_CHECKING:
    from kfsr.kernel import Kernel

TRUSTED = "trusted"
"""The gate's verdict on a result that is what was asked for; any other one is told to the user."""


@dataclass(frozen=True)
class Done:
    """What is left to say about a picture that has been written. size: its width and height."""

    size: tuple[int, int]
    report: dict[str, Any]


@dataclass(frozen=True)
class UpscaleTask:
    """The work on one picture: read, upscale, write. arguments: of `pipeline.upscale`. settings: digest of all that
    the result is made with. listed: whether the list of finished pictures is kept. finished: what is left out, since
    it is finished; the value is then None. turns: on the device."""

    arguments: Mapping[str, Any]
    kernel: Kernel | None
    kernel_paths: Mapping[Job, Path]
    quality: int
    strip: bool
    max_pixels: int | None
    settings: str
    listed: bool
    finished: frozenset[Job] = frozenset()
    turns: Turns = NO_TURNS

    def __call__(self, job: Job, console: Console) -> Done | None:
        """Do one job; raises what its steps raise."""
        if job in self.finished:
            return None
        from kfsr import pipeline
        from kfsr.image import encode_image, write_image
        from kfsr.kernel import save_kernel

        console.subject = job.source_name
        picture = output.read_picture(job.source, self.max_pixels)
        # Now and not when the result is there: by then the input may have changed, or be gone.
        source = manifest.digest_of_file(job.source) if self.listed and job.source is not None else None
        if self.strip:
            picture = picture.stripped()
        state = batch.checkpoint_of(job.target)
        with spread.on_device(self.turns, self.arguments["device"]):
            result = pipeline.upscale(
                picture, kernel=self.kernel, checkpoint=state, progress=console.progress, **self.arguments
            )
        if job in self.kernel_paths:
            save_kernel(result.kernel, self.kernel_paths[job])
        if job.target is None:
            output.write_data(encode_image(result.image, "PNG"))
        else:
            announce = None if source is None else partial(self._record, job.target, source)
            write_image(result.image, job.target, self.quality, announce)
        batch.remove_checkpoint(state)
        return Done(result.image.size, result.report.as_dict())

    def is_finished(self, job: Job) -> bool:
        """Whether an earlier run has made this picture, and its kernel where one is wanted, with the same settings."""
        if job.source is None or job.target is None:
            return False
        kernel = self.kernel_paths.get(job)
        if kernel is not None and not kernel.is_file():
            return False
        return (
            job.source.is_file()
            and job.target.is_file()
            and manifest.is_finished(job.target, job.source, self.settings)
        )

    def _record(self, target: Path, source: str, data: bytes) -> None:
        manifest.record(target, data, source, self.settings)


def tell(outcome: Outcome[Done | None], console: Console) -> None:
    """What became of a picture, in a line or two."""
    if outcome.error is not None:
        with console.clear():
            print_failure(outcome.error, outcome.job.source_name)
        return
    if outcome.value is None:
        console.note(f"{outcome.job.source_name}: skipped, {outcome.job.target_name} is finished")
        return
    gate = outcome.value.report["gate"]
    if gate["verdict"] != TRUSTED:
        console.warning(f"{outcome.job.source_name}: {gate['verdict']}: {gate['reason']}")
    width, height = outcome.value.size
    resumed = ", went on from where it was stopped" if outcome.value.report["resumed"] else ""
    console.note(
        f"{outcome.job.source_name} -> {outcome.job.target_name}: {width}x{height}, "
        f"kernel {outcome.value.report['kernel']['method']}, {outcome.seconds:.1f} s{resumed}"
    )


def record(outcome: Outcome[Done | None], kernel_file: Path | None, settings: str) -> dict[str, Any]:
    """The report of one picture: done or failed, with what was measured on the way. kernel_file: where its kernel came
    from, or went."""
    about: dict[str, Any] = {
        "input": outcome.job.source_name,
        "output": outcome.job.target_name,
        "status": "failed" if outcome.error is not None else "done" if outcome.value is not None else "skipped",
    }
    if outcome.error is not None:
        about["error"] = describe(outcome.error)
    if outcome.value is not None:
        about |= outcome.value.report
    return about | {
        "kernel_file": None if kernel_file is None else str(kernel_file),
        "settings": settings,
        **output.footer(outcome),
    }
