"""Real files for the tests, some of them made byte by byte because Pillow cannot write them."""

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import PIL.Image
from PIL import ImageCms
from skimage import data

ORIENTATION = 0x0112


def colour_picture() -> np.ndarray:
    """uint8 (48, 64, 3), no side and no direction like another."""
    return data.astronaut()[60:108, 190:254].copy()


def gray_picture() -> np.ndarray:
    return data.chelsea()[100:148, 100:164, 1].copy()


def alpha_ramp() -> np.ndarray:
    """uint8 (48, 64) with everything from invisible to opaque."""
    return np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (48, 1))


def file_bytes(picture: PIL.Image.Image | np.ndarray, format: str, **options: Any) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = PIL.Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def exif_block(orientation: int | None = None, inner: bool = True) -> bytes:
    """EXIF with a maker, an orientation and, in its `inner` list, an exposure time and the picture's size."""
    exif = PIL.Image.Exif()
    exif[0x010F] = "Kfsr Optics"
    if orientation is not None:
        exif[ORIENTATION] = orientation
    if inner:
        exif[0x8769] = {0x829A: 0.125, 0xA002: 64, 0xA003: 48}
    return exif.tobytes()


def png_bytes(
    values: np.ndarray, depth: int, colour_type: int, extra: bytes = b"", size: tuple[int, int] | None = None
) -> bytes:
    """A PNG of (H, W) or (H, W, C) `values` with `depth` bits; `extra` chunks go before the pixels."""
    height, width = values.shape[:2]
    rows = values.astype(">u2" if depth == 16 else np.uint8).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, colour_type, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + pixels + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@cache  # a profile holds the second it was made in
def rgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gray_profile() -> bytes:
    """A gray profile of gamma 1: middle gray means 50 % of the light, which sRGB stores as 188."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0100)})


def cmyk_profile() -> bytes:
    """A CMYK profile of a press with four gray inks: each darkens the paper, none gives it a hue."""
    identity = bytes(range(256))
    table = bytearray()
    for corner in range(16):  # first ink varies slowest
        inks = bin(corner).count("1")
        table += bytes([255 - 255 * inks // 4, 128, 128])
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + bytes(table) + identity * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut}, device=b"prtr")


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr") -> bytes:
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    text = b"test profile\0"
    description = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(8 + 3 + 67)
    tags = {b"desc": description, b"wtpt": b"XYZ " + bytes(4) + d50, **tags}
    offset, index, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        index += name + struct.pack(">II", offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = bytearray(128)
    struct.pack_into(">I", header, 0, offset + len(body))
    struct.pack_into(">I", header, 8, 0x02400000)
    header[12:24] = device + space + connection
    struct.pack_into(">6H", header, 24, 2024, 1, 1, 0, 0, 0)
    header[36:40] = b"acsp"
    header[68:80] = d50
    return bytes(header) + struct.pack(">I", len(tags)) + index + body
