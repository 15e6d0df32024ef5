"""What lies in a folder of pictures and is not taken, so that it is not left out without a word."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

_SHOWN = 3
"""How many names a line tells."""

_RAW = "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
_OTHERS = (
    "bpg dds exr fits fli hdr ico icns j2c j2k jls jp2 jpf jpx jxl jxr mng pam pbm pcx pfm pgm pnm ppm psb psd qoi ras"
    " sgi svg svgz tga wdp xbm xcf xpm"
)
_NOT_READ = frozenset(f".{ending}" for ending in f"{_RAW} {_OTHERS}".split())
"""Endings of pictures that are not read: raw files of cameras, and other formats."""

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_of(path: Path) -> str | None:
    """What stands under a name in place of a file: "a named pipe", "a device", "a socket"; None for files, folders and
    what is not there. Nothing is opened."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - it is a path for certain
    except (OSError, ValueError):
        return None
    return next((kind for is_one, kind in _KINDS if is_one(mode)), None)


class LeftOut:
    """Collects what is left out, and tells it in one warning for each reason."""

    def __init__(self) -> None:
        self._special: list[str] = []
        self._other: list[str] = []
        self._unnamed: list[str] = []

    def add(self, path: Path, kind: str) -> None:
        """A pipe, a device or a socket."""
        self._special.append(f"{path} ({kind})")

    def consider(self, path: Path, is_picture: Callable[[Path], bool]) -> None:
        """A file without the ending of a picture that is read; it is told only if it is a picture all the same."""
        if path.suffix.lower() in _NOT_READ:
            self._other.append(str(path))
        elif kind_of(path) is None and is_picture(path):
            self._unnamed.append(str(path))

    def tell(self) -> None:
        """One UserWarning for each reason there is."""
        for names, why in (
            (self._special, "no files; what is named itself is read"),
            (self._other, "not of a format that is read; convert them first"),
            (self._unnamed, "pictures without the ending of one; name them to have them done"),
        ):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                warnings.warn(f"left out: {', '.join(sorted(names)[:_SHOWN])}{more}: {why}", UserWarning, stacklevel=3)
