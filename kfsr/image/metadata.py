"""EXIF, ICC and resolution: what may be kept when the pixels are turned upright and enlarged."""

import struct
from typing import Any

import PIL.Image

_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825

# Tags that describe how one particular file stores its pixels; they would be lies in the next file. Among
# them orientation, size, compression, strips, tiles and the colour profile, which travels by itself.
_STORAGE_TAGS = frozenset(
    {0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, ORIENTATION, 0x0115, 0x0116}
    | {0x0117, 0x011C, 0x013D, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0152, 0x0153, 0x015B, 0x0201}
    | {0x0202, 0x0211, 0x0212, 0x0213, 0x0214, 0x8773, 0xA002, 0xA003}
)

# What is worth taking from the tags of a TIFF file, where EXIF and storage share one list: description, make,
# model, resolution, software, date, artist, copyright.
_TIFF_TAGS = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)

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


def tiff_exif(image: PIL.Image.Image) -> bytes | None:
    """EXIF from the descriptive tags of an opened, not yet loaded, TIFF picture; None when it has none."""
    source = image.getexif()
    kept = PIL.Image.Exif()
    try:
        for tag in _TIFF_TAGS:
            if tag in source:
                kept[tag] = source[tag]
        for tag in (_EXIF_IFD, _GPS_IFD):
            inner: dict[int, Any] = source.get_ifd(tag)
            if inner:
                kept[tag] = {key: value for key, value in inner.items() if key not in _STORAGE_TAGS}
        return kept.tobytes() if len(kept) else None
    except (ValueError, TypeError, KeyError, struct.error, OSError, SyntaxError):
        return None  # tags too damaged to copy: the pixels are what counts


def png_text_exif(text: str) -> bytes | None:
    """EXIF from the "Raw profile type exif" text that ImageMagick wrote before PNG had an EXIF chunk."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


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


def _find_offset(block: bytearray, order: str, offset: int, wanted: int) -> int | None:
    (count,) = struct.unpack_from(order + "H", block, offset)
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, value = struct.unpack_from(order + "H6xI", block, at)
        if tag == wanted:
            return int(value)
    return None
