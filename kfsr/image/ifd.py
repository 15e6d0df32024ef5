"""Directories of tags, as TIFF files and EXIF blocks hold them, byte for byte.

Libraries hand tags out as numbers and text; text in other encodings than ASCII does not come back from that. Here a
value stays the bytes that it is. Only the byte order of numbers is made one: little-endian.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
_INNER = (EXIF, GPS, INTEROP)

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, DOUBLE, LONG8 = 1, 2, 3, 4, 5, 7, 12, 16
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of what is swapped between byte orders, by type; a rational is two of them."""

_CODES = dict(zip(_UNITS, "BBHIIbBhiifdIQqQ", strict=True))
_MOST_ENTRIES = 4096
_COMMENT, _UNICODE = 0x9286, b"UNICODE\0"

PREFIX = b"Exif\0\0"


@dataclass(frozen=True)
class Entry:
    """One tag: its number, its type and its value, little-endian."""

    tag: int
    kind: int
    value: bytes

    @classmethod
    def of(cls, tag: int, kind: int, *numbers: Any) -> "Entry":
        """A tag of numbers; a RATIONAL is two for each."""
        return cls(tag, kind, struct.pack(f"<{len(numbers)}{_CODES[kind]}", *numbers))

    @property
    def count(self) -> int:
        """Of values, as TIFF counts."""
        return len(self.value) // _size(self.kind)

    def numbers(self) -> tuple[Any, ...]:
        """The value as numbers; () where the type has none that are read here."""
        code = _CODES.get(self.kind)
        if code is None:
            return ()
        size = struct.calcsize(code)
        return struct.unpack(f"<{len(self.value) // size}{code}", self.value[: len(self.value) // size * size])


@dataclass(frozen=True)
class Directory:
    """Tags in the order of their numbers, and the directories that EXIF, GPS and the like point at."""

    entries: tuple[Entry, ...] = ()
    inner: Mapping[int, "Directory"] = field(default_factory=dict)

    def get(self, tag: int) -> Entry | None:
        return next((one for one in self.entries if one.tag == tag), None)

    def without(self, tags: Iterable[int]) -> "Directory":
        gone = set(tags)
        return Directory(
            tuple(one for one in self.entries if one.tag not in gone),
            {tag: one for tag, one in self.inner.items() if tag not in gone},
        )

    def only(self, tags: Iterable[int]) -> "Directory":
        kept = set(tags)
        return Directory(
            tuple(one for one in self.entries if one.tag in kept),
            {tag: one for tag, one in self.inner.items() if tag in kept},
        )

    def plus(self, *entries: Entry) -> "Directory":
        """With these in place of those of the same numbers."""
        new = {one.tag for one in entries}
        return Directory((*(one for one in self.entries if one.tag not in new), *entries), self.inner)


def read_directory(data: bytes, offset: int, order: str, big: bool = False, depth: int = 0) -> Directory:
    """The directory at `offset` of a TIFF or an EXIF block; order: "<" or ">"; big: of BigTIFF.

    Tags whose values lie outside `data`, or whose type is unknown, are left out, and so are inner directories that
    cannot be read. Raises struct.error where the directory itself is cut off.
    """
    counts, entry, width = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    (count,) = struct.unpack_from(order + counts, data, offset)
    at, step = offset + struct.calcsize("<" + counts), struct.calcsize("<" + entry) + width
    if count > _MOST_ENTRIES or at + count * step > len(data):
        raise struct.error("directory beyond the end")
    entries: list[Entry] = []
    room = len(data)  # values of a damaged file may overlap a thousand times
    inner: dict[int, Directory] = {}
    for place in range(at, at + count * step, step):
        tag, kind, number = struct.unpack_from(order + entry, data, place)
        if kind not in _UNITS:
            continue
        size, start = number * _size(kind), place + step - width
        if size > width:
            (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, start)
        if start + size > len(data) or size > room:
            continue
        room -= size
        value = _little(data[start : start + size], kind, order)
        if tag == _COMMENT and value.startswith(_UNICODE):  # text in the byte order of the numbers
            value = _UNICODE + _little(value[8 : len(value) // 2 * 2], SHORT, order)
        if tag in _INNER:
            target = Entry(tag, kind, value).numbers()
            if depth < 2 and len(target) == 1:
                try:
                    inner[tag] = read_directory(data, target[0], order, big, depth + 1)
                except (struct.error, OverflowError):
                    continue
            continue
        entries.append(Entry(tag, kind, value))
    return Directory(tuple(entries), inner)


def link_of(data: bytes, offset: int, order: str, big: bool = False) -> tuple[int, int]:
    """Where the directory at `offset` says where the next page's is, and what it says, 0 for none. Raises struct.error
    where the directory is cut off."""
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
    place = offset + (8 + 20 * count if big else 2 + 12 * count)
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
    return place, int(following)


def broken_link(data: bytes, most: int) -> tuple[int, int] | None:
    """The first link between the pages of a TIFF, `most` of them looked at, that leads nowhere or back: its place, and
    how many pages there are before it. None where all are sound, and where there is no first page."""
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"+\0", b"\0+")
    place = 8 if big else 4
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
        while at and len(seen) < most:
            if at in seen:
                return place, len(seen)
            following = link_of(data, at, order, big)
            seen.add(at)
            place, at = following
    except (struct.error, OverflowError):
        return (place, len(seen)) if seen else None
    return None


def directory_bytes(directory: Directory, at: int, big: bool = False, following: int = 0) -> bytes:
    """`directory`, little-endian, to stand at offset `at`: its tags, their values and its inner directories.

    following: the offset of the next page's directory. Raises struct.error where an offset needs more than 32 bits.
    """
    counts, entry, offset, width = ("<Q", "<HHQ", "<Q", 8) if big else ("<H", "<HHI", "<I", 4)
    tags = sorted({one.tag for one in directory.entries} | set(directory.inner))
    step = struct.calcsize(entry) + width
    head = struct.calcsize(counts) + step * len(tags) + width
    out, after = bytearray(struct.pack(counts, len(tags))), bytearray()
    for tag in tags:
        place = at + head + len(after)
        one = directory.get(tag)
        if tag in directory.inner:
            after += _even(directory_bytes(directory.inner[tag], place, big))
            one = Entry.of(tag, LONG8 if big else LONG, place)
        assert one is not None
        out += struct.pack(entry, tag, one.kind, one.count)
        if len(one.value) <= width:
            out += one.value.ljust(width, b"\0")
        else:
            out += struct.pack(offset, place)
            after += _even(one.value)
    return bytes(out + struct.pack(offset, following) + after)


def parse_exif(block: bytes) -> Directory:
    """The tags of an EXIF block, with or without its "Exif" prefix. Raises struct.error for what is none."""
    data = block.removeprefix(PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise struct.error("no byte order")
    magic, first = struct.unpack_from(order + "HI", data, 2)
    if magic != 42:
        raise struct.error("no TIFF header")
    return read_directory(data, first, order)


def exif_block(directory: Directory) -> bytes | None:
    """The EXIF block with these tags, None when there are none."""
    if not directory.entries and not directory.inner:
        return None
    return PREFIX + b"II*\0\x08\0\0\0" + directory_bytes(directory, 8)


def _size(kind: int) -> int:
    return _UNITS[kind] * (2 if kind in (RATIONAL, 10) else 1)


def _little(value: bytes, kind: int, order: str) -> bytes:
    unit = _UNITS[kind]
    if order == "<" or unit == 1:
        return value
    return np.frombuffer(value, f">u{unit}").astype(f"<u{unit}").tobytes()


def _even(value: bytes) -> bytes:
    return value + bytes(len(value) % 2)
