"""`kfsr doctor`."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from kfsr.cli.command import command
from kfsr.cli.outcomes import versions
from kfsr.cli.status import Status
from kfsr.cli.streams import Streams
from kfsr.evaluation.installation import CHECKS, check_upscaling


@command()
def doctor(
    streams: Streams,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
) -> int:
    """Show what this installation has, and test that it computes correctly.

    Versions, devices and their memory, picture formats, optional packages, and a self-test of a few seconds: a picture
    is shrunk by a known kernel and upscaled blindly. Exit status 0 when healthy, else 1.
    """
    score: dict[str, float] = {}
    checks: dict[str, Callable[[], str]] = {**CHECKS, "blind upscaling": partial(check_upscaling, score)}
    record: dict[str, Any] = {"versions": versions()}
    record |= {
        "system": f"{platform.system()} {platform.machine()}",
        "devices": _probe(_devices),
        "formats": _probe(_formats),
        "extras": _probe(_extras),
        "tests": {name: _test(check) for name, check in checks.items()},
        "score": score,
    }
    problems = [f"{name} is missing" for name, version in record["versions"].items() if version == "missing"]
    problems += [f"{name}: {verdict}" for name, verdict in record["tests"].items() if verdict != "ok"]
    record |= {"healthy": not problems, "problems": problems}
    if as_json:
        streams.write_record(record)
    else:
        for line in _lines(record):
            streams.write_text(line)
    return Status.DONE if not problems else Status.INTERNAL


def _probe(look: Callable[[], Any]) -> Any:
    """What there is, or in one line why that cannot be told: doctor must speak where all else fails."""
    try:
        return look()
    except Exception as error:
        return f"unknown ({type(error).__name__}: {error})"


def _test(check: Callable[[], str]) -> str:
    try:
        return check() or "ok"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _devices() -> dict[str, Any]:
    import torch

    from kfsr.numerics import working_dtype

    found: dict[str, Any] = {
        "cpu": {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "memory_gib": _memory_gib(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "bfloat16": working_dtype(torch.device("cpu")) is torch.bfloat16,
        }
    }
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        found[f"cuda:{index}"] = {
            "name": about.name,
            "memory_gib": round(about.total_memory / 2**30, 1),
            "bfloat16": working_dtype(torch.device("cuda", index)) is torch.bfloat16,
        }
    if torch.backends.mps.is_available():
        found["mps"] = {"name": "Apple GPU, not used: it has no float64"}
    return found


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _formats() -> list[str]:
    from kfsr.image import readable_formats

    return list(readable_formats())


def _extras() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for name, use in _EXTRAS.items():
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = f"missing ({use})"
    return found


_EXTRAS = {"pillow-heif": "HEIC needs it; pip install 'kfsr[heic]'", "basicsr": "NIQE needs it; see docs/install.md"}
"""Packages that kfsr can do without, and what then is not there."""


def _lines(record: dict[str, Any]) -> list[str]:
    lines = [f"{name:<8} {version}" for name, version in record["versions"].items()]
    lines.append(f"system   {record['system']}")
    devices = record["devices"]
    if isinstance(devices, dict):
        for name, about in devices.items():
            words = ", ".join(_in_words(key, value) for key, value in about.items())
            lines.append(f"{name:<8} {words}")
    else:
        lines.append(f"devices  {devices}")
    formats = record["formats"]
    lines.append(f"formats  {', '.join(formats) if isinstance(formats, list) else formats}")
    extras = record["extras"]
    words = ", ".join(f"{name} {about}" for name, about in extras.items()) if isinstance(extras, dict) else extras
    lines.append(f"extras   {words}")
    lines += [f"test     {name}: {verdict}" for name, verdict in record["tests"].items()]
    if record["score"]:
        gain, ncc = record["score"]["gain_db"], record["score"]["kernel_ncc"]
        lines.append(f"score    {gain:+.2f} dB over bicubic, kernel NCC {ncc:.4f}")
    lines.append("healthy" if record["healthy"] else "not healthy: " + "; ".join(record["problems"]))
    return lines


def _in_words(key: str, value: Any) -> str:
    name = key.removesuffix("_gib")
    if value is None:
        return f"{name} unknown"
    if isinstance(value, bool):
        return f"{name} {'yes' if value else 'no'}"
    return f"{name} {value}" + (" GiB" if key.endswith("_gib") else "")
