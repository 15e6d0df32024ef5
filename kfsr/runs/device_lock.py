"""One process at a time on a GPU, whose memory they would else have to share: while one computes, the others read and
write their pictures. The CPU they divide among them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def shared(device: str, processes: int) -> Iterator[str | None]:
    """The path of a lock for so many processes on that device, as long as the block lasts; None where none is needed.
    It may be handed to other processes."""
    if device == "cpu" or processes < 2:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kfsr-", ignore_cleanup_errors=True) as folder:
        yield str(Path(folder) / "device.lock")


@contextlib.contextmanager
def held(path: str | None, device: str) -> Iterator[None]:
    """Wait for the device and keep it while the block runs, or until this process ends. Its memory is free for the
    others afterwards. With a path of None nobody waits."""
    if path is None:
        yield
        return
    from filelock import FileLock  # slow to import

    with FileLock(path):
        try:
            yield
        finally:
            if device.startswith("cuda"):
                import torch

                torch.cuda.empty_cache()
