"""Lists of names, as `--files-from` takes them: one a line or separated by NUL, also as Windows writes them."""

from __future__ import annotations

import codecs
import os
import unicodedata
from collections.abc import Iterator

from kfsr.errors import InputError, UsageError

STREAM = "-"
"""How the command line spells standard input and standard output."""

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_list(data: bytes, about: str) -> list[str]:
    """The names in a list, one a line, or separated by NUL as `find -print0` writes them; InputError when empty.

    A list may be UTF-16, as PowerShell writes it, and begin with a byte order mark; lines may end in CR LF. A name that
    is not there, but is without the quotes around it, with / for \\ or in another Unicode form, is taken so.
    """
    data, separator = _as_bytes(data, about), b"\n"
    if b"\0" in data:
        separator = b"\0"
    names = [os.fsdecode(line) for line in data.split(separator)]
    if separator == b"\n":
        names = [name.rstrip("\r") for name in names]
    names = [name for name in names if name]
    if not names:
        raise InputError(f"{about}: the list names no files")
    if STREAM in names:
        raise UsageError(f"{about}: '-' cannot be in a list; for a file of that name write ./-")
    return [next((one for one in _forms(name) if os.path.lexists(one)), name) for name in names]


def _as_bytes(data: bytes, about: str) -> bytes:
    """A list of any encoding as the bytes that names have here."""
    if data.startswith(codecs.BOM_UTF8):
        return data.removeprefix(codecs.BOM_UTF8)
    encoding = _UTF_16.get(data[:2]) or _without_mark(data)
    if encoding is None:
        return data
    try:
        return os.fsencode(data.decode(encoding).removeprefix("\ufeff"))
    except UnicodeError as error:
        raise InputError(f"{about}: the list is no sound UTF-16 text; save it as UTF-8") from error


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: every line has an end of its own, of two bytes, one of which is NUL."""
    for encoding, end in (("utf-16-le", b"\r\0\n\0"), ("utf-16-be", b"\0\r\0\n")):
        at = data.find(end)
        while at >= 0 and at % 2:
            at = data.find(end, at + 1)
        if at >= 0 and len(data) % 2 == 0:
            return encoding
    return None


def _forms(name: str) -> Iterator[str]:
    """What a name may stand for, the name itself first."""
    yield name
    plain = name.strip().strip('"')
    for one in (plain, plain.replace("\\", "/")):
        yield one
        yield from (unicodedata.normalize(form, one) for form in ("NFC", "NFD"))
