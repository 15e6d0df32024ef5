"""The state of a picture's long stages in a file, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from kfsr.errors import OutputError
from kfsr.files import write_bytes

EVERY = 120.0
"""Seconds between two writes; a picture that takes less leaves no file."""


class Stateful(Protocol):
    """What torch's modules, optimisers and schedules have in common."""

    def state_dict(self) -> dict[str, Any]:
        """All that changes."""
        ...

    def load_state_dict(self, state_dict: Any) -> Any:
        """Put it back."""
        ...


class Checkpoint:
    """The states of one picture's stages. path: the file; None keeps nothing. key: of all that the states depend on; a
    file with another key, or one that cannot be read, counts as none. found: whether there was one to go on from.

    A file that cannot be written is a warning, and then there is none: the work itself does not need it.
    """

    def __init__(self, path: Path | None = None, key: str = "") -> None:
        self.path, self.key = path, key
        self.states = {} if path is None else _read(path, key)
        self.found = bool(self.states)
        self._written = time.monotonic()

    def stage(self, name: str, total: int, parts: Mapping[str, Stateful], generator: torch.Generator) -> Stage:
        """A stage about to begin, put back to where it was when its state is known. name: one within the picture.
        total: its steps. parts, generator: all that changes in it, but for a few values."""
        return Stage(self, name, total, parts, generator)

    def write_when_due(self, name: str, state: Callable[[], dict[str, Any]]) -> None:
        """Write all states, this one among them, unless that was done a short time ago."""
        if self.path is None or time.monotonic() < self._written + EVERY:
            return
        self.states[name] = state()
        data = io.BytesIO()
        torch.save({"key": self.key, "states": self.states}, data)
        try:
            write_bytes(self.path, data.getvalue())
        except OutputError as error:
            warnings.warn(f"{error}; if this run is stopped it cannot go on from here", stacklevel=2)
            self.path = None
        self._written = time.monotonic()


class Stage:
    """first: how many steps are done already. values: what `done` was given with the last of them."""

    def __init__(
        self, checkpoint: Checkpoint, name: str, total: int, parts: Mapping[str, Stateful], generator: torch.Generator
    ) -> None:
        self._checkpoint, self._name, self._total = checkpoint, name, total
        self._parts, self._generator = parts, generator
        self.first = 0
        self.values: dict[str, Tensor] = {}
        kept = checkpoint.states.get(name)
        if kept is not None:
            for part, state in kept["parts"].items():
                parts[part].load_state_dict(state)
            generator.set_state(kept["generator"])
            self.first, self.values = kept["step"], kept["values"]

    def done(self, step: int, values: Callable[[], dict[str, Tensor]] = dict) -> None:
        """So many steps are done. values: tensors that the next step needs, too."""

        def state() -> dict[str, Any]:
            return {
                "step": step,
                "parts": {name: part.state_dict() for name, part in self._parts.items()},
                "generator": self._generator.get_state(),
                "values": values(),
            }

        if step == self._total and self._checkpoint.path is not None:
            self._checkpoint.states[self._name] = state()  # for the file that a later stage writes
        self._checkpoint.write_when_due(self._name, state)


def _read(path: Path, key: str) -> dict[str, dict[str, Any]]:
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        return dict(kept["states"]) if kept["key"] == key else {}
    except Exception:  # missing, cut off, or anybody's file: torch raises whatever its parts raise
        return {}


NO_CHECKPOINT = Checkpoint()
