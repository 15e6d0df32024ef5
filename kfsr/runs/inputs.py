"""What the user named, as files: folders and patterns looked into, lists read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfsr.errors import InputError, UsageError

STREAM = "-"
"""How the command line spells standard input and standard output."""


@dataclass(frozen=True)
class Source:
    """One input; `path` None is standard input. under: for what was found in a folder, the sub-folder of it that it
    lies in, which an output folder mirrors; None for what was named itself."""

    path: Path | None
    under: Path | None = None


def find(names: Iterable[str], suffixes: Sequence[str], recursive: bool = False) -> list[Source]:
    """The inputs that `names` stand for: files, "-", folders and, where no such file exists, patterns like *.png.

    In a folder, and with `recursive` in its sub-folders, the files with one of the `suffixes` (lower case) are found,
    in the order of their names; hidden ones and links to folders are left out, and so is what was named already.
    Raises InputError for a folder without any.
    """
    sources: list[Source] = []
    for name in names:
        path = Path(name)
        if name == STREAM:
            sources.append(Source(None))
        elif path.is_dir():
            found = sorted(_pictures(path, suffixes, recursive))
            if not found:
                hint = "" if recursive else "; --recursive looks into its sub-folders"
                raise InputError(f"{name}: there is no picture in this folder ({', '.join(suffixes)}){hint}")
            known = {os.path.realpath(one.path) for one in sources if one.path is not None}
            sources += [Source(p, p.parent.relative_to(path)) for p in found if os.path.realpath(p) not in known]
        elif not path.exists() and glob.has_magic(name):
            found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 - absolute ones too
            matches = [match for match in found if not match.is_dir()]
            sources += [Source(match) for match in matches or [path]]  # no match: the run reports what is missing
        else:
            sources.append(Source(path))
    return sources


def find_pictures(names: Iterable[str], recursive: bool = False) -> list[Source]:
    """The same of the formats that are read; UsageError when nothing is named."""
    from kfsr.image import readable_formats

    names = list(names)
    if not names:
        raise UsageError("no INPUT: name pictures or folders, or a list of them with --files-from")
    return find(names, [suffix for one in readable_formats().values() for suffix in one], recursive)


def read_list(data: bytes, about: str) -> list[str]:
    """The names in a list, one a line, or separated by NUL as `find -print0` writes them; InputError when empty."""
    separator = b"\0" if b"\0" in data else b"\n"
    names = [os.fsdecode(line) for line in data.split(separator)]
    if separator == b"\n":
        names = [name.rstrip("\r") for name in names]
    names = [name for name in names if name]
    if not names:
        raise InputError(f"{about}: the list names no files")
    if STREAM in names:
        raise UsageError(f"{about}: '-' cannot be in a list; for a file of that name write ./-")
    return names


def _pictures(folder: Path, suffixes: Sequence[str], recursive: bool) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(parent) / name


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: the folder cannot be read ({error.strerror})") from error
