"""The most memory that this process has held, as the system counts it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def restart() -> None:
    """Count from now on, where the system allows that (Linux); elsewhere the count goes back to the process's start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def mebibytes() -> float | None:
    """Peak resident memory since `restart`, in MiB; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) / 2**10, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10, 1)
