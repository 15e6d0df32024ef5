"""What a run has finished, written down beside the results, so that it can go on after it was stopped.

One line of JSON per result in `.kfsr.ndjson` in the folder of the results: its name, where its input is as seen from
there, and SHA-256 of its bytes, of the input's bytes and of the settings. The line is written before the result gets
its name: whenever the program is stopped, a result that fits its line is whole, and one that does not is made again.
The list also tells which files are results, which later runs do not take for inputs, and which somebody has changed
since.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfsr.errors import OutputError

NAME = ".kfsr.ndjson"


@dataclass(frozen=True)
class Entry:
    """Digests of a result, of its input and of the settings that made it; where the input was, as seen from the
    result's folder, None where an earlier version did not say. begun: nothing more is known than that it was begun."""

    result: str
    input: str
    settings: str
    place: str | None = None
    begun: bool = False


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Manifest:
    """The lists of finished results as they are now: each folder's is read once, when it is first asked for."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Entry]] = {}

    def entry(self, target: Path) -> Entry | None:
        """What is written down of `target`, whatever it is by now."""
        if target.parent not in self._folders:
            self._folders[target.parent] = _entries(target.parent / NAME)
        return self._folders[target.parent].get(target.name)

    def is_ours(self, target: Path) -> bool:
        """Whether `target` is, byte for byte, what some run made; not when it cannot be read."""
        entry = self.entry(target)
        return entry is not None and digest_of_file(target) == entry.result

    def is_begun(self, target: Path) -> bool:
        """Whether a run has begun to make `target` and has not said that it did."""
        entry = self.entry(target)
        return entry is not None and entry.begun

    def is_finished(self, target: Path, source: Path, settings: str) -> bool:
        """Whether `target` is, byte for byte, what a run with these settings made of `source`; not when either is
        missing or cannot be read."""
        entry = self.entry(target)
        if entry is None or entry.settings != settings:
            return False
        return digest_of_file(source) == entry.input and digest_of_file(target) == entry.result


def record(target: Path, result: bytes, source: str, settings: str, place: Path | None = None) -> None:
    """Write down that `target` is about to hold `result`. source: the input's digest, taken when it was read. place:
    the input's file.

    Raises OutputError when the list cannot be written; where only the permission is missing, a UserWarning says so. One
    write at the end of the file: runs that share a folder do not mix their lines.
    """
    values = {"file": target.name, "sha256": digest(result), "input_sha256": source, "settings": settings}
    if place is not None:
        with contextlib.suppress(ValueError):  # Windows: on another drive
            values["input"] = os.path.relpath(os.path.realpath(place), os.path.realpath(target.parent))
    append(target, values)


def begun(target: Path) -> None:
    """Write down that `target` is being made somewhere else: until its own line follows, it is nobody's."""
    append(target, {"file": target.name, "begun": True})


_held: ContextVar[list[tuple[Path, dict[str, Any]]] | None] = ContextVar("_held", default=None)


@contextlib.contextmanager
def kept_back() -> Iterator[list[tuple[Path, dict[str, Any]]]]:
    """While it runs, nothing is written here; the list that it gives is filled with what `append` takes."""
    lines: list[tuple[Path, dict[str, Any]]] = []
    token = _held.set(lines)
    try:
        yield lines
    finally:
        _held.reset(token)


def append(target: Path, values: dict[str, Any]) -> None:
    """A line of values about `target` in the list beside it; raises as `record` does."""
    held = _held.get()
    if held is not None:
        held.append((target, values))
        return
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
    except PermissionError:  # somebody else's, in a folder that many write to
        warnings.warn(
            f"{path}: no permission to write in this list; a later run will not know {target.name}", stacklevel=2
        )
    except OSError as error:
        what = f"the list of finished pictures beside it, {path.name}, cannot be written ({error.strerror})"
        raise OutputError(f"{target}: {what}; free some space or choose another folder") from error


def digest_of_file(path: Path) -> str | None:
    """SHA-256 of a file's bytes, None where they cannot be read."""
    try:
        with path.open("rb") as file:  # it need not fit into memory
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


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
            if one.get("begun"):
                found = Entry("", "", "", begun=True)
            else:
                found = Entry(one["sha256"], one["input_sha256"], one["settings"], one.get("input"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        place = found.place or ""
        if isinstance(place, str) and "\0" not in place and isinstance(one.get("file"), str):  # a list may be damaged
            entries[one["file"]] = found
    return entries
