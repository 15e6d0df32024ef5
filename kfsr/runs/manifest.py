"""What a run has finished, written down beside the results, so that it can go on after it was stopped.

One line of JSON per result in `.kfsr.ndjson` in the folder of the results: its name, and SHA-256 of its bytes, of the
input's bytes and of the settings. The line is written before the result gets its name: whenever the program is
stopped, a result that fits its line is whole, and one that does not is made again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

from kfsr.errors import OutputError

NAME = ".kfsr.ndjson"

Entry = tuple[str, str, str]
"""Digests of a result, of its input and of the settings that made it."""


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Manifest:
    """The lists of finished results as they are now: each folder's is read once, when it is first asked for."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Entry]] = {}

    def is_finished(self, target: Path, source: Path, settings: str) -> bool:
        """Whether `target` is, byte for byte, what a run with these settings made of `source`; not when either is
        missing or cannot be read."""
        if target.parent not in self._folders:
            self._folders[target.parent] = _entries(target.parent / NAME)
        entry = self._folders[target.parent].get(target.name)
        if entry is None or entry[2] != settings:
            return False
        try:
            return _digest_of_file(source) == entry[1] and _digest_of_file(target) == entry[0]
        except OSError:
            return False


def record(target: Path, result: bytes, source: str, settings: str) -> None:
    """Write down that `target` is about to hold `result`. source: the input's digest, taken when it was read.

    Raises OutputError when the list cannot be written. One write at the end of the file: runs that share a folder do
    not mix their lines.
    """
    values = {"file": target.name, "sha256": digest(result), "input_sha256": source, "settings": settings}
    path = target.parent / NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            # A line that a killed run left half written ends here.
            line = f"\n{json.dumps(values)}\n".encode()
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{path}: the list of finished pictures cannot be written ({error.strerror})") from error


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:  # it need not fit into memory
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(path: Path) -> dict[str, Entry]:
    """The last entry of each file."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    entries: dict[str, Entry] = {}
    for line in lines:
        try:
            one = json.loads(line)
            entries[one["file"]] = (one["sha256"], one["input_sha256"], one["settings"])
        except (ValueError, KeyError, TypeError):
            continue
    return entries
