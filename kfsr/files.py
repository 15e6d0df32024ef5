"""Writing a file so that nobody ever sees half of it."""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from kfsr.errors import OutputError

if sys.platform != "win32":
    import fcntl

_TEMPORARY = re.compile(r"\.kfsr-(\d+)-[0-9a-f]{16}\.tmp")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all: a temporary file beside it, fsync, rename.

    An existing file keeps its permissions, a new one gets those of the umask; a symbolic link stays, and the
    file it points to is replaced. Whatever goes wrong, Ctrl-C included, the previous file is left as it was
    and the temporary file removed. Raises OutputError naming `path`.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = _mode_to_keep(target, path)
        temporary = target.with_name(f".kfsr-{os.getpid()}-{secrets.token_hex(8)}.tmp")
        try:
            # Not tempfile.mkstemp: its files can be read by their owner only. os.open follows the umask.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
                _lock(file.fileno())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise OutputError(f"{path}: {_explain(error)}") from error
    _sync_folder(target.parent)


def remove_stale(folders: Iterable[Path]) -> None:
    """Remove the temporary files that `write_bytes` left in these folders when its process was killed.

    Those of living processes stay: a file is removed only when no process here has the number in its name and no
    process anywhere, in another container or on another machine, holds its lock. What cannot be removed stays.
    """
    if sys.platform == "win32":  # no way to tell
        return
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                found = _TEMPORARY.fullmatch(entry.name)
                if found and not _is_running(int(found[1])):
                    with contextlib.suppress(OSError):
                        _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if _lock(descriptor):
            os.unlink(path)  # noqa: PTH108 - its path is a string as scandir gives it
    finally:
        os.close(descriptor)


def _is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _lock(descriptor: int) -> bool:
    """Whether the file could be locked; the lock goes with the descriptor, so also with its process."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody holds it, or the file system has no locks
            return False
    return True


def _mode_to_keep(target: Path, path: Path) -> int | None:
    """Permission bits of the file that is about to be replaced, None when there is none."""
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise OutputError(f"{path}: is a folder; give the name of a file")
    if not stat.S_ISREG(found):
        raise OutputError(f"{path}: is not a regular file and cannot be replaced; give another name")
    return stat.S_IMODE(found)


def _explain(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "its folder does not exist; create it or choose another"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space left on the disk; free some or choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "no permission to write in its folder; choose another"
    return f"cannot be written ({error.strerror or error}); choose another place"


def _sync_folder(folder: Path) -> None:
    # Makes the rename itself durable. Not every file system allows it; the file is complete anyway.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
