"""Wrong arguments, told in clear words before anything is computed."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from kfsr.errors import UsageError
from kfsr.kernel import GIVEN, Kernel, Lens, load_kernel_or_lens
from kfsr.progress import Progress, silent

_NUMBERS = {"strength": "from 0 to 1", "denoise": "from 0 to 1", "uncertainty": "from 0 to 2"}
_WHOLE = ("seed", "quality", "page")
_SWITCHES = ("refine", "joint", "strip", "strict", "trust_kernel")
_WORDS = ("kernel_method", "kernel_init", "solver", "preset", "size", "format")


def checked_choices(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The choices with numbers of NumPy as Python's and texts of paths as paths. UsageError for another type."""
    made = dict(choices)
    for name, value in choices.items():
        if value is None:
            continue
        if name == "scale":
            made[name] = _scale(value)
        elif name in _NUMBERS:
            if not isinstance(value, Real) or isinstance(value, bool):
                raise UsageError(f"{name} is a number {_NUMBERS[name]}, not {value!r}")
            made[name] = float(value)
        elif name in _WHOLE:
            made[name] = _whole(name, value)
        elif name in _SWITCHES and not isinstance(value, bool | np.bool_):
            raise UsageError(f"{name} is True or False, not {value!r}")
        elif name in _WORDS and not isinstance(value, str):
            raise UsageError(f"{name} is a word, like {name}={_EXAMPLES[name]!r}, not {value!r}")
        elif name == "weights":
            if not isinstance(value, str | os.PathLike):
                raise UsageError(f"weights are named by their file, not by {type(value).__name__}")
            made[name] = Path(value)
    return made


_EXAMPLES = {
    "kernel_method": "auto",
    "kernel_init": "spectral",
    "solver": "unrolled",
    "preset": "fast",
    "size": "1920x",
    "format": "png",
}


def as_kernel(kernel: Any, scale: int, trusted: bool) -> Kernel | Lens | None:
    """A kernel from a value, an array (in correlation form, as `Kernel.from_array` takes it), or a file. UsageError for
    anything else, InputError for what is no kernel."""
    if kernel is None or isinstance(kernel, Kernel | Lens):
        return kernel
    if isinstance(kernel, str | os.PathLike):
        return load_kernel_or_lens(Path(kernel), scale, trusted=trusted)
    if hasattr(kernel, "detach"):  # a tensor
        kernel = kernel.detach().cpu().numpy()
    if isinstance(kernel, np.ndarray | list | tuple):
        try:
            values = np.asarray(kernel, np.float64)
        except (TypeError, ValueError) as error:
            raise UsageError(f"a kernel is a table of numbers ({error})") from error
        return Kernel.from_array(values, scale, GIVEN)
    raise UsageError(f"{type(kernel).__name__} is no kernel; give a kfsr.Kernel, an array (K, K) or a file")


def checked_device(device: Any) -> str:
    """Torch's name of a device that is there, "auto" being a GPU where there is one; UsageError."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise UsageError(f"there is no device {device!r}; use 'cpu', 'cuda' or 'cuda:1'") from error
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found.type not in ("cpu", "cuda"):
        raise UsageError(f"kfsr computes on 'cpu' and 'cuda', not on {device!r}")
    if found.type == "cuda" and (found.index or 0) >= there:
        raise UsageError(f"there is no {device} device here; leave device out, or use 'cpu'")
    return str(found)


def checked_memory(size: Any) -> int | None:
    """Bytes, from a number or from words like "4G"; UsageError."""
    from kfsr.cost.memory import in_bytes

    if size is None or not isinstance(size, str):
        return None if size is None else _whole("max_memory", size)
    return in_bytes(size)


def checked_window(window: Any) -> tuple[int, int, int, int] | None:
    """(row, column, rows, columns); UsageError."""
    if window is None:
        return None
    try:
        row, col, rows, cols = (operator.index(one) for one in window)
    except (TypeError, ValueError) as error:
        raise UsageError(f"window is (row, column, rows, columns), four whole numbers, not {window!r}") from error
    return row, col, rows, cols


def reporting(progress: Progress | None, cancel: Callable[[], bool] | None) -> Progress:
    """Tells the `progress`, and ends the work where `cancel` says so. UsageError where one cannot be called."""
    from kfsr.api.forms import Cancelled

    for name, one, form in (("progress", progress, "progress(stage, step, total)"), ("cancel", cancel, "cancel()")):
        if one is not None and not callable(one):
            raise UsageError(f"{name} is called as {form}; {one!r} cannot be called")
    if cancel is None:
        return progress or silent
    if cancel():
        raise Cancelled("cancelled")

    def tell(stage: str, step: int, total: int) -> None:
        if progress is not None:
            progress(stage, step, total)
        if cancel():
            raise Cancelled(f"cancelled in the stage {stage}, step {step} of {total}")

    return tell


def _scale(value: Any) -> int | float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise UsageError(f"scale is a number from 1 to 4, not {value!r}")
    number = float(value)
    if number > 4:
        raise UsageError(
            f"scale {number:g} is too much at once, 4 is the most; enlarge by 4, and then the result again"
        )
    return int(number) if number.is_integer() else number


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError as error:
        raise UsageError(f"{name} is a whole number, not {value!r}") from error
