"""The one place that runs an algorithm's steps: it reports them, saves their state and goes on from one saved before.

An algorithm is a generator over a `State`: it changes the state by one step, yields, and knows of nothing else.
"""

from __future__ import annotations

import io
import time
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from kfsr.errors import OutputError
from kfsr.files import write_bytes
from kfsr.numerics import check_finite, in_working_precision
from kfsr.progress import Progress, silent

EVERY = 120.0
"""Seconds between two writes; a picture that takes less leaves no file."""


@dataclass(kw_only=True)
class State(ABC):
    """All that changes from one step of an algorithm to the next, as the fields of a subclass: networks, optimisers and
    schedules, tensors of a fixed shape, numbers, or dataclasses of these.

    generator: a CPU one, that everything random is drawn from. step: how many steps are done, which the driver counts.
    """

    generator: torch.Generator
    step: int = field(default=0, init=False)

    @abstractmethod
    def results(self) -> Iterable[Tensor]:
        """What must be finite in the end."""


S = TypeVar("S", bound=State)


class Checkpoint:
    """The states of one picture's stages. path: the file; None keeps nothing. key: of all that the states depend on; a
    file with another key, or one that cannot be read, counts as none. found: whether there was one to go on from.

    A file that cannot be written is a warning, and then there is none: the work itself does not need it.
    """

    def __init__(self, path: Path | None = None, key: str = "") -> None:
        self.path, self.key = path, key
        self._stages = {} if path is None else _read(path, key)
        self.found = bool(self._stages)
        self._written = time.monotonic()
        self._begun: Counter[str] = Counter()

    def numbered(self, stage: str) -> str:
        """A name for a stage about to begin, also where one of the same name has run before. The same call runs the
        same stages in the same order, so a later run finds it again."""
        if self.path is None:
            return stage
        self._begun[stage] += 1
        return f"{stage} {self._begun[stage]}"

    def restore(self, name: str, state: State) -> None:
        """Put a stage that is about to begin back to where it was when it was last saved, if it was."""
        saved = self._stages.get(name)
        if saved is not None:
            _restored(state, saved)

    def save(self, name: str, state: State, *, finished: bool) -> None:
        """Write all stages, this one among them, unless that was done a short time ago."""
        if self.path is None:
            return
        due = time.monotonic() >= self._written + EVERY
        if finished or due:  # finished: for the file that a later stage writes
            self._stages[name] = _packed(state)
        if not due:
            return
        data = io.BytesIO()
        torch.save({"key": self.key, "stages": self._stages}, data)
        try:
            write_bytes(self.path, data.getvalue())
        except OutputError as error:
            warnings.warn(f"{error}; if this run is stopped it cannot go on from here", stacklevel=2)
            self.path = None
        self._written = time.monotonic()


NO_CHECKPOINT = Checkpoint()


@dataclass(frozen=True)
class Driver:
    """Runs algorithms. progress: told of every step. checkpoint: keeps their states."""

    progress: Progress = silent
    checkpoint: Checkpoint = NO_CHECKPOINT

    def run(
        self,
        stage: str,
        total: int,
        begin: Callable[[], S],
        steps: Callable[[S, torch.dtype], Iterator[None]],
        device: torch.device,
        generator: torch.Generator,
    ) -> S:
        """The state after all steps of an algorithm.

        stage: its name, for progress, checkpoint and errors. total: how many steps it has. begin: makes the first
        state, drawing from `generator`. steps: from a state, which may have steps behind it already, to the last one,
        yielding after each; its networks compute in the given precision. It all happens in the device's working
        precision, and once more in float32, from the same random numbers, where the results are not finite. Raises
        NumericalError when they are not finite then either.
        """
        name = self.checkpoint.numbered(stage)

        def run(dtype: torch.dtype) -> S:
            state = begin()
            self.checkpoint.restore(f"{name}, {dtype}", state)
            for _ in steps(state, dtype):
                state.step += 1
                self.checkpoint.save(f"{name}, {dtype}", state, finished=state.step == total)
                self.progress(stage, state.step, total)
            check_finite(f"{stage} stage", state.results())
            return state

        return in_working_precision(device, run, generator)


PLAIN = Driver()
"""Reports and keeps nothing."""


def _packed(value: Any) -> Any:
    """A state as what torch reads back without running anything."""
    if hasattr(value, "state_dict"):
        return value.state_dict()
    if isinstance(value, torch.Generator):
        return value.get_state()
    if is_dataclass(value):
        return {one.name: _packed(getattr(value, one.name)) for one in fields(value)}
    return value.detach() if isinstance(value, Tensor) else value


def _restored(value: Any, packed: Any) -> Any:
    """What `_packed` took from `value`, put back into it; numbers are returned."""
    if hasattr(value, "load_state_dict"):
        value.load_state_dict(packed)
    elif isinstance(value, torch.Generator):
        value.set_state(packed)
    elif is_dataclass(value):
        for one in fields(value):
            setattr(value, one.name, _restored(getattr(value, one.name), packed[one.name]))
    elif isinstance(value, Tensor):
        value.detach().copy_(packed)
    else:
        return packed
    return value


def _read(path: Path, key: str) -> dict[str, dict[str, Any]]:
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        return dict(kept["stages"]) if kept["key"] == key else {}
    except Exception:  # missing, cut off, or anybody's file: torch raises whatever its parts raise
        return {}
