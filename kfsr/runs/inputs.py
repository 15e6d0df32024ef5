"""What the user named, as files: folders and patterns looked into."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfsr.errors import InputError, UsageError
from kfsr.runs.left_out import LeftOut, kind_of
from kfsr.runs.lists import STREAM

__all__ = ["STREAM", "Source", "find", "find_pictures", "usable"]


@dataclass(frozen=True)
class Source:
    """One input; `path` None is standard input. under: for what was found in a folder, the sub-folder of it that it
    lies in, which an output folder mirrors; None for what was named itself. problem: why it cannot be an input, known
    without opening it; the run reports it, and does the others."""

    path: Path | None
    under: Path | None = None
    problem: InputError | None = None


def find(
    names: Iterable[str],
    suffixes: Sequence[str],
    recursive: bool = False,
    listed: Iterable[str] = (),
    is_picture: Callable[[Path], bool] = lambda path: False,
) -> list[Source]:
    """The inputs that `names` stand for: files, "-", folders and, where no such file exists, patterns like *.png.

    In a folder, and with `recursive` in its sub-folders, the files with one of the `suffixes` (lower case) are found,
    in the order of their names; hidden ones and links to folders are left out, and so is what was named already. Named
    pipes, devices and sockets are left out there, and among the matches of a pattern, with a UserWarning; so are files
    that are pictures by their ending or, as `is_picture` says, by their content, and are not among those found. A name
    is a pattern only with * or ? in it: what is called IMG[1].png is a file.

    listed: further names, from a list: files and folders, no patterns; a pipe or a device there is no input.

    What cannot be looked into or holds no picture is a source with a `problem`; where it is all there is, it is raised.
    """
    left_out = LeftOut()
    sources: list[Source] = []
    for name, from_list in [*((one, False) for one in names), *((one, True) for one in listed)]:
        path = Path(name)
        if name == STREAM and not from_list:
            sources.append(Source(None))
        elif not name:  # which would be the current folder
            sources.append(Source(path, None, InputError("an input has an empty name; check the quotes")))
        elif "\0" in name:
            sources.append(Source(path, None, InputError(f"{name!r}: there is a NUL in this name; check the name")))
        elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for names that are too long
            known = {os.path.realpath(one.path) for one in sources if one.path is not None}
            found = list(_pictures(path, suffixes, recursive, is_picture, left_out))
            if not found:
                hint = "" if recursive else "; --recursive looks into its sub-folders"
                what = f"there is no picture in this folder ({', '.join(suffixes)}){hint}"
                sources.append(Source(path, None, InputError(f"{name}: {what}")))
            sources += [one for one in found if os.path.realpath(str(one.path)) not in known]
        elif not from_list and not os.path.lexists(path) and any(sign in name for sign in "*?"):
            sources += _matches(path, left_out)
        elif from_list and (kind := kind_of(path)):
            sources.append(Source(path, None, InputError(f"{name}: is {kind}; a list names files and folders")))
        else:
            sources.append(Source(path))
    left_out.tell()
    return usable(sources) if len(sources) == 1 else sources


def find_pictures(names: Iterable[str], recursive: bool = False, listed: Iterable[str] = ()) -> list[Source]:
    """The same of the formats that are known, those included that this installation lacks the means to read; UsageError
    when nothing is named."""
    from kfsr.image import known_suffixes, looks_like_picture

    names, listed = list(names), list(listed)
    if not names and not listed:
        raise UsageError("no INPUT: name pictures or folders, or a list of them with --files-from")
    return find(names, known_suffixes(), recursive, listed, looks_like_picture)


def usable(sources: list[Source]) -> list[Source]:
    """The same sources, for callers that need them all; raises the first one's problem."""
    for source in sources:
        if source.problem is not None:
            raise source.problem
    return sources


def _matches(pattern: Path, left_out: LeftOut) -> list[Source]:
    # Brackets are taken as they are if that matches, as in 'IMG[1]*.png', and else as a set of letters.
    plain = str(pattern).replace("[", "[[]")
    names = glob.glob(plain, recursive=True) or glob.glob(str(pattern), recursive=True)  # noqa: PTH207 - absolute too
    found = [Path(name) for name in sorted(names)]
    files = [path for path in found if not path.is_dir()]
    special = {path: kind for path in files if (kind := kind_of(path))}
    for path, kind in special.items():
        left_out.add(path, kind)
    if files and len(special) == len(files):
        what = ", ".join(sorted(set(special.values())))
        return [Source(pattern, None, InputError(f"{pattern}: matches no file, only {what}"))]
    # No match: the run reports what is missing.
    return [Source(path) for path in files if path not in special] or [Source(pattern)]


def _pictures(
    folder: Path, suffixes: Sequence[str], recursive: bool, is_picture: Callable[[Path], bool], left_out: LeftOut
) -> Iterator[Source]:
    """In the order of their names; a sub-folder that cannot be read is a source with a problem."""

    def unreadable(error: OSError) -> None:
        path = Path(os.fsdecode(error.filename))
        problem = InputError(f"{path}: the folder cannot be read ({error.strerror})")
        found.append(Source(path, path.parent.relative_to(folder) if path != folder else None, problem))

    found: list[Source] = []
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for path in (Path(parent) / name for name in files if not name.startswith(".")):
            if path.suffix.lower() not in suffixes:
                left_out.consider(path, is_picture)
            elif kind := kind_of(path):
                left_out.add(path, kind)
            else:
                found.append(Source(path, path.parent.relative_to(folder)))
    yield from sorted(found, key=lambda one: str(one.path))
