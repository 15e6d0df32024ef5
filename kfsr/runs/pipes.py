"""Named pipes that the user gives as inputs: read as files are, but not waited for without end."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from kfsr.errors import InputError

PATIENCE = 20.0
"""Seconds without anybody at the other end after which a pipe is given up."""

_PAUSE = 0.02
_PART = 2**20


def is_named_pipe(path: Path) -> bool:
    """Whether the name itself is that of a pipe in a folder; /dev/stdin and what a shell makes of <(...) are links."""
    try:
        return stat.S_ISFIFO(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def read_pipe(path: Path, patience: float = PATIENCE) -> bytes:
    """All that is written to a named pipe until its writers close it. InputError when it cannot be read, and when
    nobody opens it for writing within `patience` seconds; one who has opened it may take any time."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{path}: the pipe cannot be read ({error.strerror}); check its permissions") from error
    try:
        return _read(path, descriptor, time.monotonic() + patience, patience)
    finally:
        os.close(descriptor)


def _read(path: Path, descriptor: int, until: float, patience: float) -> bytes:
    parts: list[bytes] = []
    met = False
    while True:
        try:
            part = os.read(descriptor, _PART)
        except BlockingIOError:  # somebody has it open, and has written nothing yet
            met = True
            time.sleep(_PAUSE)
            continue
        if part:
            met = True
            parts.append(part)
        elif met:
            return b"".join(parts)
        elif time.monotonic() > until:
            raise InputError(
                f"{path}: a named pipe that nobody has written to for {patience:g} s; start its writer first"
            )
        else:
            time.sleep(_PAUSE)
