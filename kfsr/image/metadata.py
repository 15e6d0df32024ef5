"""EXIF, ICC and resolution: what may be kept when the pixels are turned upright and enlarged."""

import struct
from typing import Any

from kfsr.image import ifd, microscopy

_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825

# Tags that describe how one particular file stores its pixels; they would be lies in the next file. Among
# them orientation, size, compression, strips, tiles and the colour profile, which travels by itself.
_STORAGE_TAGS = frozenset(
    {0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, ORIENTATION, 0x0115, 0x0116}
    | {0x0117, 0x011C, 0x013D, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0152, 0x0153, 0x015B, 0x0201}
    | {0x0202, 0x0211, 0x0212, 0x0213, 0x0214, 0x8773, 0xA002, 0xA003}
    # The pitch of the sensor's pixels, and places counted in pixels.
    | {0xA20E, 0xA20F, 0xA210, 0x9214, 0xA214}
)

# What is worth taking from the tags of a TIFF file, where EXIF and storage share one list: names of document and page,
# description, make, model, software, date, artist, computer, rating, resolution, Windows' texts, copyright, EXIF, GPS.
_TIFF_TAGS = (
    *(0x010D, 0x011D, 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749),
    *(0x011A, 0x011B, 0x0128, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0x8298, ifd.EXIF, ifd.GPS),
)
_RESOLUTION_TAGS = (0x011A, 0x011B, 0x0128)
_INTEROP_INDEX = 1
_PREVIEW = (0x0201, 0x0202)
_DESCRIPTION, _MAKER_NOTE = 0x010E, 0x927C

# JPEG stores 16 bits.
_LARGEST_DPI = 65535

_ICC_SPACES = {1: b"GRAY", 3: b"RGB "}


def split_exif(raw: bytes | None) -> tuple[int, bytes | None]:
    """(orientation 1..8, the other EXIF) of a raw EXIF block with or without its "Exif" prefix.

    Entries are taken out in place, so that camera makers' notes, which point at absolute offsets, stay whole;
    the link to the small preview goes too, since it is not upright. A block that cannot be read is (1, None).
    """
    if not raw:
        return 1, None
    block = bytearray(raw.removeprefix(_PREFIX))
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None:
        return 1, None
    try:
        magic, first = struct.unpack_from(order + "HI", block, 2)
        if magic != 42:
            return 1, None
        _forget_preview(block, order, first)
        removed = _remove_tags(block, order, first)
        orientation = removed.get(ORIENTATION, 1)
        try:
            inner = _find_offset(block, order, first, _EXIF_IFD)
            if inner is not None:
                _remove_tags(block, order, inner)
        except struct.error:
            pass  # a cut-off inner directory only keeps its stale size tags
    except struct.error:
        return 1, None
    return (orientation if 1 <= orientation <= 8 else 1), _PREFIX + bytes(block)


def descriptive(directory: ifd.Directory) -> ifd.Directory:
    """The tags of a TIFF that describe its picture, byte for byte; those that describe the file's pixels stay away."""
    kept = directory.only(_TIFF_TAGS)
    description = kept.get(_DESCRIPTION)
    if description is not None and microscopy.is_description(description.value):
        kept = kept.without([_DESCRIPTION, *_RESOLUTION_TAGS])  # a microscope's
    inner = {tag: one.without(_STORAGE_TAGS) for tag, one in kept.inner.items()}
    return ifd.Directory(kept.entries, inner)


def tiff_tags(exif: bytes | None, with_resolution: bool = False) -> ifd.Directory:
    """An EXIF block as tags of a TIFF, without its resolution where that is stored by itself. Raises struct.error for a
    damaged block."""
    if exif is None:
        return ifd.Directory()
    return ifd.parse_exif(exif).without((*_STORAGE_TAGS, *(() if with_resolution else _RESOLUTION_TAGS)))


def says_more(exif: bytes | None) -> bool:
    """Whether EXIF says anything beside the resolution."""
    try:
        tags = tiff_tags(exif)
    except struct.error:
        return False
    return bool(tags.entries or tags.inner)


def is_adobe_rgb(exif: bytes | None) -> bool:
    """Whether EXIF says that the colours are Adobe RGB's, as cameras say it that embed no profile (DCF 2.0)."""
    try:
        tags = ifd.Directory() if exif is None else ifd.parse_exif(exif)
    except struct.error:
        return False
    inner = tags.inner.get(ifd.EXIF, ifd.Directory())
    index = inner.inner.get(ifd.INTEROP, ifd.Directory()).get(_INTEROP_INDEX)
    return index is not None and index.value.startswith(b"R03")


def with_resolution(exif: bytes | None, dpi: tuple[float, float] | None) -> bytes | None:
    """EXIF that says the resolution too, for formats that have no other place for it. A block that has one, or notes
    of a camera's maker, which must not be moved, stays as it is."""
    if dpi is None:
        return exif
    try:
        tags = ifd.Directory() if exif is None else ifd.parse_exif(exif)
    except struct.error:
        return exif
    inner = tags.inner.get(ifd.EXIF)
    if tags.get(_RESOLUTION_TAGS[0]) is not None or (inner is not None and inner.get(_MAKER_NOTE) is not None):
        return exif
    across, down = (round(value * 10) for value in dpi)
    return ifd.exif_block(
        tags.plus(
            ifd.Entry.of(_RESOLUTION_TAGS[0], ifd.RATIONAL, across, 10),
            ifd.Entry.of(_RESOLUTION_TAGS[1], ifd.RATIONAL, down, 10),
            ifd.Entry.of(_RESOLUTION_TAGS[2], ifd.SHORT, 2),
        )
    )


def exif_resolution(exif: bytes | None) -> tuple[float, float] | None:
    """Pixels per inch that EXIF says, as stored."""
    try:
        tags = ifd.Directory() if exif is None else ifd.parse_exif(exif)
    except struct.error:
        return None
    found = [tags.get(tag) for tag in _RESOLUTION_TAGS]
    numbers = [() if one is None else one.numbers() for one in found]
    if len(numbers[0]) != 2 or len(numbers[1]) != 2 or not numbers[0][1] or not numbers[1][1]:
        return None
    unit = numbers[2][0] if numbers[2] else 2
    factor = {2: 1.0, 3: 2.54}.get(unit)
    if factor is None:
        return None
    return numbers[0][0] / numbers[0][1] * factor, numbers[1][0] / numbers[1][1] * factor


def profile_for(icc_profile: bytes | None, channels: int) -> bytes | None:
    """`icc_profile` when it describes pictures of that many channels (1 gray, 3 RGB), else None."""
    if icc_profile and icc_profile[16:20] == _ICC_SPACES[channels]:
        return icc_profile
    return None


def resolution(dpi: Any, sideways: bool) -> tuple[float, float] | None:
    """Pixels per inch (across, down) of the upright picture from what Pillow found; None for what makes no sense.

    sideways: whether turning it upright exchanges width and height. Rounded to tenths, so that 150 dpi, which PNG
    stores as 5906 pixels per metre, are 150 again.
    """
    try:
        across, down = (round(float(value), 1) for value in dpi)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if not all(1 < value <= _LARGEST_DPI for value in (across, down)):  # 1 is how Pillow says "not known"
        return None
    return (down, across) if sideways else (across, down)


def _remove_tags(block: bytearray, order: str, offset: int) -> dict[int, int]:
    """Take the storage tags out of the directory at `offset`, and unlink the directory after it.
    Returns the removed tags with their 16-bit values. Raises struct.error when the directory is cut off."""
    (count,) = struct.unpack_from(order + "H", block, offset)
    start, end = offset + 2, offset + 2 + 12 * count
    if end > len(block):
        raise struct.error("directory beyond the end")
    kept, removed = bytearray(), {}
    for at in range(start, end, 12):
        (tag,) = struct.unpack_from(order + "H", block, at)
        if tag in _STORAGE_TAGS:
            (removed[tag],) = struct.unpack_from(order + "H", block, at + 8)
        else:
            kept += block[at : at + 12]
    struct.pack_into(order + "H", block, offset, len(kept) // 12)
    tail = min(end + 4, len(block))
    block[start:tail] = kept.ljust(tail - start, b"\0")  # zeros: the next directory's offset among them
    return removed


def _forget_preview(block: bytearray, order: str, offset: int) -> None:
    """Take the bytes of the small preview out, which the directory behind the first one names; where they are the last
    ones, the block gets shorter. Whatever is damaged there stays."""
    try:
        (count,) = struct.unpack_from(order + "H", block, offset)
        (second,) = struct.unpack_from(order + "I", block, offset + 2 + 12 * count)
        start, length = (_find_offset(block, order, second, tag) for tag in _PREVIEW) if second else (None, None)
    except struct.error:
        return
    if start is None or length is None or start < offset + 6 + 12 * count or start + length > len(block):
        return
    if start + length >= len(block) - 1:
        del block[start:]
    else:
        block[start : start + length] = bytes(length)


def _find_offset(block: bytearray, order: str, offset: int, wanted: int) -> int | None:
    (count,) = struct.unpack_from(order + "H", block, offset)
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, value = struct.unpack_from(order + "H6xI", block, at)
        if tag == wanted:
            return int(value)
    return None
