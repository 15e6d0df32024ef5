"""Profiles and XMP in GIF and BMP files, which Pillow leaves there."""

import struct
from collections.abc import Iterator

_XMP, _ICC = b"XMP DataXMP", b"ICCRGBG1012"
_EXTENSION, _IMAGE, _APPLICATION = 0x21, 0x2C, 0xFF
_TRAILER = 258
_V5_HEADER, _EMBEDDED = 124, b"DEBM"  # "MBED", least byte first


def of_gif(data: bytes) -> tuple[bytes | None, bytes | None]:
    """The ICC profile and the XMP packet of a GIF, None each where there is none or the file is cut off before."""
    profile, packet = None, None
    for name, start, end in _applications(data):
        if name == _ICC:
            profile = profile or b"".join(data[a:b] for a, b in _blocks(data, start))
        elif name == _XMP:
            # The packet lies there as it is; a trailer makes it look like blocks for those who skip it.
            packet = packet or data[start : data.rfind(b">", start, end - _TRAILER) + 1]
    return profile or None, packet or None


def of_bmp(data: bytes) -> bytes | None:
    """The ICC profile inside a BMP with a header of the fifth kind, None where there is none."""
    if len(data) < 14 + _V5_HEADER or struct.unpack_from("<I", data, 14)[0] != _V5_HEADER:
        return None
    start, length = struct.unpack_from("<II", data, 14 + 112)
    if data[14 + 56 : 14 + 60] != _EMBEDDED or not length or 14 + start + length > len(data):
        return None
    return data[14 + start : 14 + start + length]


def _applications(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The extensions of applications: name, start and end of their blocks."""
    at = 13 + _table(data[10:11])
    while at + 11 <= len(data):
        if data[at] == _EXTENSION:
            start = at + 2
            end = _end(data, start)
            if data[at + 1] == _APPLICATION and data[start] == 11 and start + 12 <= end:
                yield data[start + 1 : start + 12], start + 12, end
        elif data[at] == _IMAGE:
            end = _end(data, at + 11 + _table(data[at + 9 : at + 10]))
        else:  # the end, or damage
            return
        at = end


def _table(flags: bytes) -> int:
    """Bytes of the colours that follow a byte of flags."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _blocks(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of the blocks from `at` on, each of which begins with its length."""
    while at < len(data) and data[at]:
        yield at + 1, at + 1 + data[at]
        at += 1 + data[at]


def _end(data: bytes, at: int) -> int:
    """Where the blocks from `at` on are over."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1
