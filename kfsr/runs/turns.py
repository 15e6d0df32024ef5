"""One at a time among processes: while one computes on the GPU the others read and write their pictures."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True)
class Turns:
    """Who shares `path` goes one after the other; with None nobody waits. It may be handed to other processes."""

    path: str | None = None

    @contextlib.contextmanager
    def wait(self) -> Iterator[None]:
        """The block is this process's turn, which ends with the process at the latest."""
        if self.path is None or sys.platform == "win32":
            yield
            return
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # and with it the lock


NO_TURNS = Turns()


@contextlib.contextmanager
def shared(wanted: bool) -> Iterator[Turns]:
    """Turns for this process and those it starts, as long as the block lasts; not `wanted`, or on Windows, which has no
    such locks: nobody waits."""
    if not wanted or sys.platform == "win32":
        yield NO_TURNS
        return
    with tempfile.NamedTemporaryFile(prefix="kfsr-turns-") as file:
        yield Turns(file.name)
