"""What a run can tell of each picture, kept beside its results for whoever looks at them later.

In `.kfsr.ndjson`, the list of finished results (`runs.manifest`), one more line for each picture that was done or has
failed: what was found in it, its kernel, the gate's verdict, the time. `kfsr report` reads these lines. They decide
nothing: a run that goes on looks only at the digests.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import zlib
from collections.abc import Generator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfsr.errors import KfsrError
from kfsr.runs import manifest
from kfsr.runs.events import Outcome
from kfsr.runs.plan import Job
from kfsr.runs.upscaled import Upscaled

if TYPE_CHECKING:
    import numpy as np

_KEPT = ("scale", "preset", "kernel_method", "choice", "found", "solver", "gate", "sigma", "strength", "denoise")
"""Of a picture's report."""

COMPARISON = "_compare.png"
"""What follows the stem of a result in the name of its comparison."""

_LARGEST_SIDE = 1024
"""Of a kernel that is believed: a damaged line must not ask for gigabytes."""


@dataclass(frozen=True, eq=False)
class Told:
    """One picture. result: its file, whether it is there or not; source: that of the input, None where it had none.
    status: "done" or "failed"; "known" where the list holds digests alone. error: why it failed. size: width and
    height of the result. kernel: (K, K), or None. report: some of the pipeline's."""

    result: Path
    source: Path | None
    status: str
    error: str = ""
    seconds: float | None = None
    size: tuple[int, int] | None = None
    kernel: np.ndarray | None = None
    report: dict[str, Any] = field(default_factory=dict)


def told(outcome: Outcome[Upscaled]) -> Told | None:
    """What is to be told of an outcome; None where it was skipped, or its result went to standard output."""
    job, done = outcome.job, outcome.value
    if job.target is None or outcome.status == "skipped":
        return None
    if done is None:
        error = outcome.error
        known = isinstance(error, KfsrError)
        words = str(error) if known else f"internal error ({type(error).__name__}: {error})"
        return Told(job.target, job.source, "failed", words, outcome.seconds)
    report = {name: done.report[name] for name in _KEPT if name in done.report}
    report["gate"] = {name: report["gate"][name] for name in ("verdict", "reason")}
    report |= {name: done.report[name] for name in ("pages", "resized") if done.report.get(name)}
    kernel = done.report["kernel"]
    report["kernel"] = {name: kernel[name] for name in ("method", "size", "covariance")}
    report["kernel"]["source"] = kernel["provenance"]["source"]
    array = None if done.kernel is None else done.kernel.array
    return Told(job.target, job.source, "done", "", outcome.seconds, done.size, array, report)


def writing_down(
    outcomes: Generator[Outcome[Upscaled], None, None],
) -> Generator[Outcome[Upscaled], None, None]:
    """The same outcomes, each written into the list beside its result. A failure waits until there is a list: where
    nothing was done, nothing is left behind."""
    waiting: list[Told] = []
    try:
        with contextlib.closing(outcomes):
            for outcome in outcomes:
                if (one := told(outcome)) is not None:
                    waiting.append(one)
                    if one.status == "done":
                        waiting = [one for one in waiting if not _write(one)]
                yield outcome
    finally:
        for one in waiting:  # where an earlier run has left a list
            _write(one)


def read(folder: Path) -> list[Told]:
    """What the lists in `folder` and its sub-folders tell, in the order in which the pictures were last written."""
    found: list[Told] = []
    for here, folders, files in os.walk(folder):
        folders.sort()
        if manifest.NAME in files:
            found += _read(Path(here))
    return found


def of_jobs(jobs: Sequence[Job]) -> list[Told]:
    """What the lists tell of these jobs' results, in their order."""
    known: dict[Path, dict[str, Told]] = {}
    found = []
    for job in jobs:
        if job.target is None:
            continue
        folder = job.target.parent
        if folder not in known:
            known[folder] = {one.result.name: one for one in _read(folder)}
        found.append(known[folder].get(job.target.name, Told(job.target, job.source, "known")))
    return found


def _write(one: Told) -> bool:
    """Whether there is a list to write it in."""
    path = one.result.parent / manifest.NAME
    values: dict[str, Any] = {"status": one.status, "seconds": one.seconds}
    values |= {"error": one.error} if one.error else {}
    if one.source is not None:
        with contextlib.suppress(ValueError):  # Windows: on another drive
            values["input"] = os.path.relpath(os.path.realpath(one.source), os.path.realpath(path.parent))
    values |= {} if one.size is None else {"size": one.size}
    values |= {} if one.kernel is None else {"kernel": _packed(one.kernel)}
    values |= {"report": one.report} if one.report else {}
    line = f"\n{json.dumps({'file': one.result.name, 'told': values})}\n".encode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        return False
    except OSError:  # no permission: `manifest.record` has said so
        return True
    try:
        with contextlib.suppress(OSError):  # a full disk: the next result fails
            os.write(descriptor, line)
    finally:
        os.close(descriptor)
    return True


def _read(folder: Path) -> list[Told]:
    """The last that is told of each file in one folder's list."""
    try:
        lines = (folder / manifest.NAME).read_bytes().splitlines()
    except OSError:
        return []
    found: dict[str, Told] = {}
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            one = json.loads(line)
            name = Path(one["file"]).name  # a list tells of its own folder only
            told = _told(folder, name, one["told"]) if "told" in one else _known(folder, name, one)
            found.pop(name, None)
            found[name] = told
    stems = {Path(name).stem for name in found}
    return [one for name, one in found.items() if not (one.status == "known" and _compares(name, stems))]


def _compares(name: str, stems: Set[str]) -> bool:
    """Whether a file is the comparison of a result (`--compare`), by their names."""
    return name.endswith(COMPARISON) and name.removesuffix(COMPARISON) in stems


def _known(folder: Path, name: str, one: dict[str, Any]) -> Told:
    place = one.get("input")
    return Told(folder / name, folder / place if isinstance(place, str) else None, "known")


def _told(folder: Path, name: str, values: dict[str, Any]) -> Told:
    size, place, seconds = values.get("size"), values.get("input"), values.get("seconds")
    report = values.get("report")
    return Told(
        folder / name,
        folder / place if isinstance(place, str) else None,
        "failed" if values["status"] == "failed" else "done",
        str(values.get("error", "")),
        float(seconds) if isinstance(seconds, int | float) else None,
        (int(size[0]), int(size[1])) if size else None,
        _unpacked(values.get("kernel")),
        report if isinstance(report, dict) else {},
    )


def _packed(kernel: np.ndarray) -> dict[str, Any]:
    """Three digits of each value, which are enough to look at."""
    data = zlib.compress(kernel.astype("<f2").tobytes(), 9)
    return {"size": kernel.shape[0], "values": base64.b64encode(data).decode()}


def _unpacked(packed: Any) -> np.ndarray | None:
    import numpy as np

    if not isinstance(packed, dict):
        return None
    side = int(packed["size"])
    if not 0 < side <= _LARGEST_SIDE:
        return None
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(packed["values"]), 2 * side * side)
    except (zlib.error, binascii.Error):
        return None
    if len(data) < 2 * side * side:
        return None
    return np.frombuffer(data, "<f2").reshape(side, side).astype(np.float64)
