"""What the words after an option mean; typer.BadParameter where they mean nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import typer

from kfsr.errors import UsageError
from kfsr.size import MOST, Size, parse_factor


def one_of(names: Iterable[str]) -> dict[str, Any]:
    """The part of an option that takes one of these names: check, help and completion."""
    known = list(names)

    def parse(value: str) -> str:
        if value not in known:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}")
        return value

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return {"metavar": f"[{'|'.join(known)}]", "parser": parse, "autocompletion": complete}


def check_seed(seed: int | None) -> int | None:
    # Not min= and max=, which would print a number of nineteen digits in every help.
    if seed is not None and not 0 <= seed < 2**63:
        raise typer.BadParameter(f"{seed} is not between 0 and 2**63 - 1")
    return seed


def parse_memory(size: str) -> int:
    from kfsr.cost.memory import in_bytes

    try:
        return in_bytes(size)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error


def listed_names(summaries: dict[str, str]) -> str:
    return ", ".join(f"{name} ({summary})" for name, summary in summaries.items())


def parse_scale(scale: str | float) -> float:
    """A whole number as int, one like 1.5 as float."""
    factor = parse_factor(str(scale))
    if factor is None:
        raise typer.BadParameter(f"{scale!r} is no factor; write it like 2, x4 or 1.5")
    if factor > MOST:
        raise typer.BadParameter(
            f"{factor:g} is too much at once, {MOST} is the most; enlarge by {MOST}, and then the result once more"
        )
    if factor < 1:
        raise typer.BadParameter(f"{factor:g} would make the picture smaller; use 1 (which deblurs) to {MOST}")
    return int(factor) if factor.is_integer() else factor


def parse_box(size: str) -> str:
    try:
        Size.parse(size)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error
    if "x" not in size.lower():
        raise typer.BadParameter(f"{size!r} is no size in pixels; write 1920x1080, 1920x or x1080, or --scale {size}")
    return size.strip().lower()


def parse_format(name: str) -> str:
    from kfsr.image import format_by_name

    try:
        return format_by_name(name).suffixes[0].removeprefix(".")
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error


def parse_device(device: str) -> str:
    if device == "mps":
        raise typer.BadParameter("mps has no float64, which kfsr computes with; use cpu")
    if re.fullmatch(r"cuda:\d{1,4}", device):
        return f"cuda:{int(device[5:])}"
    if device not in DEVICES:
        raise typer.BadParameter(f"{device!r} is not one of auto, cpu, cuda, or cuda:1 for a second GPU")
    return device


DEVICES = ("auto", "cpu", "cuda")
